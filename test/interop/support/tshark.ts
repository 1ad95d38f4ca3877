/**
 * Wireshark as the judge of what our gateway sent and of the keys it says it used.
 */
import { must } from './processes.ts';

export type Judgement = {
  /** Frames that Wireshark cannot make sense of, one a line; must be empty. */
  readonly malformed: readonly string[];
  /** Protected messages (SK and SKF) in the capture. */
  readonly sealed: number;
  /** Those among them whose integrity Wireshark found right with our keys. */
  readonly correct: number;
  /** The payloads that it found inside, by name. */
  readonly payloads: ReadonlySet<string>;
};

/** Reads a capture with the key table in `keys`. */
export async function judge(capture: string, keys: string): Promise<Judgement> {
  const tshark = (args: readonly string[]) =>
    must('tshark', ['-r', capture, ...args], { env: { WIRESHARK_CONFIG_DIR: keys }, seconds: 60 });
  const malformed = await tshark(['-Y', '_ws.malformed || _ws.expert.severity >= 6291456']);
  const tree = await tshark(['-O', 'isakmp']);
  return {
    malformed: malformed.split('\n').filter(Boolean),
    sealed: tree.match(/^ *Payload: Encrypted and Authenticated/gm)?.length ?? 0,
    correct: tree.match(/\[correct\]/g)?.length ?? 0,
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
