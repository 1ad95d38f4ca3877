/**
 * Recorded sessions: everything that went into an engine while a real peer talked to it (datagrams, clocks, answers, the seed
 * of its randomness), and the datagrams that came out. Played again they must give the same octets.
 */
import { createHash } from 'node:crypto';
import { type Group, readCertificate } from '../../crypto/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Answer, type Clocks, type Command, Engine, type Entropy } from '../../src/ike/index.ts';
import { hex, unhex } from '../../src/wire/index.ts';

export type Recording = {
  readonly source: string;
  readonly seed: string;
  /** Lines of FortiOS' CLI. */
  readonly config: readonly string[];
  readonly began: Clocks;
  readonly steps: readonly Step[];
};
/** One call of the engine and what it sent in consequence, in hex. */
export type Step = Clocks & Input & { readonly sent: readonly string[] };
export type Input =
  | { readonly did: 'datagram'; readonly from: Place; readonly to: Place; readonly natt: boolean; readonly octets: string }
  | { readonly did: 'answer'; readonly ticket: number; readonly answer: AnswerData }
  | { readonly did: 'command'; readonly command: Command }
  | { readonly did: 'tick' };
export type Place = { readonly address: string; readonly port: number };
/** Certificates as DER in hex. */
export type AnswerData =
  | Extract<Answer, { about: 'posture' }>
  | {
      readonly about: 'certificate';
      readonly verdict: { readonly ok: false; readonly why: string } | { readonly ok: true; readonly chain: readonly string[] };
    };

/** Plays a recording; gives what was sent at each step, to be held against what it says was sent. */
export function play({ config, seed, began, steps }: Recording): readonly (readonly string[])[] {
  const { config: loaded, findings } = loadConfig(config.join('\n'));
  const errors = findings.filter(({ level }) => level === 'error');
  if (errors.length > 0) throw new Error(`the recorded configuration does not load any more: ${JSON.stringify(errors)}`);
  const engine = new Engine({ config: loaded, entropy: seeded(seed), clocks: began });
  return steps.map((step) => {
    perform(engine, step);
    return sentBy(engine.take());
  });
}

/** Octets and key pairs that follow from a seed alone. */
export function seeded(seed: string): Entropy {
  let block = 0;
  const octets = (n: number): Uint8Array => {
    const out = new Uint8Array(n);
    for (let at = 0; at < n; at += 32) {
      block += 1;
      out.set(
        createHash('sha256')
          .update(`${seed} ${block}`)
          .digest()
          .subarray(0, Math.min(32, n - at)),
        at,
      );
    }
    return out;
  };
  return { octets, keyPair: (group: Group) => group.fromPrivate(octets(group.privateOctets)) };
}

/** The hex of every datagram among an engine's outputs. */
export function sentBy(outputs: ReturnType<Engine['take']>): readonly string[] {
  return outputs.flatMap((output) => (output.do === 'send' ? [hex(output.octets)] : []));
}

export function answerData(answer: Answer): AnswerData {
  if (answer.about === 'posture') return answer;
  const { verdict } = answer;
  if (!verdict.ok) return { about: 'certificate', verdict };
  return { about: 'certificate', verdict: { ok: true, chain: verdict.chain.map(({ der }) => hex(der)) } };
}

function perform(engine: Engine, step: Step): void {
  const clocks = { now: step.now, unix: step.unix };
  switch (step.did) {
    case 'datagram':
      return engine.datagram({ octets: unhex(step.octets), from: step.from, to: step.to, natt: step.natt }, clocks);
    case 'answer':
      return engine.answer(step.ticket, answerOf(step.answer), clocks);
    case 'command':
      return engine.command(step.command, clocks);
    case 'tick':
      return engine.tick(clocks);
  }
}

function answerOf(data: AnswerData): Answer {
  if (data.about === 'posture') return data;
  const { verdict } = data;
  if (!verdict.ok) return { about: 'certificate', verdict };
  return { about: 'certificate', verdict: { ok: true, chain: verdict.chain.map((der) => readCertificate(unhex(der))) } };
}
