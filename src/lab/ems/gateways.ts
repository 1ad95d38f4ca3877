/**
 * Which gateways the administrator of the emulated EMS has let in. A gateway is a CN and the fingerprint of one certificate
 * (docs/ems-api.md §1.2): the name alone is anybody's, since no authority has to have signed it.
 */
import { printable } from '../../wire/index.ts';
import { EmsRefused, isSerial } from './record.ts';

export type EmsGateway = {
  readonly cn: string;
  readonly state: 'authorized' | 'pending' | 'denied';
  /** SHA-256 of the authorised certificate, capital hexadecimal digits; undefined: the first that comes with this CN. */
  readonly fingerprint: string | undefined;
  /** Of the certificate that asked last and is not authorised. */
  readonly asks: string | undefined;
};
export type Judgement = 'authorized' | 'not-authorized' | 'denied';
/**
 * What happened to a CN. `asks`: a certificate that is not authorised came; who is authorised stays so. `withdrawn`: the
 * certificate that was good is no longer.
 */
export type GatewayChange = { readonly cn: string; readonly what: 'asks' | 'authorized' | 'withdrawn' | 'denied' };

export class Gateways {
  readonly #known = new Map<string, EmsGateway>();
  readonly #silentApproval: boolean;
  readonly #onChange: (change: GatewayChange) => void;

  constructor(silentApproval: boolean, onChange: (change: GatewayChange) => void) {
    this.#silentApproval = silentApproval;
    this.#onChange = onChange;
  }

  load(gateways: readonly EmsGateway[]): void {
    for (const gateway of gateways.slice(0, MOST)) this.#known.set(gateway.cn, gateway);
  }

  list(): readonly EmsGateway[] {
    return [...this.#known.values()].sort((a, b) => (a.cn < b.cn ? -1 : 1));
  }

  /** Judges a certificate that TLS has proven; one that is not known is pending from then on. */
  judge(cn: string, fingerprint: string): Judgement {
    const known = this.#known.get(cn);
    if (known?.state === 'denied') return 'denied';
    const expected = known?.state === 'authorized' ? known.fingerprint : undefined;
    if (known?.state === 'authorized' && expected === fingerprint) return 'authorized';
    const first = known === undefined ? this.#silentApproval : known.state === 'authorized' && expected === undefined;
    if (first) {
      const made = this.#put({ cn, state: 'authorized', fingerprint, asks: undefined }, 'authorized');
      return made ? 'authorized' : 'not-authorized';
    }
    if (known?.asks !== fingerprint) {
      this.#put({ cn, state: known?.state ?? 'pending', fingerprint: known?.fingerprint, asks: fingerprint }, 'asks');
    }
    return 'not-authorized';
  }

  /**
   * Lets a gateway in: the certificate with this fingerprint, or the one that asks, or the first that will come.
   *
   * @throws EmsRefused when the CN or the fingerprint is none
   */
  authorize(cn: string, fingerprint?: string): EmsGateway {
    const known = this.#known.get(readCn(cn));
    const good = known?.state === 'authorized' ? known.fingerprint : undefined;
    const wanted = fingerprint === undefined ? (known?.asks ?? good) : readFingerprint(fingerprint);
    return this.#decide(
      { cn, state: 'authorized', fingerprint: wanted, asks: undefined },
      good === undefined || good === wanted ? 'authorized' : 'withdrawn',
    );
  }

  /** @throws EmsRefused when the CN is none */
  deny(cn: string): EmsGateway {
    return this.#decide({ cn: readCn(cn), state: 'denied', fingerprint: undefined, asks: undefined }, 'denied');
  }

  /** False when it was not known. */
  forget(cn: string): boolean {
    const there = this.#known.delete(cn);
    if (there) this.#onChange({ cn, what: 'withdrawn' });
    return there;
  }

  #decide(gateway: EmsGateway, what: GatewayChange['what']): EmsGateway {
    if (this.#put(gateway, what)) return gateway;
    throw new EmsRefused('full', `this EMS keeps at most ${MOST} gateways: forget one`);
  }

  /** Strangers push out strangers, the eldest first; what the administrator decided stays. False: there is no place. */
  #put(gateway: EmsGateway, what: GatewayChange['what']): boolean {
    if (!this.#known.has(gateway.cn) && this.#known.size >= MOST) {
      const eldest = [...this.#known.values()].find((g) => g.state === 'pending');
      if (eldest === undefined) return false;
      this.#known.delete(eldest.cn);
    }
    this.#known.set(gateway.cn, gateway);
    this.#onChange({ cn: gateway.cn, what });
    return true;
  }
}

const MOST = 256;

function readCn(cn: string): string {
  if (!isSerial(cn))
    throw new EmsRefused('bad-request', `'${printable(cn, 70)}' is no CN: 1 to 64 letters, digits, '.', '_', '-'`);
  return cn;
}

/** SHA-256 as people paste it: with or without colons, in any case. */
function readFingerprint(text: string): string {
  const digits = text.replaceAll(':', '').toUpperCase();
  if (!/^[0-9A-F]{64}$/.test(digits))
    throw new EmsRefused('bad-request', `'${printable(text, 100)}' is no SHA-256 fingerprint: 64 hexadecimal digits`);
  return digits;
}
