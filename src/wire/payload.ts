/**
 * All payloads: the union, the chain walk, the generic payload header (RFC 7296 §3.2).
 *
 *   | Next Payload  |C|  RESERVED   |         Payload Length        |
 *
 * The type of a payload stands in front of it, in the header or the payload before. Payloads we do not know are kept with
 * their critical bit, so that the exchange can refuse (§2.5); on known ones the bit is ignored and never set.
 */
import * as basic from './basic.ts';
import { Malformed, Reader, Writer } from './bytes.ts';
import { type CpPayload, cp } from './cp.ts';
import { limits } from './limits.ts';
import { type Notify, notifyCodec } from './notify.ts';
import { PayloadType } from './numbers.ts';
import { type SaPayload, sa } from './sa.ts';

export type Payload =
  | SaPayload
  | basic.KePayload
  | basic.NoncePayload
  | basic.IdPayload<'IDi'>
  | basic.IdPayload<'IDr'>
  | basic.CertPayload<'CERT'>
  | basic.CertPayload<'CERTREQ'>
  | basic.AuthPayload
  | Notify
  | basic.DeletePayload
  | { readonly kind: 'V'; readonly data: Uint8Array }
  | basic.TsPayload<'TSi'>
  | basic.TsPayload<'TSr'>
  | CpPayload
  | { readonly kind: 'EAP'; readonly data: Uint8Array /* a whole EAP packet, see eap.ts */ }
  | { readonly kind: 'UNKNOWN'; readonly type: number; readonly critical: boolean; readonly data: Uint8Array };

const PAYLOAD_HEAD = 4;
const CRITICAL = 0x80;

/** type number of a payload */
export function payloadType(payload: Payload): number {
  return payload.kind === 'UNKNOWN' ? payload.type : PayloadType[payload.kind];
}

/**
 * The chain inside an Encrypted payload: `first` is the type of the first payload, 0 when there is none. Malformed when the
 * chain does not end with the octets, has more than limits.payloads, or holds another Encrypted payload (§3.14).
 */
export function decodePayloads(first: number, octets: Uint8Array): readonly Payload[] {
  if (octets.length > limits.message) throw new Malformed(`chain of ${octets.length} octets`);
  const r = new Reader(octets);
  const { payloads, stop } = readChain(first, r);
  if (stop !== 0) throw new Malformed('Encrypted payload inside an Encrypted payload');
  r.end();
  return payloads;
}

/**
 * What decodePayloads reads: the type of the first payload and the octets of all. RangeError when a payload is longer than
 * 65535 octets.
 */
export function encodePayloads(payloads: readonly Payload[]): { readonly first: number; readonly octets: Uint8Array } {
  const w = new Writer();
  const first = writeChain(w, payloads);
  return { first, octets: w.finish() };
}

/**
 * Reads payloads up to the end of the chain or to an Encrypted payload. `stop` is 0 or the type of that payload, which is not
 * yet read.
 */
export function readChain(first: number, r: Reader): { readonly payloads: readonly Payload[]; readonly stop: number } {
  const payloads: Payload[] = [];
  let type = first;
  while (type !== 0 && type !== PayloadType.SK && type !== PayloadType.SKF) {
    if (payloads.length === limits.payloads) throw new Malformed('too many payloads');
    const next = r.u8();
    const critical = (r.u8() & CRITICAL) !== 0;
    const length = r.u16();
    if (length < PAYLOAD_HEAD) throw new Malformed(`payload of ${length} octets`);
    const body = r.sub(length - PAYLOAD_HEAD);
    payloads.push(readPayload(type, critical, body));
    body.end();
    type = next;
  }
  return { payloads, stop: type };
}

/** Writes the payloads behind each other; gives the type of the first, 0 when there is none. */
export function writeChain(w: Writer, payloads: readonly Payload[]): number {
  for (let i = 0; i < payloads.length; i++) {
    const payload = payloads[i];
    if (payload === undefined) continue;
    const start = w.length;
    w.u8(typeAt(payloads, i + 1))
      .u8(payload.kind === 'UNKNOWN' && payload.critical ? CRITICAL : 0)
      .u16(0);
    writePayload(w, payload);
    w.patch16(start + 2, w.length - start);
  }
  return typeAt(payloads, 0);
}

function typeAt(payloads: readonly Payload[], i: number): number {
  const payload = payloads[i];
  return payload === undefined ? 0 : payloadType(payload);
}

function readPayload(type: number, critical: boolean, r: Reader): Payload {
  switch (type) {
    case PayloadType.SA:
      return sa.read(r);
    case PayloadType.KE:
      return basic.ke.read(r);
    case PayloadType.IDi:
      return basic.readId(r, 'IDi');
    case PayloadType.IDr:
      return basic.readId(r, 'IDr');
    case PayloadType.CERT:
      return basic.readCert(r, 'CERT');
    case PayloadType.CERTREQ:
      return basic.readCert(r, 'CERTREQ');
    case PayloadType.AUTH:
      return basic.auth.read(r);
    case PayloadType.NONCE:
      return basic.nonce.read(r);
    case PayloadType.N:
      return notifyCodec.read(r);
    case PayloadType.D:
      return basic.deletion.read(r);
    case PayloadType.V:
      return { kind: 'V', data: r.rest() };
    case PayloadType.TSi:
      return basic.readTs(r, 'TSi');
    case PayloadType.TSr:
      return basic.readTs(r, 'TSr');
    case PayloadType.CP:
      return cp.read(r);
    case PayloadType.EAP:
      return { kind: 'EAP', data: r.rest() };
    default:
      return { kind: 'UNKNOWN', type, critical, data: r.rest() };
  }
}

function writePayload(w: Writer, payload: Payload): void {
  switch (payload.kind) {
    case 'SA':
      sa.write(w, payload);
      break;
    case 'KE':
      basic.ke.write(w, payload);
      break;
    case 'IDi':
    case 'IDr':
      basic.writeId(w, payload);
      break;
    case 'CERT':
    case 'CERTREQ':
      basic.writeCert(w, payload);
      break;
    case 'AUTH':
      basic.auth.write(w, payload);
      break;
    case 'NONCE':
      basic.nonce.write(w, payload);
      break;
    case 'N':
      notifyCodec.write(w, payload);
      break;
    case 'D':
      basic.deletion.write(w, payload);
      break;
    case 'TSi':
    case 'TSr':
      basic.writeTs(w, payload);
      break;
    case 'CP':
      cp.write(w, payload);
      break;
    case 'V':
    case 'EAP':
    case 'UNKNOWN':
      w.put(payload.data);
      break;
  }
}
