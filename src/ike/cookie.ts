/**
 * What an IKE_SA_INIT must pass before it may cost anything (RFC 7296 §2.6): stateless cookies, and counts of half-open SAs.
 */
import { constantTimeEqual, type Prf, prf as prfOf, Secret } from '../../crypto/index.ts';
import { addressOctets, addressText, hex, type IkeSpi, Prf as PrfId, spiOctets } from '../wire/index.ts';

/** Milliseconds. A cookie is good for one to two of them. */
export const COOKIE_ROTATION = 60_000;

type Versioned = { readonly version: number; readonly secret: Secret };

/**
 * Cookie = version of the secret (1 octet) | HMAC-SHA-256(secret, SPIi | address | Ni). Nothing is kept per peer. The address
 * is without its port: a NAT may give another one to the repeated request.
 */
export class Cookies {
  readonly #random: (octets: number) => Uint8Array;
  readonly #prf: Prf;
  #current: Versioned;
  #previous: Versioned | undefined;
  #since: number;

  /** `random` gives that many octets; `now`: monotonic ms. */
  constructor(random: (octets: number) => Uint8Array, now: number) {
    const prf = prfOf(PrfId.HMAC_SHA2_256);
    if (prf === undefined) throw new RangeError('no HMAC-SHA-256');
    this.#random = random;
    this.#prf = prf;
    this.#since = now;
    // A random first version: a cookie from before a restart most often fails at its first octet.
    this.#current = { version: random(1)[0] ?? 0, secret: Secret.of(random(32)) };
  }

  /** 33 octets of COOKIE data. `address`: 4 or 16 octets; `now`: monotonic ms. */
  make(Ni: Uint8Array, address: Uint8Array, SPIi: IkeSpi, now: number): Uint8Array {
    return this.#cookie(this.#rotate(now), Ni, address, SPIi);
  }

  /** True when `cookie` was made by us for these three in this rotation or the one before. Any octets may come. */
  check(cookie: Uint8Array, Ni: Uint8Array, address: Uint8Array, SPIi: IkeSpi, now: number): boolean {
    const current = this.#rotate(now);
    const made = [current, this.#previous].find((one) => one !== undefined && one.version === cookie[0]);
    return made !== undefined && constantTimeEqual(this.#cookie(made, Ni, address, SPIi), cookie);
  }

  #cookie({ version, secret }: Versioned, Ni: Uint8Array, address: Uint8Array, SPIi: IkeSpi): Uint8Array {
    // What has a variable length stands last or has its length in front: no two requests hash the same octets.
    const mac = this.#prf.mac(secret.expose(), spiOctets(SPIi), Uint8Array.of(address.length), address, Ni);
    const cookie = new Uint8Array(1 + mac.length);
    cookie[0] = version;
    cookie.set(mac, 1);
    return cookie;
  }

  #rotate(now: number): Versioned {
    const age = now - this.#since;
    if (age < COOKIE_ROTATION) return this.#current;
    this.#previous?.secret.wipe();
    this.#previous = this.#current;
    if (age >= 2 * COOKIE_ROTATION) {
      this.#previous.secret.wipe();
      this.#previous = undefined; // nobody asked for so long that what it made is over
    }
    this.#since = now;
    this.#current = { version: (this.#current.version + 1) & 0xff, secret: Secret.of(this.#random(32)) };
    return this.#current;
  }
}

export type AdmissionLimits = {
  /** Half-open SAs from which on a cookie is asked for. */
  readonly halfOpenCookie: number;
  /** Of one IPv4 address, or one IPv6 /64. */
  readonly halfOpenPerAddress: number;
  readonly halfOpenMax: number;
};

/** `cookie`: admit only with a cookie that `Cookies.check` accepts. */
export type Admission = 'admit' | 'cookie' | { readonly drop: string };

/**
 * Counts half-open SAs, in total and by source. Every `opened` needs its one `settled`, with the address of `opened`: an SA
 * that has moved since counts where it began.
 */
export class AdmissionControl {
  #limits: AdmissionLimits;
  readonly #bySource = new Map<string, number>(); // as many entries as half-open SAs at most
  #halfOpen = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** From here on these limits hold. */
  limit(limits: AdmissionLimits): void {
    this.#limits = limits;
  }

  /** Half-open SAs now. */
  get halfOpen(): number {
    return this.#halfOpen;
  }

  /** Sources with half-open SAs now. */
  get sources(): number {
    return this.#bySource.size;
  }

  /**
   * What to do with an IKE_SA_INIT from this address. The source must show a cookie, too, once it has half of what it may
   * have: else forged requests in its name would shut it out.
   */
  judge(address: Uint8Array | string): Admission {
    const { halfOpenCookie, halfOpenPerAddress, halfOpenMax } = this.#limits;
    if (this.#halfOpen >= halfOpenMax) return { drop: `${this.#halfOpen} half-open SAs, the limit` };
    const ofSource = this.#bySource.get(sourceOf(address)) ?? 0;
    if (ofSource >= halfOpenPerAddress) return { drop: `${ofSource} half-open SAs of this address, the limit` };
    return this.#halfOpen >= halfOpenCookie || 2 * ofSource >= halfOpenPerAddress ? 'cookie' : 'admit';
  }

  /** A half-open SA of this address began. */
  opened(address: Uint8Array | string): void {
    const source = sourceOf(address);
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1);
    this.#halfOpen += 1;
  }

  /** A half-open SA of this address became established, or ended. One that was not counted changes nothing. */
  settled(address: Uint8Array | string): void {
    const source = sourceOf(address);
    const count = this.#bySource.get(source);
    if (count === undefined) return;
    if (count > 1) this.#bySource.set(source, count - 1);
    else this.#bySource.delete(source);
    this.#halfOpen -= 1;
  }
}

/** An IPv4 address, or the /64 of an IPv6 address: one customer has that many for the asking. */
function sourceOf(address: Uint8Array | string): string {
  if (typeof address === 'string' && !address.includes(':')) return address;
  const octets = typeof address === 'string' ? addressOctets(address) : address;
  if (octets === undefined) return '';
  return octets.length === 4 ? addressText(octets) : hex(octets.subarray(0, 8));
}
