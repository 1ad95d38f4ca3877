/**
 * The scripted gateway's side of IKE_AUTH: pre-shared key or certificate of its own, and for the client a pre-shared key, a
 * signature (taken as it is), or whatever EAP packets the test wants to send.
 */
import {
  authenticatorResponse,
  loadPrivateKey,
  type MsChapRound,
  makeSignature,
  msk,
  ntPasswordHash,
  type SignatureChoice,
} from '../../../crypto/index.ts';
import { Secret } from '../../../crypto/secret.ts';
import { decodeEap, type EapPacket, encodeEap, type Payload } from '../../../src/wire/index.ts';
import type { Pair } from '../../support/pki.ts';
import type { FakeGateway, FakeSa } from './fakeGateway.ts';
import { macOf, signedOctets } from './fakeKeys.ts';

/** Sends an EAP packet for what came; `undefined` at the beginning. Gives the key once it has sent EAP-Success. */
export type FakeEap = (answer: EapPacket | undefined) => { readonly packet: Uint8Array; readonly key?: Uint8Array | 'none' };

export type FakeAuthScript = {
  readonly psk: string;
  readonly eap?: FakeEap;
  readonly certificate?: { readonly chain: readonly Pair[]; readonly choice: SignatureChoice };
  readonly id?: { readonly idType: number; readonly data: Uint8Array };
  /** Beside IDr and AUTH of the last answer. */
  readonly extras?: readonly Payload[];
};

export const FQDN = { idType: 2, data: new TextEncoder().encode('vpn.lab.test') } as const;

export class FakeAuth {
  readonly #script: FakeAuthScript;
  #first: readonly Payload[] = [];
  #key: Uint8Array | 'none' | undefined;
  /** The client's IDi and whether its AUTH was right; undefined as long as there was none. */
  id: { readonly idType: number; readonly data: Uint8Array } = FQDN;
  clientProven: boolean | undefined;

  constructor(script: FakeAuthScript) {
    this.#script = script;
  }

  answer(gateway: FakeGateway, sa: FakeSa, payloads: readonly Payload[]): readonly Payload[] {
    const id = payloads.find((p) => p.kind === 'IDi');
    const auth = payloads.find((p) => p.kind === 'AUTH');
    const eap = payloads.find((p) => p.kind === 'EAP');
    if (id?.kind === 'IDi') {
      this.id = { idType: id.idType, data: id.data };
      this.#first = payloads;
    }
    if (auth?.kind === 'AUTH') {
      this.clientProven = this.#proves(sa, auth);
      return [...this.#own(sa, this.#script.eap === undefined), ...this.#rest(gateway, sa)];
    }
    const step = this.#script.eap?.(eap?.kind === 'EAP' ? decodeEap(eap.data) : undefined);
    if (step === undefined) throw new Error('the client sent no AUTH');
    this.#key = step.key;
    const packet: Payload = { kind: 'EAP', data: step.packet };
    return id === undefined ? [packet] : [...this.#own(sa, true), packet];
  }

  #rest(gateway: FakeGateway, sa: FakeSa): readonly Payload[] {
    return [...(this.#script.extras ?? []), ...gateway.child(sa, this.#first, sa.Ni, sa.Nr)];
  }

  #proves(sa: FakeSa, auth: Extract<Payload, { kind: 'AUTH' }>): boolean {
    const octets = signedOctets(sa.message1, sa.Nr, sa.keys.SK_pi, this.id);
    const secret = this.#key === undefined ? utf8(this.#script.psk) : this.#key === 'none' ? sa.keys.SK_pi : this.#key;
    return auth.method === 2 && Buffer.compare(macOf(secret, octets), auth.data) === 0;
  }

  /** IDr, CERT, AUTH; behind EAP the AUTH is made of its key and stands alone. */
  #own(sa: FakeSa, first: boolean): readonly Payload[] {
    const { certificate, psk, id = FQDN } = this.#script;
    const octets = signedOctets(sa.message2, sa.Ni, sa.keys.SK_pr, id);
    if (!first) {
      const secret = this.#key instanceof Uint8Array ? this.#key : sa.keys.SK_pr;
      return [{ kind: 'AUTH', method: 2, data: macOf(secret, octets) }];
    }
    const IDr: Payload = { kind: 'IDr', ...id };
    const [leaf] = certificate?.chain ?? [];
    if (certificate === undefined || leaf === undefined)
      return [IDr, { kind: 'AUTH', method: 2, data: macOf(utf8(psk), octets) }];
    return [
      IDr,
      ...certificate.chain.map(({ cert }): Payload => ({ kind: 'CERT', encoding: 4, data: cert.der })),
      {
        kind: 'AUTH',
        method: certificate.choice.method,
        data: makeSignature(certificate.choice, loadPrivateKey(leaf.key), octets),
      },
    ];
  }
}

const utf8 = (text: string) => new TextEncoder().encode(text);

export const eapRequest = (id: number, type: number, data: Uint8Array): Uint8Array => encodeEap({ code: 1, id, type, data });

/** MS-CHAPv2 packet: opcode, ID, length, data. */
export function msChapPacket(opCode: number, id: number, data: Uint8Array): Uint8Array {
  const length = 4 + data.length;
  return Uint8Array.of(opCode, id, length >> 8, length & 0xff, ...data);
}

export const msChapChallenge = (id: number, challenge: Uint8Array): Uint8Array =>
  msChapPacket(1, id, Uint8Array.of(16, ...challenge, ...utf8('hostapd')));

/** An honest EAP server: Identity, then MSCHAPv2 for this password. */
export function msChapServer(password: string): FakeEap {
  const challenge = Uint8Array.from({ length: 16 }, (_, i) => i * 7);
  const hash = () => ntPasswordHash(Secret.utf8(password));
  let key: Uint8Array | undefined;
  return (answer) => {
    if (answer === undefined) return { packet: eapRequest(1, 1, new Uint8Array(0)) };
    if (!('type' in answer)) throw new Error('a client must answer requests');
    if (answer.type === 1) return { packet: eapRequest(2, 26, msChapChallenge(2, challenge)) };
    if (answer.data[0] !== 2) return { packet: encodeEap({ code: key === undefined ? 4 : 3, id: 3 }), ...(key && { key }) };
    const round: MsChapRound = {
      authenticatorChallenge: challenge,
      peerChallenge: answer.data.subarray(5, 21),
      userName: answer.data.subarray(54),
    };
    const response = answer.data.subarray(29, 53);
    key = msk(hash(), response).expose();
    const text = `${authenticatorResponse(round, hash(), response)} M=OK`;
    return { packet: eapRequest(3, 26, msChapPacket(3, 2, utf8(text))) };
  };
}
