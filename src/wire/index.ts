/**
 * The door of wire: octets ↔ values, pure. Reading throws Malformed and nothing else; it gives views of the octets it was given.
 */
export { addressOctets, addressText } from './address.ts';
export type {
  AuthPayload,
  CertPayload,
  DeletePayload,
  IdPayload,
  KePayload,
  NoncePayload,
  TrafficSelector,
  TsPayload,
} from './basic.ts';
export {
  type Codec,
  compareOctets,
  concat,
  type Decoded,
  equal,
  hex,
  type IkeSpi,
  ikeSpi,
  Malformed,
  NO_OCTETS,
  NO_SPI,
  Reader,
  spiOctets,
  unhex,
  Writer,
} from './bytes.ts';
export type { CfgValue, CpPayload } from './cp.ts';
export { describeIdentity, describePayloads } from './describe.ts';
export { distinguishedNameText } from './dn.ts';
export { decodeEap, type EapPacket, encodeEap } from './eap.ts';
export { frame, type Sealed } from './encrypted.ts';
export { type ClientClaims, isZtnaTag, parseClientClaims, VENDOR, vendorName } from './fortinet.ts';
export { type Classified, classify, decodeHeader, type Envelope, type Header, isEsp, withMarker } from './header.ts';
export { limits } from './limits.ts';
export { decodeMessage, encodeMessage, type Message } from './message.ts';
export {
  isErrorType,
  type Notify,
  type NotifyData,
  type NotifyName,
  type NotifyTarget,
  notify,
  notifyType,
  notifyTypeName,
} from './notify.ts';
export * from './numbers.ts';
export { decodePayloads, encodePayloads, type Payload, payloadType } from './payload.ts';
export type { Attribute, Proposal, SaPayload, Transform } from './sa.ts';
export { boundedHex, plainText, printable } from './text.ts';
