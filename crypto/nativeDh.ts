// X25519 (RFC 8031) on the functions of libcrypto.ts.
import type { Group, KeyPair } from './backend.ts';
import { type Libcrypto, made, refused } from './libcrypto.ts';
import { endOfParameters, OCTETS, parameter, put, slot } from './nativeContext.ts';
import { randomOctets } from './random.ts';
import { checkPrivate } from './suite.ts';

/** X25519 by its transform id. */
const CURVE25519 = 31;

/** Those that this backend does by itself; the others gain less than a tenth. */
export const nativeGroups: readonly number[] = [CURVE25519];

/** The group with its work done here; undefined when it is not one of ours. */
export function nativeGroup(lib: Libcrypto, group: Group): Group | undefined {
  return group.id === CURVE25519 ? { ...group, ...montgomery(lib, group) } : undefined;
}

/**
 * X25519: a pair is its octets, so it leaves nothing behind that would have to be freed; OpenSSL's key lives for one call. It is
 * made of both halves, since from the private one alone OpenSSL would compute the public one again.
 */
function montgomery(lib: Libcrypto, { publicOctets: size }: Group): Pick<Group, 'generate' | 'fromPrivate'> {
  const { octets, view, address } = lib.memory;
  const { call } = lib;
  const maker = made(lib, 'X25519', call.EVP_PKEY_CTX_new_from_name(0, 'X25519', 0));
  if (call.EVP_PKEY_fromdata_init(maker) !== 1) throw refused(lib, 'X25519');
  const names = utf8.encode('pub\0priv\0');
  const [publicAt, privateAt] = [slot.key, slot.key + size];
  const wipe = () => octets.fill(0, slot.key, slot.key + 3 * size);

  /** OpenSSL's key of both halves; freed by the caller. */
  const keyOf = (publicValue: Uint8Array, secret: Uint8Array): number => {
    octets.set(names, slot.names);
    put(lib, publicValue, publicAt);
    put(lib, secret, privateAt);
    parameter(lib, 0, slot.names, OCTETS, publicAt, size);
    parameter(lib, 1, slot.names + 'pub\0'.length, OCTETS, privateAt, size);
    endOfParameters(lib, 2);
    view.setBigUint64(slot.object, 0n, true);
    if (call.EVP_PKEY_fromdata(maker, address + slot.object, KEY_PAIR, address + slot.params) !== 1)
      throw refused(lib, 'a key pair');
    return made(lib, 'a key pair', Number(view.getBigUint64(slot.object, true)));
  };
  const derive = (own: number, peer: Uint8Array): Uint8Array | undefined => {
    const theirs = call.EVP_PKEY_new_raw_public_key_ex(0, 'X25519', 0, put(lib, peer, publicAt), size);
    const context = theirs === 0 ? 0 : call.EVP_PKEY_CTX_new(own, 0);
    view.setBigUint64(slot.length, BigInt(size), true);
    const secret = address + privateAt + size;
    // An all-zero result, which is what a point of small order gives, is refused by OpenSSL (RFC 7748 §6, RFC 8031 §2.3).
    const good =
      context !== 0 &&
      call.EVP_PKEY_derive_init(context) === 1 &&
      call.EVP_PKEY_derive_set_peer(context, theirs) === 1 &&
      call.EVP_PKEY_derive(context, secret, address + slot.length) === 1;
    if (!good) call.ERR_clear_error();
    call.EVP_PKEY_CTX_free(context);
    call.EVP_PKEY_free(theirs);
    return good ? octets.slice(privateAt + size, privateAt + 2 * size) : undefined;
  };
  const pair = (secret: Uint8Array): KeyPair => {
    const own = made(lib, 'a key', call.EVP_PKEY_new_raw_private_key_ex(0, 'X25519', 0, put(lib, secret, privateAt), size));
    view.setBigUint64(slot.length, BigInt(size), true);
    const good = call.EVP_PKEY_get_raw_public_key(own, address + publicAt, address + slot.length) === 1;
    call.EVP_PKEY_free(own);
    if (!good) throw refused(lib, 'a key');
    const publicValue = octets.slice(publicAt, publicAt + size);
    wipe();
    return {
      publicValue,
      agree(peer) {
        if (peer.length !== size) return undefined;
        let both = 0;
        try {
          both = keyOf(publicValue, secret);
          return derive(both, peer);
        } finally {
          call.EVP_PKEY_free(both); // nothing happens to null
          wipe();
        }
      },
    };
  };
  return {
    generate: () => pair(randomOctets(size)),
    fromPrivate(secret) {
      checkPrivate({ name: 'CURVE25519', privateOctets: size }, secret);
      return pair(secret.slice());
    },
  };
}

/** EVP_PKEY_KEYPAIR: the parameters, the public and the private half. */
const KEY_PAIR = 0x87;
const utf8 = new TextEncoder();
