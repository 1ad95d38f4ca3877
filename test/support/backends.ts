/** Every implementation of the algorithms that this machine can run: each must give what the others give. */
import { type CryptoBackend, directBackend, nodeBackend } from '../../crypto/index.ts';
import { nobleBackend } from '../../crypto/noble.ts';

const direct = directBackend();
/** Why libcrypto cannot be called here; undefined when it can. */
export const lacksLibcrypto = 'why' in direct ? direct.why : undefined;
/** Those that serve peers. */
export const serving: readonly CryptoBackend[] = [nodeBackend, ...('why' in direct ? [] : [direct])];
export const backends: readonly CryptoBackend[] = [...serving, nobleBackend];
