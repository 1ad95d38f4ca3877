// The MODP primes, computed from their definition: RFC 3526 and RFC 2409 §6 give p = 2^n - 2^(n-64) - 1 + 2^64 * (⌊2^(n-130)
// π⌋ + c). Nothing is copied, so OpenSSL's tables can be held against these, and a typing mistake cannot hide in 300 lines of
// hexadecimal.

/** n and c of each group. */
const definitions: Readonly<Record<number, { readonly bits: number; readonly c: bigint }>> = {
  1: { bits: 768, c: 149686n },
  2: { bits: 1024, c: 129093n },
  5: { bits: 1536, c: 741804n },
  14: { bits: 2048, c: 124476n },
  15: { bits: 3072, c: 1690314n },
  16: { bits: 4096, c: 240904n },
  17: { bits: 6144, c: 929484n },
  18: { bits: 8192, c: 4743158n },
};

/**
 * The prime of MODP group 1, 2, 5 or 14 to 18; undefined for other groups. Computed anew at each call, in up to a
 * millisecond.
 */
export function modpPrime(group: number): bigint | undefined {
  const definition = definitions[group];
  if (!definition) return undefined;
  const n = BigInt(definition.bits);
  return (1n << n) - (1n << (n - 64n)) - 1n + ((pi(n - 130n) + definition.c) << 64n);
}

/** ⌊2^bits π⌋ by Machin's formula, π = 16 arctan(1/5) - 4 arctan(1/239), with 64 bits to spare for the rounding of its terms. */
function pi(bits: bigint): bigint {
  const one = 1n << (bits + 64n);
  return (16n * arctanOfInverse(5n, one) - 4n * arctanOfInverse(239n, one)) >> 64n;
}

function arctanOfInverse(x: bigint, one: bigint): bigint {
  let sum = 0n;
  let power = one / x;
  for (let k = 1n, sign = 1n; power > 0n; k += 2n, sign = -sign) {
    sum += (sign * power) / k;
    power /= x * x;
  }
  return sum;
}
