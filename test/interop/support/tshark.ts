/**
 * Wireshark as the judge of what our gateway sent and of the keys it says it used.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must } from './processes.ts';

export type Judgement = {
  /** Frames that Wireshark cannot make sense of, one a line; must be empty. */
  readonly malformed: readonly string[];
  /** Protected messages (SK and SKF) of the SAs in the key table. */
  readonly sealed: number;
  /** Those among them whose integrity Wireshark found right with our keys. */
  readonly correct: number;
  /** How many SAs are not in the key table: 4.0.17 has no name for ChaCha20-Poly1305 there. */
  readonly unopened: number;
  /** The payloads that it found, by name. */
  readonly payloads: ReadonlySet<string>;
};

/** Reads a capture with the key table in `keys`. */
export async function judge(capture: string, keys: string): Promise<Judgement> {
  const tshark = (args: readonly string[]) =>
    must('tshark', ['-r', capture, ...args], { env: { WIRESHARK_CONFIG_DIR: keys }, seconds: 60 });
  const table = await readFile(join(keys, 'ikev2_decryption_table'), 'utf8');
  const opened = new Set(table.split('\n').flatMap((line) => /^[0-9a-f]{16}(?=,)/i.exec(line)?.[0].toLowerCase() ?? []));
  const malformed = await tshark(['-Y', '_ws.malformed || _ws.expert.severity >= 6291456']);
  const protectedBy = (await tshark(['-Y', 'isakmp.enc.data', '-T', 'fields', '-e', 'isakmp.ispi'])).split('\n').filter(Boolean);
  const tree = await tshark(['-O', 'isakmp']);
  return {
    malformed: malformed.split('\n').filter(Boolean),
    sealed: protectedBy.filter((SPIi) => opened.has(SPIi)).length,
    correct: tree.match(/\[correct\]/g)?.length ?? 0,
    unopened: new Set(protectedBy.filter((SPIi) => !opened.has(SPIi))).size,
    payloads: new Set([...tree.matchAll(/^ *Payload: ([^(\n]+?) \(\d+\)/gm)].map((found) => found[1] ?? '')),
  };
}

/** The UDP payloads of a capture in order, as hex, with their source port. */
export async function datagrams(capture: string): Promise<readonly { readonly port: number; readonly hex: string }[]> {
  const text = await must('tshark', ['-r', capture, '-T', 'fields', '-e', 'udp.srcport', '-e', 'udp.payload'], { seconds: 60 });
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [port = '', hex = ''] = line.split('\t');
      return { port: Number(port), hex };
    });
}
