/**
 * Keys of an IKE SA and of its children (RFC 7296 §2.14, §2.17, §2.18).
 *
 *   SKEYSEED = prf(Ni | Nr, g^ir)
 *   {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+ (SKEYSEED, Ni | Nr | SPIi | SPIr)
 *   KEYMAT = prf+(SK_d, [ g^ir | ] Ni | Nr)
 */
import { espSizes } from '../../crypto/index.ts';
import { concat, type IkeSpi, spiOctets } from '../wire/index.ts';
import type { Suite } from './sa.ts';
import type { Slab } from './slab.ts';

const NONE = new Uint8Array(0);

/** The seven keys of an IKE SA, views into one wiped-on-release slot. */
export class KeyRing {
  #slot: Uint8Array;
  readonly #suite: Suite;

  constructor(slot: Uint8Array, suite: Suite) {
    this.#slot = slot;
    this.#suite = suite;
  }

  get SK_d(): Uint8Array {
    return this.#slot.subarray(0, this.#suite.prf.keyOctets);
  }
  get SK_ai(): Uint8Array {
    return this.#integ(0);
  }
  get SK_ar(): Uint8Array {
    return this.#integ(1);
  }
  get SK_ei(): Uint8Array {
    return this.#encr(0);
  }
  get SK_er(): Uint8Array {
    return this.#encr(1);
  }
  get SK_pi(): Uint8Array {
    return this.#auth(0);
  }
  get SK_pr(): Uint8Array {
    return this.#auth(1);
  }

  /** Wipes the keys and gives the slot back, once; a getter used after gives no octets. */
  release(slab: Slab): void {
    if (this.#slot.length === 0) return; // once: a second release would give one slot to two SAs
    slab.give(this.#slot);
    this.#slot = NONE;
  }

  toJSON(): string {
    return '[keys]';
  }

  #integ(n: 0 | 1): Uint8Array {
    const { prf, cipher } = this.#suite;
    const at = prf.keyOctets + n * cipher.integKeyOctets;
    return this.#slot.subarray(at, at + cipher.integKeyOctets);
  }
  #encr(n: 0 | 1): Uint8Array {
    const { prf, cipher } = this.#suite;
    const at = prf.keyOctets + 2 * cipher.integKeyOctets + n * cipher.encrKeyOctets;
    return this.#slot.subarray(at, at + cipher.encrKeyOctets);
  }
  #auth(n: 0 | 1): Uint8Array {
    const { prf, cipher } = this.#suite;
    const at = prf.keyOctets + 2 * (cipher.integKeyOctets + cipher.encrKeyOctets) + n * prf.keyOctets;
    return this.#slot.subarray(at, at + prf.keyOctets);
  }
}

/** How many octets the seven keys of a suite take together. */
const total = ({ prf, cipher }: Suite): number => 3 * prf.keyOctets + 2 * (cipher.integKeyOctets + cipher.encrKeyOctets);

export type Ends = { readonly SPIi: IkeSpi; readonly SPIr: IkeSpi; readonly Ni: Uint8Array; readonly Nr: Uint8Array };

/** Keys of a first IKE SA (§2.14) from the shared secret `g^ir`, which is wiped. */
export function initialKeys(suite: Suite, shared: Uint8Array, { SPIi, SPIr, Ni, Nr }: Ends, slab: Slab): KeyRing {
  const nonces = concat(Ni, Nr);
  const okm = suite.prf.derive(nonces, shared, concat(nonces, spiOctets(SPIi), spiOctets(SPIr)), total(suite));
  return ring(suite, okm, shared, slab);
}

/**
 * Keys of a rekeyed IKE SA (§2.18): SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr) with the old SA's PRF, prf+ with the
 * new one's.
 */
export function rekeyedKeys(
  old: { suite: Suite; keys: KeyRing },
  suite: Suite,
  shared: Uint8Array,
  ends: Ends,
  slab: Slab,
): KeyRing {
  const nonces = concat(ends.Ni, ends.Nr);
  const SKEYSEED = old.suite.prf.mac(old.keys.SK_d, shared, nonces);
  const okm = suite.prf.plus(SKEYSEED, concat(nonces, spiOctets(ends.SPIi), spiOctets(ends.SPIr)), total(suite));
  SKEYSEED.fill(0);
  return ring(suite, okm, shared, slab);
}

function ring(suite: Suite, okm: Uint8Array, shared: Uint8Array, slab: Slab): KeyRing {
  const slot = slab.take();
  slot.set(okm);
  okm.fill(0);
  shared.fill(0);
  return new KeyRing(slot, suite);
}

export type ChildKeyMaterial = {
  readonly encrI: Uint8Array;
  readonly integI: Uint8Array;
  readonly encrR: Uint8Array;
  readonly integR: Uint8Array;
};

/**
 * KEYMAT of a child SA (§2.17): initiator's keys first, encryption before integrity in each direction.
 *
 * @param shared g^ir of a CREATE_CHILD_SA with KE, wiped here; undefined without
 */
export function childKeys(
  { suite, keys }: { readonly suite: Suite; readonly keys: KeyRing },
  esp: { readonly encr: number; readonly keyLength: number; readonly integ: number },
  nonces: { readonly Ni: Uint8Array; readonly Nr: Uint8Array },
  shared: Uint8Array | undefined,
): ChildKeyMaterial {
  const sizes = espSizes(esp.encr, esp.keyLength, esp.integ);
  // A fault of ours if it happens: what negotiate chooses has sizes.
  if (sizes === undefined) throw new RangeError(`no key sizes for ESP transform ${esp.encr}/${esp.integ}`);
  const seed = shared === undefined ? concat(nonces.Ni, nonces.Nr) : concat(shared, nonces.Ni, nonces.Nr);
  const { encrKeyOctets: encr, integKeyOctets: integ } = sizes;
  const okm = suite.prf.plus(keys.SK_d, seed, 2 * (encr + integ));
  shared?.fill(0);
  return {
    encrI: okm.subarray(0, encr),
    integI: okm.subarray(encr, encr + integ),
    encrR: okm.subarray(encr + integ, 2 * encr + integ),
    integR: okm.subarray(2 * encr + integ),
  };
}
