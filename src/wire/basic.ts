/**
 * The short payloads (RFC 7296 §3.4 to §3.9, §3.11 to §3.13): KE, ID, CERT, CERTREQ, AUTH, Nonce, D, V, TS. The pictures
 * leave the generic payload header out.
 */
import { type Codec, Malformed, type Reader, type Writer } from './bytes.ts';
import { limits } from './limits.ts';
import { Protocol, TsType } from './numbers.ts';

export type KePayload = { readonly kind: 'KE'; readonly group: number; readonly data: Uint8Array };
export type IdPayload<K extends 'IDi' | 'IDr'> = { readonly kind: K; readonly idType: number; readonly data: Uint8Array };
export type CertPayload<K extends 'CERT' | 'CERTREQ'> = {
  readonly kind: K;
  readonly encoding: number;
  readonly data: Uint8Array;
};
export type AuthPayload = { readonly kind: 'AUTH'; readonly method: number; readonly data: Uint8Array };
export type NoncePayload = { readonly kind: 'NONCE'; readonly data: Uint8Array };
export type DeletePayload = {
  readonly kind: 'D';
  readonly protocol: number;
  readonly spiSize: number;
  readonly spis: readonly Uint8Array[];
};
export type TsPayload<K extends 'TSi' | 'TSr'> = { readonly kind: K; readonly selectors: readonly TrafficSelector[] };

/**
 * Ports are as on the wire: ANY is 0-65535, OPAQUE is 65535-0. A start behind its end is therefore legal for ports; for
 * addresses it is an empty range, which decodes too: negotiation refuses it with TS_UNACCEPTABLE, a better answer than
 * INVALID_SYNTAX.
 */
export type TrafficSelector =
  | {
      readonly type: 7 | 8;
      /** IP protocol, 0 = any */
      readonly protocol: number;
      readonly startPort: number;
      readonly endPort: number;
      readonly start: Uint8Array;
      readonly end: Uint8Array;
    }
  | { readonly type: 'other'; readonly number: number; readonly protocol: number; readonly data: Uint8Array };

const LEAST_NONCE = 16;
const MOST_NONCE = 256;
const SELECTOR_HEAD = 4;

/**
 *   |   Diffie-Hellman Group Num    |           RESERVED            |
 *   ~                       Key Exchange Data                       ~
 */
export const ke: Codec<KePayload> = {
  read(r) {
    const group = r.u16();
    r.skip(2);
    return { kind: 'KE', group, data: r.rest() };
  },
  write(w, { group, data }) {
    w.u16(group).zero(2).put(data);
  },
};

/** §3.9: 16 to 256 octets */
export const nonce: Codec<NoncePayload> = {
  read(r) {
    if (r.left < LEAST_NONCE || r.left > MOST_NONCE) throw new Malformed(`nonce of ${r.left} octets`);
    return { kind: 'NONCE', data: r.rest() };
  },
  write(w, { data }) {
    w.put(data);
  },
};

/**
 * ID, CERT, CERTREQ and AUTH begin with one octet that says what the rest is; ID and AUTH have three reserved ones behind it.
 *   |   ID Type     |                 RESERVED                      |
 *   ~                   Identification Data                         ~
 */
export function readId<K extends 'IDi' | 'IDr'>(r: Reader, kind: K): IdPayload<K> {
  const idType = r.u8();
  r.skip(3);
  return { kind, idType, data: r.rest() };
}

export function writeId(w: Writer, { idType, data }: IdPayload<'IDi' | 'IDr'>): void {
  w.u8(idType).zero(3).put(data);
}

/**
 *   | Cert Encoding |                                               |
 *   ~        Certificate Data, or Certification Authority           ~
 */
export function readCert<K extends 'CERT' | 'CERTREQ'>(r: Reader, kind: K): CertPayload<K> {
  return { kind, encoding: r.u8(), data: r.rest() };
}

export function writeCert(w: Writer, { encoding, data }: CertPayload<'CERT' | 'CERTREQ'>): void {
  w.u8(encoding).put(data);
}

/**
 *   | Auth Method   |                RESERVED                       |
 *   ~                      Authentication Data                      ~
 */
