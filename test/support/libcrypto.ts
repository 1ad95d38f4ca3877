/** The backend on libcrypto, which tests want: where it does not load, they fail and say why. */
import { nativeEsp } from '../../crypto/espNative.ts';
import { openLibcrypto } from '../../crypto/libcrypto.ts';
import { nativeBackend } from '../../crypto/native.ts';
import { nodeBackend } from '../../crypto/node.ts';

const lib = await openLibcrypto();
if (typeof lib === 'string') throw new Error(`libcrypto: ${lib}`);

export const libcrypto = lib;
export const libcryptoBackend = nativeBackend(lib, nodeBackend);
export const libcryptoEsp = nativeEsp(lib);
