/**
 * A gateway that does what a test tells it: a small responder, written apart from the real one, that knows one suite
 * (AES-256-GCM, PRF SHA-256, any group) and lets every message be edited before it goes out. As a Party it lives in the
 * virtual network.
 */
import { createHash } from 'node:crypto';
import { group as groupOf, type KeyPair } from '../../../crypto/index.ts';
import {
  decodeHeader,
  decodeMessage,
  decodePayloads,
  type Envelope,
  Exchange,
  encodeMessage,
  encodePayloads,
  frame,
  type Header,
  type IkeSpi,
  ikeSpi,
  NO_SPI,
  notify,
  type Payload,
  type Proposal,
  spiOctets,
  unhex,
} from '../../../src/wire/index.ts';
import type { Datagram, Endpoint, Party } from '../../support/net.ts';
import type { SeededRandom } from '../../support/random.ts';
import { FakeAuth } from './fakeAuth.ts';
import { type FakeKeys, fakeKeys, hmac, join, prfPlus } from './fakeKeys.ts';

export const GATEWAY = '192.0.2.1';
export const CLIENT = '198.51.100.7';

export type Edit = (
  payloads: readonly Payload[],
  to: { readonly exchange: number; readonly messageId: number },
) => readonly Payload[];
export type Script = {
  readonly psk?: string;
  /** How often a cookie is demanded, each time another. */
  readonly cookies?: number;
  /** Requests that are not heard at all, the first ones. */
  readonly deaf?: number;
  /** The group that INVALID_KE_PAYLOAD demands of IKE_SA_INIT and CREATE_CHILD_SA. */
  readonly wants?: number;
  readonly fragmentation?: boolean;
  /** Extra payloads of the IKE_SA_INIT answer. */
  readonly initExtras?: readonly Payload[];
  /** Edits an answer, the one to IKE_SA_INIT included; an empty list for a request not to be answered is `undefined`. */
  readonly edit?: Edit;
  readonly header?: Partial<Envelope>;
  /** Payloads in the clear in front of SK. */
  readonly clear?: readonly Payload[];
  /** What the last octet of the plaintext says. */
  readonly pad?: number;
  /** The nonce of answers to CREATE_CHILD_SA. */
  readonly nonce?: Uint8Array;
  /** Builds the answers to IKE_AUTH; the default is a pre-shared key on both ends. */
  readonly auth?: FakeAuth;
  /** Selectors to answer with; the offered ones when not given. */
  readonly narrow?: Extract<Payload, { kind: 'TSi' }>['selectors'];
};

export type FakeChild = { readonly spiIn: Uint8Array; readonly spiOut: Uint8Array; readonly keymat: Uint8Array };
export type Heard = { readonly header: Header; readonly payloads: readonly Payload[]; readonly octets: Uint8Array };

export type FakeSa = {
  readonly SPIi: IkeSpi;
  readonly SPIr: IkeSpi;
  /** The client began it. */
  readonly clientFirst: boolean;
  readonly keys: FakeKeys;
  readonly Ni: Uint8Array;
  readonly Nr: Uint8Array;
  readonly message1: Uint8Array;
  readonly message2: Uint8Array;
  nextId: number;
  ivs: number;
};

export class FakeGateway implements Party {
  readonly addresses = [GATEWAY];
  readonly random: SeededRandom;
  readonly sas: FakeSa[] = [];
  readonly children: FakeChild[] = [];
  /** Every message of the client that could be read, in order. */
  readonly heard: Heard[] = [];
  readonly auth: FakeAuth;
  /** Where the client was last heard from, and with a marker or not. */
  peer: { readonly from: Endpoint; readonly to: Endpoint; readonly natt: boolean } | undefined;
  script: Script;
  /** Says NAT-D, with this as its own source; the destination is where it heard from. */
  nat: { readonly source: Endpoint } | undefined;
  readonly #out: Datagram[] = [];
  #deaf: number;
  #cookies = 0;
  #parts: Uint8Array[] = [];
  #init: { readonly request: Uint8Array; readonly answer: Uint8Array } | undefined;

  constructor(random: SeededRandom, script: Script = {}) {
    this.random = random.child('gateway');
    this.script = script;
    this.auth = script.auth ?? new FakeAuth({ psk: script.psk ?? 'sesame' });
    this.#deaf = script.deaf ?? 0;
  }

  tick(): void {
    // it has no timers
  }
  deadline(): undefined {
    return undefined;
  }
  take(): readonly Datagram[] {
    return this.#out.splice(0);
  }

