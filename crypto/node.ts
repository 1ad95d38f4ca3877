// The backend that is always there: node:crypto, and of it only what works when it is tried.
import { nodeCipher } from './aead.ts';
import type { Cipher, CryptoBackend, Group, Prf } from './backend.ts';
import { nodeGroup } from './dh.ts';
import { nodePrf, nodeSha1 } from './prf.ts';

/** Each algorithm tried once at its first use and remembered. */
export const nodeBackend: CryptoBackend = {
  name: 'node:crypto',
  cipher: (encr, keyLength, integ) =>
    remembered(ciphers, key(encr, keyLength, integ), () => works(nodeCipher(encr, keyLength, integ), tryCipher)),
  prf: (id) => remembered(prfs, id, () => works(nodePrf(id), tryPrf)),
  group: (id) => remembered(groups, id, () => works(nodeGroup(id), tryGroup)),
  sha1: nodeSha1,
};

const ciphers = new Map<number, Cipher | undefined>();
const prfs = new Map<number, Prf | undefined>();
const groups = new Map<number, Group | undefined>();

/** Three transform ids of 16 bits in one number. */
function key(encr: number, keyLength: number, integ: number): number {
  return (encr * 0x10000 + keyLength) * 0x10000 + integ;
}

/** A peer chooses what is looked up, so only what exists is remembered: the tables end where the registry ends. */
function remembered<K, V>(
  table: Map<K, V | undefined>,
  at: K,
  make: () => { spec: boolean; value: V | undefined },
): V | undefined {
  if (table.has(at)) return table.get(at);
  const { spec, value } = make();
  if (spec) table.set(at, value);
  return value;
}

function works<V>(value: V | undefined, attempt: (value: V) => void): { spec: boolean; value: V | undefined } {
  if (value === undefined) return { spec: false, value };
  try {
    attempt(value);
    return { spec: true, value };
  } catch {
    return { spec: true, value: undefined };
  }
}

function tryCipher(one: Cipher): void {
  const plaintext = new Uint8Array(one.blockOctets);
  const message = new Uint8Array(one.ivOctets + plaintext.length + one.icvOctets);
  const keys = [new Uint8Array(one.encrKeyOctets), new Uint8Array(one.integKeyOctets)] as const;
  one.sealer(...keys).seal(message, 0, plaintext, new Uint8Array(one.ivOctets));
  if (!one.opener(...keys).open(message, 0)) throw new Error(`${one.name} does not open what it sealed`);
}

function tryPrf(one: Prf): void {
  const octets = new Uint8Array(one.keyOctets);
  if (one.derive(octets, octets, octets, 1).length !== 1 || one.mac(octets, octets).length !== one.keyOctets)
    throw new Error(one.name);
}

function tryGroup(one: Group): void {
  const pair = one.generate();
  if (!pair.agree(pair.publicValue)) throw new Error(`${one.name} does not agree`);
}
