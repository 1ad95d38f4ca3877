/**
 * EAP packets (RFC 3748 §4), as they stand in the EAP payload (RFC 7296 §3.16).
 *
 *   |     Code      |  Identifier   |            Length             |
 *   |     Type      |  Type-Data, of requests and responses only    ~
 */
import { Malformed, Reader, Writer } from './bytes.ts';
import { EapCode } from './numbers.ts';

export type EapPacket =
  | { readonly code: 1 | 2; readonly id: number; readonly type: number; readonly data: Uint8Array }
  | { readonly code: 3 | 4; readonly id: number };

const EAP_HEAD = 4;

/**
 * Octets behind the packet's own length are padding (RFC 3748 §4.1) and ignored, and so is what stands in a Success or
 * Failure: FortiOS puts an octet into a Success to announce another method. Malformed for an unknown code, a length that does
 * not hold, a request without type.
 */
export function decodeEap(octets: Uint8Array): EapPacket {
  const r = new Reader(octets);
  const code = r.u8();
  const id = r.u8();
  const length = r.u16();
  if (length < EAP_HEAD) throw new Malformed(`EAP packet of ${length} octets`);
  const body = r.sub(length - EAP_HEAD);
  switch (code) {
    case EapCode.REQUEST:
    case EapCode.RESPONSE:
      return { code, id, type: body.u8(), data: body.rest() };
    case EapCode.SUCCESS:
    case EapCode.FAILURE:
      return { code, id };
    default:
      throw new Malformed(`EAP code ${code}`);
  }
}

export function encodeEap(packet: EapPacket): Uint8Array {
  const w = new Writer();
  w.u8(packet.code).u8(packet.id).u16(0);
  if (packet.code === EapCode.REQUEST || packet.code === EapCode.RESPONSE) w.u8(packet.type).put(packet.data);
  return w.patch16(2, w.length).finish();
}