  datagram({ octets, from, to }: Datagram): void {
    if (this.#deaf > 0) {
      this.#deaf -= 1;
      return;
    }
    if (octets.length === 1) return; // a keepalive
    const natt = octets.subarray(0, 4).every((o) => o === 0);
    this.peer = { from, to, natt };
    const message = natt ? octets.subarray(4) : octets;
    const header = decodeHeader(message);
    if (header.exchange === Exchange.IKE_SA_INIT) return this.#saInit(message, header);
    const sa = this.sas.find((s) => s.SPIi === header.SPIi && s.SPIr === header.SPIr);
    const payloads = sa && this.#open(sa, message, header);
    if (sa === undefined || payloads === undefined) return;
    this.heard.push({ header, payloads, octets: message });
    if (!header.response) this.answer(sa, header, payloads);
  }

  /** The newest SA. */
  get sa(): FakeSa {
    const sa = this.sas.at(-1);
    if (sa === undefined) throw new Error('no SA yet');
    return sa;
  }

  /** Says something of its own. */
  request(payloads: readonly Payload[], exchange: number = Exchange.INFORMATIONAL, sa = this.sa): void {
    const messageId = sa.nextId;
    sa.nextId += 1;
    this.send(sa, this.sealed(sa, this.envelope(sa, exchange, messageId, false), payloads));
  }

  /** What the client answered to requests of ours. */
  get answers(): readonly Heard[] {
    return this.heard.filter((h) => h.header.response);
  }

  /** The last thing heard that answers or asks in this exchange. */
  last(exchange: number): Heard {
    const found = this.heard.findLast((h) => h.header.exchange === exchange);
    if (found === undefined) throw new Error(`nothing heard of exchange ${exchange}`);
    return found;
  }

  send(_sa: FakeSa, octets: Uint8Array): void {
    const { peer } = this;
    if (peer === undefined) throw new Error('nobody to send to');
    this.#out.push({ from: peer.to, to: peer.from, octets: peer.natt ? join(new Uint8Array(4), octets) : octets });
  }

  envelope(sa: FakeSa, exchange: number, messageId: number, response: boolean): Envelope {
    return { SPIi: sa.SPIi, SPIr: sa.SPIr, exchange, initiator: !sa.clientFirst, response, messageId };
  }

  sealed(
    sa: FakeSa,
    envelope: Envelope,
    payloads: readonly Payload[],
    fragment?: { readonly number: number; readonly total: number; readonly piece: Uint8Array },
  ): Uint8Array {
    const { first, octets } = encodePayloads(payloads);
    const inner = fragment?.piece ?? octets;
    const length = 8 + inner.length + 1 + 16;
    const { octets: message, body } =
      this.script.clear === undefined
        ? frame({ ...envelope, ...this.script.header }, first, length, fragment)
        : behind(this.script.clear, envelope, first, length);
    sa.ivs += 1;
    const iv = new Uint8Array(8);
    iv[7] = sa.ivs & 0xff;
    iv[6] = sa.ivs >> 8;
    (sa.clientFirst ? sa.keys.ends.r : sa.keys.ends.i).sealer.seal(
      message,
      body,
      join(inner, Uint8Array.of(this.script.pad ?? 0)),
      iv,
    );
    return message;
  }

  /** Answers a request as a responder does, unless the script edits it. */
  answer(sa: FakeSa, header: Header, payloads: readonly Payload[]): void {
    const said = this.#answerTo(sa, header, payloads);
    const edited = this.script.edit?.(said, header) ?? said;
    this.send(sa, this.sealed(sa, this.envelope(sa, header.exchange, header.messageId, true), edited));
  }

