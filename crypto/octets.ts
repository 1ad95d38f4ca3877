// Octets and big integers: what the algorithm files share. Big-endian throughout.

/** The octets of a Buffer without its type: `slice` copies, equality by class holds, no toString('utf8'). Shares the memory. */
export function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** One array of all parts; the part itself when there is only one. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The octets with zeros in front up to `length`; never longer than that already. */
export function leftPad(octets: Uint8Array, length: number): Uint8Array {
  if (octets.length === length) return plain(octets);
  const padded = new Uint8Array(length);
  padded.set(octets, length - octets.length);
  return padded;
}

/** An unsigned integer of any length; none at all is zero. */
export function toBigInt(octets: Uint8Array): bigint {
  return octets.length === 0 ? 0n : BigInt(`0x${Buffer.from(octets).toString('hex')}`);
}

/** `value` in exactly `octets` octets. Throws RangeError when it does not fit. */
export function fromBigInt(value: bigint, octets: number): Uint8Array {
  const digits = value.toString(16).padStart(2 * octets, '0');
  if (value < 0n || digits.length > 2 * octets) throw new RangeError(`no unsigned integer of ${octets} octets`);
  return plain(Buffer.from(digits, 'hex'));
}
