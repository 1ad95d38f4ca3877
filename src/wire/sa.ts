/**
 * Security Association payload (RFC 7296 §3.3): proposals, transforms, attributes, nested by length.
 *
 *   | Last (0 or 2) |   RESERVED    |         Proposal Length       |
 *   | Proposal Num  |  Protocol ID  |    SPI Size   |Num  Transforms|
 *   ~                        SPI (variable)                         ~
 *   ~                        <Transforms>                           ~
 *
 *   | Last (0 or 3) |   RESERVED    |        Transform Length       |
 *   |Transform Type |   RESERVED    |          Transform ID         |
 *   ~                      Transform Attributes                     ~
 *
 *   |A|       Attribute Type        |    AF=0  Attribute Length     |
 *   |F|                             |    AF=1  Attribute Value      |
 *
 * Unknown types, IDs and attributes are kept: §3.3.6 lets negotiation pass over them. What contradicts itself is Malformed.
 */
import { type Codec, Malformed, type Reader, type Writer } from './bytes.ts';
import { limits } from './limits.ts';
import { Protocol } from './numbers.ts';

export type Proposal = {
  readonly number: number;
  readonly protocol: number;
  /** none or 8 octets for IKE, 4 for AH and ESP, anything for protocols we do not know */
  readonly spi: Uint8Array;
  readonly transforms: readonly Transform[];
};

export type Transform = {
  readonly type: number;
  readonly id: number;
  /** bits; 0 = no Key Length attribute */
  readonly keyLength: number;
  /** other attributes, never empty: a transform that has some must not be chosen (§3.3.6) */
  readonly unknown?: readonly Attribute[];
};

/** `short`: the TV form with a value of two octets; else TLV. */
export type Attribute = { readonly type: number; readonly short: boolean; readonly value: Uint8Array };

export type SaPayload = { readonly kind: 'SA'; readonly proposals: readonly Proposal[] };

const MORE_PROPOSALS = 2;
const MORE_TRANSFORMS = 3;
const SUBSTRUCTURE_HEAD = 8; // octets of a proposal or transform before its variable part
const AF_SHORT = 0x8000;
const KEY_LENGTH = 14;

export const sa: Codec<SaPayload> = {
  read(r) {
    const proposals: Proposal[] = [];
    let more = true;
    while (more) {
      if (proposals.length === limits.proposals) throw new Malformed('too many proposals');
      more = readLast(r, MORE_PROPOSALS);
      proposals.push(readProposal(substructure(r)));
    }
    return { kind: 'SA', proposals };
  },
  write(w, { proposals }) {
    for (let i = 0; i < proposals.length; i++) {
      const proposal = proposals[i];
      if (proposal !== undefined) writeProposal(w, proposal, i + 1 < proposals.length);
    }
  },
};

function readProposal(r: Reader): Proposal {
  const number = r.u8();
  const protocol = r.u8();
  const spiSize = r.u8();
  const count = r.u8();
  if (!spiFits(protocol, spiSize)) throw new Malformed(`SPI of ${spiSize} octets for protocol ${protocol}`);
  const spi = r.take(spiSize);
  if (count > limits.transforms) throw new Malformed('too many transforms');
  const transforms: Transform[] = [];
  for (let left = count; left > 0; left--) {
    const more = readLast(r, MORE_TRANSFORMS);
    if (more !== left > 1) throw new Malformed('number of transforms contradicts the last-transform mark');
    transforms.push(readTransform(substructure(r)));
  }
  r.end();
  return { number, protocol, spi, transforms };
}

function writeProposal(w: Writer, proposal: Proposal, more: boolean): void {
  const start = w.length;
  const { transforms } = proposal;
  w.u8(more ? MORE_PROPOSALS : 0).zero(3);
  w.u8(proposal.number).u8(proposal.protocol).u8(proposal.spi.length).u8(transforms.length).put(proposal.spi);
  for (let i = 0; i < transforms.length; i++) {
    const transform = transforms[i];
    if (transform !== undefined) writeTransform(w, transform, i + 1 < transforms.length);
  }
  w.patch16(start + 2, w.length - start);
}

/** §3.3.1: the SPI of an initial IKE SA is in the header; in a rekey it is here */
function spiFits(protocol: number, size: number): boolean {
  if (protocol === Protocol.IKE) return size === 0 || size === 8;
  return protocol === Protocol.AH || protocol === Protocol.ESP ? size === 4 : true;
}

function readTransform(r: Reader): Transform {
  const type = r.u8();
  r.skip(1);
  const id = r.u16();
  let keyLength = 0;
  let unknown: Attribute[] | undefined;
  while (r.left > 0) {
    const attribute = readAttribute(r);
    if (typeof attribute === 'number' && keyLength === 0 && attribute > 0) {
      keyLength = attribute;
      continue;
    }
    // a second Key Length, or one of 0 bits, is as little understood as a foreign attribute
    unknown ??= [];
    if (unknown.length === limits.transformAttributes) throw new Malformed('too many transform attributes');
    unknown.push(typeof attribute === 'number' ? keyLengthAttribute(attribute) : attribute);
  }
  return unknown === undefined ? { type, id, keyLength } : { type, id, keyLength, unknown };
}

function writeTransform(w: Writer, transform: Transform, more: boolean): void {
  const start = w.length;
  w.u8(more ? MORE_TRANSFORMS : 0).zero(3);
  w.u8(transform.type).zero(1).u16(transform.id);
  if (transform.keyLength !== 0) w.u16(AF_SHORT | KEY_LENGTH).u16(transform.keyLength);
  if (transform.unknown !== undefined) for (const attribute of transform.unknown) writeAttribute(w, attribute);
  w.patch16(start + 2, w.length - start);
}

/** a number is the value of Key Length in its only legal form, TV (§3.3.5) */
function readAttribute(r: Reader): number | Attribute {
  const head = r.u16();
  const type = head & ~AF_SHORT;
  if ((head & AF_SHORT) === 0) return { type, short: false, value: r.take(r.u16()) };
  return type === KEY_LENGTH ? r.u16() : { type, short: true, value: r.take(2) };
}

function writeAttribute(w: Writer, { type, short, value }: Attribute): void {
  if (short && value.length !== 2) throw new RangeError('the value of a TV attribute has 2 octets');
  w.u16(short ? AF_SHORT | type : type);
  if (!short) w.u16(value.length);
  w.put(value);
}

function keyLengthAttribute(bits: number): Attribute {
  return { type: KEY_LENGTH, short: true, value: Uint8Array.of(bits >>> 8, bits & 0xff) };
}

/** the mark "more of these follow" and its reserved octet */
function readLast(r: Reader, moreMark: number): boolean {
  const mark = r.u8();
  if (mark !== 0 && mark !== moreMark) throw new Malformed(`last-substructure mark ${mark}`);
  r.skip(1);
  return mark !== 0;
}

function substructure(r: Reader): Reader {
  const length = r.u16();
  if (length < SUBSTRUCTURE_HEAD) throw new Malformed(`substructure of ${length} octets`);
  return r.sub(length - 4);
}