  #answerTo(sa: FakeSa, header: Header, payloads: readonly Payload[]): readonly Payload[] {
    if (header.exchange === Exchange.IKE_AUTH) return this.auth.answer(this, sa, payloads);
    if (header.exchange === Exchange.CREATE_CHILD_SA) return this.#create(sa, payloads);
    return payloads.flatMap((p): Payload[] =>
      p.kind === 'D' && p.protocol === 3 ? [{ ...p, spis: p.spis.flatMap((spi) => this.#halfOf(spi)) }] : [],
    );
  }

  #halfOf(spi: Uint8Array): Uint8Array[] {
    return this.children.filter((c) => Buffer.compare(c.spiOut, spi) === 0).map((c) => c.spiIn);
  }

  #saInit(message: Uint8Array, header: Header): void {
    if (this.#init !== undefined && Buffer.compare(this.#init.request, message) === 0) return this.#plain(this.#init.answer);
    const { payloads } = decodeMessage(message, header);
    this.heard.push({ header, payloads, octets: message });
    const envelope = { SPIi: header.SPIi, SPIr: NO_SPI, exchange: 34, initiator: false, response: true, messageId: 0 };
    const say = (said: readonly Payload[], SPIr = NO_SPI) =>
      encodeMessage({ ...envelope, SPIr, ...this.script.header }, this.script.edit?.(said, header) ?? said);
    if (this.#cookies < (this.script.cookies ?? 0)) {
      this.#cookies += 1;
      return this.#plain(say([notify('COOKIE', Uint8Array.of(0xc0, this.#cookies))]));
    }
    const { SA, KE, NONCE } = view(payloads);
    if (this.script.wants !== undefined && KE?.group !== this.script.wants)
      return this.#plain(say([notify('INVALID_KE_PAYLOAD', this.script.wants)]));
    if (SA === undefined || KE === undefined || NONCE === undefined) throw new Error('the client forgot something');
    const pair = this.pair(KE.group);
    const [Nr, SPIr] = [this.random.octets(32), ikeSpi(this.random.octets(8))];
    const answer = say(
      [
        { kind: 'SA', proposals: [pick(SA.proposals[0], KE.group)] },
        { kind: 'KE', group: KE.group, data: pair.publicValue },
        { kind: 'NONCE', data: Nr },
        ...(this.script.fragmentation ? [notify('IKEV2_FRAGMENTATION_SUPPORTED')] : []),
        ...this.#natNotifies(header.SPIi, SPIr),
        ...(this.script.initExtras ?? []),
      ],
      SPIr,
    );
    const shared = pair.agree(KE.data);
    if (shared !== undefined) {
      const keys = fakeKeys(hmac(join(NONCE.data, Nr), shared), NONCE.data, Nr, header.SPIi, SPIr);
      if (decodeMessage(answer, decodeHeader(answer)).payloads.some((p) => p.kind === 'SA'))
        this.#init = { request: message.slice(), answer };
      this.#take({ SPIi: header.SPIi, SPIr, clientFirst: true, keys, Ni: NONCE.data, Nr, message1: message, message2: answer });
    }
    this.#plain(answer);
  }

  #take(sa: Omit<FakeSa, 'nextId' | 'ivs'>): void {
    this.sas.push({ ...sa, nextId: 0, ivs: 0 });
  }

  /** An unprotected message. */
  plain(envelope: Envelope, payloads: readonly Payload[]): void {
    this.#plain(encodeMessage(envelope, payloads));
  }

