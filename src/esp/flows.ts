/**
 * The bounded memory of the firewall: which flows (or fragmented packets) were accepted, for as long as they are not idle. Typed
 * arrays made once: hash chains for finding, one list in order of use, whose oldest gives way to a new flow. Nothing is allocated
 * per packet.
 */

/** A flow as seen from its client. `owner` is a number that is never given twice. */
export type FlowKey = {
  owner: number;
  kind: number;
  ports: number;
  a0: number;
  a1: number;
  a2: number;
  a3: number;
  b0: number;
  b1: number;
  b2: number;
  b3: number;
};

const WORDS = 11;
const NONE = -1;

export class Flows {
  readonly max: number;
  readonly #keys: Uint32Array;
  readonly #ends: Float64Array;
  readonly #heads: Int32Array;
  readonly #chain: Int32Array;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  readonly #mask: number;
  #oldest = NONE;
  #newest = NONE;
  #free = NONE;
  #count = 0;
  #used = 0;

  constructor(max: number) {
    let buckets = 16;
    while (buckets < max) buckets *= 2;
    this.max = max;
    this.#mask = buckets - 1;
    this.#keys = new Uint32Array(max * WORDS);
    this.#ends = new Float64Array(max);
    this.#heads = new Int32Array(buckets).fill(NONE);
    this.#chain = new Int32Array(max);
    this.#older = new Int32Array(max);
    this.#newer = new Int32Array(max);
  }

  get count(): number {
    return this.#count;
  }

  /** Is it known and not idle for too long? It is in use then: its end moves to `now + idle`. */
  touch(key: FlowKey, now: number, idle: number): boolean {
    const i = this.#find(key, hash(key));
    if (i === NONE) return false;
    if ((this.#ends[i] ?? 0) <= now) {
      this.#drop(i);
      return false;
    }
    this.#ends[i] = now + idle;
    if (i !== this.#newest) {
      this.#unlink(i);
      this.#append(i);
    }
    return true;
  }

  /** Remembers a flow; the one that was used longest ago makes room. */
  add(key: FlowKey, now: number, idle: number): void {
    if (this.touch(key, now, idle)) return;
    if (this.#count === this.max) this.#drop(this.#oldest);
    const i = this.#free === NONE ? this.#used++ : this.#free;
    if (i === this.#free) this.#free = this.#chain[i] ?? NONE;
    this.#write(i, key);
    const bucket = hash(key) & this.#mask;
    this.#chain[i] = this.#heads[bucket] ?? NONE;
    this.#heads[bucket] = i;
    this.#ends[i] = now + idle;
    this.#append(i);
    this.#count += 1;
  }

  clear(): void {
    while (this.#oldest !== NONE) this.#drop(this.#oldest);
  }

  #find(key: FlowKey, h: number): number {
    let i = this.#heads[h & this.#mask] ?? NONE;
    while (i !== NONE && !this.#same(i, key)) i = this.#chain[i] ?? NONE;
    return i;
  }

  #same(i: number, k: FlowKey): boolean {
    const keys = this.#keys;
    const at = i * WORDS;
    return (
      keys[at] === k.owner &&
      keys[at + 1] === k.kind &&
      keys[at + 2] === k.ports &&
      keys[at + 3] === k.a0 &&
      keys[at + 4] === k.a1 &&
      keys[at + 5] === k.a2 &&
      keys[at + 6] === k.a3 &&
      keys[at + 7] === k.b0 &&
      keys[at + 8] === k.b1 &&
      keys[at + 9] === k.b2 &&
      keys[at + 10] === k.b3
    );
  }

  #write(i: number, k: FlowKey): void {
    const keys = this.#keys;
    const at = i * WORDS;
    keys[at] = k.owner;
    keys[at + 1] = k.kind;
    keys[at + 2] = k.ports;
    keys[at + 3] = k.a0;
    keys[at + 4] = k.a1;
    keys[at + 5] = k.a2;
    keys[at + 6] = k.a3;
    keys[at + 7] = k.b0;
    keys[at + 8] = k.b1;
    keys[at + 9] = k.b2;
    keys[at + 10] = k.b3;
  }

  #drop(i: number): void {
    this.#unlink(i);
    let h = SEED;
    for (let w = 0; w < WORDS; w += 1) h = mix(h, this.#keys[i * WORDS + w] ?? 0);
    const bucket = finish(h) & this.#mask;
    let p = this.#heads[bucket] ?? NONE;
    if (p === i) this.#heads[bucket] = this.#chain[i] ?? NONE;
    else {
      while (p !== NONE && this.#chain[p] !== i) p = this.#chain[p] ?? NONE;
      if (p !== NONE) this.#chain[p] = this.#chain[i] ?? NONE;
    }
    this.#chain[i] = this.#free;
    this.#free = i;
    this.#count -= 1;
  }

  #unlink(i: number): void {
    const [older, newer] = [this.#older[i] ?? NONE, this.#newer[i] ?? NONE];
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }

  #append(i: number): void {
    this.#older[i] = this.#newest;
    this.#newer[i] = NONE;
    if (this.#newest === NONE) this.#oldest = i;
    else this.#newer[this.#newest] = i;
    this.#newest = i;
  }
}

const SEED = 0x9e3779b9 | 0;
const mix = (h: number, word: number): number => {
  const x = Math.imul(h ^ word, 0x85ebca6b);
  return x ^ (x >>> 15);
};
const finish = (h: number): number => {
  const x = Math.imul(h, 0xc2b2ae35);
  return x ^ (x >>> 16); // signed: such a number needs no box, and a mask takes it as well
};

function hash(k: FlowKey): number {
  let h = mix(mix(mix(SEED, k.owner), k.kind), k.ports);
  h = mix(mix(mix(mix(h, k.a0), k.a1), k.a2), k.a3);
  return finish(mix(mix(mix(mix(h, k.b0), k.b1), k.b2), k.b3));
}
