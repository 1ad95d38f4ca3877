/** Numbers in network order, for packets; reading beyond the end gives zeros. Nothing here makes an object. */

export const get16 = (b: Uint8Array, at: number): number => ((b[at] as number) << 8) | (b[at + 1] as number);
export const get32 = (b: Uint8Array, at: number): number => ((get16(b, at) << 16) | get16(b, at + 2)) >>> 0;

export function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}

export function put32(b: Uint8Array, at: number, value: number): void {
  put16(b, at, value >>> 16);
  put16(b, at + 2, value);
}

/** Are so many octets of both the same? */
export function same(a: Uint8Array, at: number, b: Uint8Array, bt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[bt + i]) return false;
  return true;
}

/** The same by words of four: for whole ones, and several times as fast. */
export function sameWords(a: DataView, at: number, b: DataView, bt: number, length: number): boolean {
  for (let i = 0; i < length; i += 4) if (a.getInt32(at + i) !== b.getInt32(bt + i)) return false;
  return true;
}

/** A view of octets that are looked at by words. */
export const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView => new DataView(buffer, byteOffset, byteLength);
