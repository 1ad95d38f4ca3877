/**
 * Configuration payload (RFC 7296 §3.15). Values are octets here: what an attribute means is for those who answer it.
 *
 *   |   CFG Type    |                    RESERVED                   |
 *   ~                   Configuration Attributes                    ~
 *
 *   |R|         Attribute Type      |            Length             |
 *   ~                             Value                             ~
 */
import { type Codec, Malformed } from './bytes.ts';
import { limits } from './limits.ts';
import { CfgType } from './numbers.ts';

export type CfgValue = { readonly type: number; readonly value: Uint8Array };
export type CpPayload = { readonly kind: 'CP'; readonly cfgType: number; readonly attributes: readonly CfgValue[] };

const TYPE_MASK = 0x7fff; // R is reserved: ignored when read

export const cp: Codec<CpPayload> = {
  read(r) {
    const cfgType = r.u8();
    r.skip(3);
    const most = cfgType === CfgType.CFG_REPLY ? limits.replyAttributes : limits.attributes;
    const attributes: CfgValue[] = [];
    while (r.left > 0) {
      if (attributes.length === most) throw new Malformed('too many configuration attributes');
      const type = r.u16() & TYPE_MASK;
      attributes.push({ type, value: r.take(r.u16()) });
    }
    return { kind: 'CP', cfgType, attributes };
  },
  write(w, { cfgType, attributes }) {
    w.u8(cfgType).zero(3);
    for (const { type, value } of attributes) {
      if (type > TYPE_MASK) throw new RangeError(`configuration attribute ${type}`);
      w.u16(type).u16(value.length).put(value);
    }
  },
};