  #natNotifies(SPIi: IkeSpi, SPIr: IkeSpi): readonly Payload[] {
    if (this.nat === undefined || this.peer === undefined) return [];
    const sum = ({ address, port }: Endpoint) =>
      new Uint8Array(
        createHash('sha1')
          .update(
            join(unhex(SPIi), unhex(SPIr), Uint8Array.from(address.split('.'), Number), Uint8Array.of(port >> 8, port & 0xff)),
          )
          .digest(),
      );
    return [notify('NAT_DETECTION_SOURCE_IP', sum(this.nat.source)), notify('NAT_DETECTION_DESTINATION_IP', sum(this.peer.from))];
  }

  #plain(octets: Uint8Array): void {
    const { peer } = this;
    if (peer === undefined) throw new Error('nobody to send to');
    this.#out.push({ from: peer.to, to: peer.from, octets: peer.natt ? join(new Uint8Array(4), octets) : octets });
  }

  pair(group: number): KeyPair {
    const found = groupOf(group);
    if (found === undefined) throw new Error(`no group ${group}`);
    return this.random.entropy.keyPair(found);
  }

  /** An ESP child for the client's SA payload; the answer of SA, TSi, TSr. */
  child(
    sa: FakeSa,
    payloads: readonly Payload[],
    Ni: Uint8Array,
    Nr: Uint8Array,
    shared = new Uint8Array(0),
  ): readonly Payload[] {
    const { SA, TSi, TSr } = view(payloads);
    const [proposal] = SA?.proposals ?? [];
    if (proposal === undefined || TSi === undefined || TSr === undefined) return [];
    const spiIn = this.random.octets(4).fill(0x77, 0, 1);
    this.children.push({ spiIn, spiOut: proposal.spi, keymat: prfPlus(sa.keys.SK_d, join(shared, Ni, Nr), 72) });
    return [
      { kind: 'SA', proposals: [{ ...pick(proposal, view(payloads).KE?.group), spi: spiIn }] },
      { kind: 'TSi', selectors: this.script.narrow ?? TSi.selectors },
      TSr,
    ];
  }

  #create(sa: FakeSa, payloads: readonly Payload[]): readonly Payload[] {
    const { SA, KE, NONCE } = view(payloads);
    const [proposal] = SA?.proposals ?? [];
    if (proposal === undefined || NONCE === undefined) throw new Error('the client forgot something');
    if (KE !== undefined && this.script.wants !== undefined && KE.group !== this.script.wants)
      return [notify('INVALID_KE_PAYLOAD', this.script.wants)];
    const Nr = this.script.nonce ?? this.random.octets(32);
    const pair = KE && this.pair(KE.group);
    const shared = (KE && pair?.agree(KE.data)) ?? new Uint8Array(0);
    const reply: readonly Payload[] = [
      { kind: 'NONCE', data: Nr },
      ...(KE && pair ? [{ kind: 'KE', group: KE.group, data: pair.publicValue } as const] : []),
    ];
    if (proposal.protocol !== 1) return [...this.child(sa, payloads, NONCE.data, Nr, new Uint8Array(shared)), ...reply];
    const [SPIi, SPIr] = [ikeSpi(proposal.spi), ikeSpi(this.random.octets(8))];
    this.rekeyed(sa, { SPIi, SPIr, clientFirst: true, Ni: NONCE.data, Nr, shared });
    return [{ kind: 'SA', proposals: [{ ...pick(proposal, KE?.group), spi: spiOctets(SPIr) }] }, ...reply];
  }

  /** Takes up the SA that a rekey of `old` makes. */
  rekeyed(
    old: FakeSa,
    {
      shared,
      Ni,
      Nr,
      SPIi,
      SPIr,
      clientFirst,
    }: Pick<FakeSa, 'SPIi' | 'SPIr' | 'clientFirst' | 'Ni' | 'Nr'> & { readonly shared: Uint8Array },
  ): void {
    const keys = fakeKeys(hmac(old.keys.SK_d, shared, Ni, Nr), Ni, Nr, SPIi, SPIr);
    const none = new Uint8Array(0);
    this.#take({ SPIi, SPIr, clientFirst, keys, Ni, Nr, message1: none, message2: none });
  }

  #open(sa: FakeSa, message: Uint8Array, header: Header): readonly Payload[] | undefined {
    const { sealed } = decodeMessage(message, header);
    if (sealed === undefined) throw new Error('not protected');
    const plain = (sa.clientFirst ? sa.keys.ends.i : sa.keys.ends.r).opener.open(message, sealed.body);
    if (plain === undefined) return undefined;
    const inner = plain.subarray(0, plain.length - 1 - (plain.at(-1) ?? 0));
    if (sealed.kind === 'SK') return decodePayloads(sealed.first, inner);
    this.#parts[sealed.fragment - 1] = join(Uint8Array.of(sealed.first), inner);
    if (Object.keys(this.#parts).length < sealed.fragments) return undefined;
    const whole = join(...this.#parts.map((p) => p.subarray(1)));
    const first = this.#parts[0]?.[0] ?? 0;
    this.#parts = [];
    return decodePayloads(first, whole);
  }
}

type View = { readonly [K in 'SA' | 'KE' | 'NONCE' | 'TSi' | 'TSr']: Extract<Payload, { kind: K }> | undefined };

export function view(payloads: readonly Payload[]): View {
  const get = <K extends Payload['kind']>(kind: K) => payloads.find((p): p is Extract<Payload, { kind: K }> => p.kind === kind);
  return { SA: get('SA'), KE: get('KE'), NONCE: get('NONCE'), TSi: get('TSi'), TSr: get('TSr') };
}

/** One transform of each type, the first; of groups the one whose public value came. */
export function pick(proposal: Proposal | undefined, group: number | undefined): Proposal {
  if (proposal === undefined) throw new Error('no proposal');
  const transforms = proposal.transforms.filter((t, i, all) =>
    t.type === 4 ? t.id === group : all.findIndex((o) => o.type === t.type) === i,
  );
  return { ...proposal, transforms };
}

/** SK behind payloads in the clear. */
function behind(clear: readonly Payload[], envelope: Envelope, first: number, length: number) {
  const octets = encodeMessage(envelope, [
    ...clear,
    { kind: 'UNKNOWN', type: 46, critical: false, data: new Uint8Array(length) },
  ]);
  const body = octets.length - length;
  octets[body - 4] = first;
  return { octets, body };
}