export const auth: Codec<AuthPayload> = {
  read(r) {
    const method = r.u8();
    r.skip(3);
    return { kind: 'AUTH', method, data: r.rest() };
  },
  write(w, { method, data }) {
    w.u8(method).zero(3).put(data);
  },
};

/**
 *   | Protocol ID   |   SPI Size    |          Num of SPIs          |
 *   ~               Security Parameter Index(es) (SPI)              ~
 *
 * SPIs of AH and ESP have 4 octets. A deleted IKE SA has none (SPI Size 0), and then a number of SPIs says nothing and is
 * ignored.
 */
export const deletion: Codec<DeletePayload> = {
  read(r) {
    const protocol = r.u8();
    const spiSize = r.u8();
    const count = r.u16();
    const spis: Uint8Array[] = [];
    if ((protocol === Protocol.AH || protocol === Protocol.ESP) && spiSize !== 4)
      throw new Malformed(`SPIs of ${spiSize} octets`);
    if (spiSize === 0) return { kind: 'D', protocol, spiSize, spis };
    if (count > limits.spis) throw new Malformed('too many SPIs');
    for (let left = count; left > 0; left--) spis.push(r.take(spiSize));
    return { kind: 'D', protocol, spiSize, spis };
  },
  write(w, { protocol, spiSize, spis }) {
    w.u8(protocol).u8(spiSize).u16(spis.length);
    for (const spi of spis) {
      if (spi.length !== spiSize) throw new RangeError(`an SPI of ${spi.length} octets among those of ${spiSize}`);
      w.put(spi);
    }
  },
};

/**
 *   | Number of TSs |                 RESERVED                      |
 *   ~                       <Traffic Selectors>                     ~
 */
export function readTs<K extends 'TSi' | 'TSr'>(r: Reader, kind: K): TsPayload<K> {
  const count = r.u8();
  r.skip(3);
  if (count === 0) throw new Malformed('no traffic selector'); // §3.13: one or more
  const selectors: TrafficSelector[] = [];
  for (let left = count; left > 0; left--) selectors.push(readSelector(r));
  return { kind, selectors };
}

export function writeTs(w: Writer, { selectors }: TsPayload<'TSi' | 'TSr'>): void {
  w.u8(selectors.length).zero(3);
  for (const selector of selectors) writeSelector(w, selector);
}

/**
 *   |   TS Type     |IP Protocol ID |       Selector Length         |
 *   |           Start Port          |           End Port            |
 *   ~           Starting Address, Ending Address (4 or 16 each)     ~
 */
function readSelector(r: Reader): TrafficSelector {
  const type = r.u8();
  const protocol = r.u8();
  const length = r.u16();
  if (length < SELECTOR_HEAD) throw new Malformed(`selector of ${length} octets`);
  const body = r.sub(length - SELECTOR_HEAD);
  if (type !== TsType.IPV4_ADDR_RANGE && type !== TsType.IPV6_ADDR_RANGE) {
    return { type: 'other', number: type, protocol, data: body.rest() };
  }
  const startPort = body.u16();
  const endPort = body.u16();
  const size = type === TsType.IPV4_ADDR_RANGE ? 4 : 16;
  const start = body.take(size);
  const end = body.take(size);
  body.end();
  return { type, protocol, startPort, endPort, start, end };
}

function writeSelector(w: Writer, ts: TrafficSelector): void {
  if (ts.type === 'other') {
    w.u8(ts.number)
      .u8(ts.protocol)
      .u16(SELECTOR_HEAD + ts.data.length)
      .put(ts.data);
    return;
  }
  const size = ts.type === TsType.IPV4_ADDR_RANGE ? 4 : 16;
  if (ts.start.length !== size || ts.end.length !== size)
    throw new RangeError(`selector type ${ts.type} has addresses of ${size} octets`);
  w.u8(ts.type)
    .u8(ts.protocol)
    .u16(SELECTOR_HEAD + 4 + 2 * size);
  w.u16(ts.startPort).u16(ts.endPort).put(ts.start).put(ts.end);
}
