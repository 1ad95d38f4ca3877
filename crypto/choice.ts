// Which backend serves, chosen once at start. node:crypto does until somebody asks for better, and when there is none.
import type { CryptoBackend } from './backend.ts';
import { BAD, ESP_HEADER, type EspBackend, espSizes } from './esp.ts';
import { nativeEsp } from './espNative.ts';
import { nodeEsp } from './espNode.ts';
import { knownAnswers } from './knownAnswers.ts';
import { openLibcrypto } from './libcrypto.ts';
import { nativeBackend } from './native.ts';
import { nativeGroups } from './nativeDh.ts';
import { nodeBackend } from './node.ts';
import { hasAnswer, type KnownAnswer, selfTest } from './selftest.ts';
import { cipherSpecs } from './suite.ts';

/** Of this thread: each has its own copy of this module. */
export const serving: { backend: CryptoBackend; esp: EspBackend } = { backend: nodeBackend, esp: nodeEsp };

/** `why`: what speaks against libcrypto, when node:crypto serves. */
export type Choice = { readonly name: string; readonly why: string | undefined };

/**
 * Takes libcrypto when it can be loaded and gives the known answers, node:crypto otherwise. What has been handed out before stays
 * as it is. An algorithm that this OpenSSL lacks is lacking in either.
 */
export async function chooseBackend(open = openLibcrypto, answers: readonly KnownAnswer[] = knownAnswers): Promise<Choice> {
  const why = await attempt(open, answers);
  if (why !== undefined) Object.assign(serving, { backend: nodeBackend, esp: nodeEsp });
  return { name: serving.backend.name, why };
}

async function attempt(open: typeof openLibcrypto, answers: readonly KnownAnswer[]): Promise<string | undefined> {
  const lib = await open();
  if (typeof lib === 'string') return lib;
  try {
    const [backend, esp] = [nativeBackend(lib, nodeBackend), nativeEsp(lib)];
    const wrong = [
      ...selfTest(
        backend,
        answers.filter((answer) => isOwn(answer, backend)),
      ),
      ...espTest(esp, nodeEsp),
    ];
    if (wrong.length > 0) return wrong.join('; ');
    Object.assign(serving, { backend, esp });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'it fails';
  }
}

/** What libcrypto does by itself and this OpenSSL has; the rest has been judged as node:crypto's. */
function isOwn(answer: KnownAnswer, backend: CryptoBackend): boolean {
  return hasAnswer(backend, answer) && (!('group' in answer) || nativeGroups.includes(answer.group));
}

const NULL = 11;

/** Every transform of ESP, held against another backend octet for octet; a sentence for each that differs. */
export function espTest(tested: EspBackend, reference: EspBackend): readonly string[] {
  const nulls = cipherSpecs
    .filter((spec) => spec.hash && spec.keyLength === 128)
    .map((spec) => ({ ...spec, encr: NULL, keyLength: 0 }));
  return [...cipherSpecs, ...nulls].flatMap(({ encr, keyLength, integ }) => {
    if (encr !== NULL && !nodeBackend.cipher(encr, keyLength, integ)) return [];
    const sizes = espSizes(encr, keyLength, integ);
    if (!sizes) return [];
    const wrong = [false, true].some((esn) => differs(tested, reference, { encr, keyLength, integ, esn }, sizes));
    return wrong ? [`${tested.name}: ESP with ${sizes.name}: not what ${reference.name} does`] : [];
  });
}

function differs(
  tested: EspBackend,
  reference: EspBackend,
  transform: Parameters<EspBackend['sealer']>[0],
  { encrKeyOctets, integKeyOctets, ivOctets, icvOctets }: NonNullable<ReturnType<typeof espSizes>>,
): boolean {
  const keys = [counting(encrKeyOctets, 1), counting(integKeyOctets, 90)] as const;
  const [start, high, length] = [ESP_HEADER + ivOctets, 0x01020304, 48];
  const plaintext = counting(length, 7);
  const packets = [tested, reference].map((backend) => {
    const packet = counting(start + length + icvOctets, 150);
    const sealer = backend.sealer(transform, ...keys);
    sealer?.seal(plaintext, 0, length, packet, 0, high);
    sealer?.dispose();
    return packet;
  });
  const [ours, theirs] = packets;
  const opener = tested.opener(transform, ...keys);
  if (!ours || !theirs || !opener || Buffer.compare(ours, theirs) !== 0) return true;
  const opened = new Uint8Array(length);
  const good = opener.open(ours, 0, ours.length, high, opened, 0) === length && Buffer.compare(opened, plaintext) === 0;
  ours[start] = (ours[start] ?? 0) ^ 1;
  const refused = opener.open(ours, 0, ours.length, high, opened, 0) === BAD;
  opener.dispose();
  return !good || !refused;
}

function counting(octets: number, from: number): Uint8Array {
  return Uint8Array.from({ length: octets }, (_, i) => from + i);
}
