/**
 * Messages that no client would send, sealed with a client's own keys: any exchange type, message ID, flags and payloads. And the
 * gateway's answers, opened again.
 */
import { cipher } from '../../../crypto/index.ts';
import type { LabClient } from '../../../src/lab/index.ts';
import {
  decodeHeader,
  decodeMessage,
  decodePayloads,
  Exchange,
  encodeMessage,
  encodePayloads,
  type IkeSpi,
  ikeSpi,
  NO_SPI,
  type Payload,
  PayloadType,
  withMarker,
} from '../../../src/wire/index.ts';

/** All that it takes to speak as one end of an IKE SA; outlives the client that it was taken from. */
export type Pen = {
  readonly SPIi: IkeSpi;
  readonly SPIr: IkeSpi;
  /** This end began the SA. */
  readonly initiator: boolean;
  readonly out: Keys;
  readonly back: Keys;
  readonly suite: { readonly encr: number; readonly keyLength: number; readonly integ: number };
};
type Keys = { readonly encr: Uint8Array; readonly integ: Uint8Array };

/** The pen of a client's present IKE SA. */
export function penOf(client: LabClient): Pen {
  const { keys, suite, SPIi, SPIr, ikeSas } = client.status;
  if (keys === undefined || suite === undefined) throw new Error('this client has no IKE SA');
  const initiator = ikeSas.find((sa) => sa.SPIi === SPIi && sa.SPIr === SPIr)?.initiator ?? true;
  const i = { encr: keys.SK_ei, integ: keys.SK_ai };
  const r = { encr: keys.SK_er, integ: keys.SK_ar };
  return { SPIi, SPIr, initiator, suite, out: initiator ? i : r, back: initiator ? r : i };
}

export type Said = {
  readonly exchange: number;
  readonly messageId: number;
  readonly payloads?: readonly Payload[];
  readonly response?: boolean;
  /** Instead of payloads: what stands inside, and the type of the first payload. */
  readonly inner?: { readonly first: number; readonly octets: Uint8Array };
  /** In the clear, in front of SK. */
  readonly clear?: readonly Payload[];
  /** An SKF with these numbers, whatever they are; `first` of all but number 1 is 0. */
  readonly fragment?: { readonly number: number; readonly total: number };
  readonly SPIi?: IkeSpi;
  readonly SPIr?: IkeSpi;
};

/** A protected message, without marker. */
export function seal(pen: Pen, said: Said): Uint8Array {
  const { encr, keyLength, integ } = pen.suite;
  const algorithm = cipher(encr, keyLength, integ);
  if (algorithm === undefined) throw new Error('a suite without algorithms');
  const { first, octets: inner } = said.inner ?? encodePayloads(said.payloads ?? []);
  const { ivOctets, icvOctets, blockOctets } = algorithm;
  const plain = new Uint8Array(Math.ceil((inner.length + 1) / blockOctets) * blockOctets);
  plain.set(inner);
  plain[plain.length - 1] = plain.length - inner.length - 1;

  const numbers = said.fragment === undefined ? [] : [said.fragment.number, said.fragment.total];
  const head = numbers.flatMap((n) => [n >>> 8, n & 0xff]);
  const body = new Uint8Array(head.length + ivOctets + plain.length + icvOctets);
  body.set(head);
  const type = said.fragment === undefined ? PayloadType.SK : PayloadType.SKF;
  const message = encodeMessage(envelopeOf(pen, said), [
    ...(said.clear ?? []),
    { kind: 'UNKNOWN', type, critical: false, data: body },
  ]);
  message[message.length - body.length - 4] = said.fragment !== undefined && said.fragment.number !== 1 ? 0 : first;
  const { out } = pen;
  algorithm.sealer(out.encr, out.integ).seal(message, message.length - body.length + head.length, plain, freshIv(ivOctets));
  return message;
}

/** The same message without any protection. */
export function naked(pen: Pen, said: Said): Uint8Array {
  return encodeMessage(envelopeOf(pen, said), said.payloads ?? []);
}

/** What the other end said: undefined when it cannot be opened with these keys. */
export function open(pen: Pen, octets: Uint8Array): readonly Payload[] | undefined {
  const { sealed } = decodeMessage(octets, decodeHeader(octets));
  const { encr, keyLength, integ } = pen.suite;
  if (sealed === undefined) return undefined;
  const plain = cipher(encr, keyLength, integ)?.opener(pen.back.encr, pen.back.integ).open(octets, sealed.body);
  if (plain === undefined) return undefined;
  return decodePayloads(sealed.first, plain.subarray(0, plain.length - 1 - (plain.at(-1) ?? 0)));
}

/** An IKE_SA_INIT request of these payloads, or any message in the clear that has no SPIr. */
export function firstMessage(payloads: readonly Payload[], o: Partial<Said> & { readonly minor?: number } = {}): Uint8Array {
  const { SPIi = ikeSpi(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)), SPIr = NO_SPI, exchange = Exchange.IKE_SA_INIT } = o;
  const { messageId = 0, response = false } = o;
  return encodeMessage({ SPIi, SPIr, exchange, initiator: !response, response, messageId }, payloads);
}

/** As it goes over the NAT-T port, or as it is. */
export const framed = (octets: Uint8Array, natt: boolean): Uint8Array => (natt ? withMarker(octets) : octets);

function envelopeOf(pen: Pen, { SPIi = pen.SPIi, SPIr = pen.SPIr, exchange, messageId, response = false }: Said) {
  return { SPIi, SPIr, exchange, initiator: pen.initiator, response, messageId };
}

/** Never the same twice, and never one that a lab client counts up to. */
function freshIv(octets: number): Uint8Array {
  const iv = new Uint8Array(octets).fill(0xf0);
  written += 1;
  new DataView(iv.buffer).setUint32(octets - 4, written);
  return iv;
}
let written = 0;
