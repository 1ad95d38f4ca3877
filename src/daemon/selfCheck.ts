/** Before anything is served: the running Node's cryptography gives the known answers, or we do not start. */
import {
  type Choice,
  chooseBackend,
  hasAnswer,
  type KnownAnswer,
  knownAnswers,
  nodeBackend,
  selfTest,
} from '../../crypto/index.ts';
import type { Journal } from '../log/index.ts';
import { EnvironmentRefused } from '../net/index.ts';

type Backend = typeof nodeBackend;

/** What a backend lacks of the known answers, and what it gets wrong, by name. */
export function answersOf(
  backend: Backend = nodeBackend,
  answers: readonly KnownAnswer[] = knownAnswers,
): { readonly missing: readonly string[]; readonly wrong: readonly string[] } {
  const served = answers.filter((answer) => hasAnswer(backend, answer));
  const missing = answers.filter((answer) => !served.includes(answer)).map((answer) => answer.name);
  return { missing, wrong: selfTest(backend, served) };
}

/**
 * Runs the self-test of the cryptography. An algorithm that this build of Node lacks is said and never chosen.
 *
 * @throws EnvironmentRefused when an algorithm is there and gives a wrong answer
 */
export function selfCheck(journal: Journal, backend?: Backend, answers?: readonly KnownAnswer[]): void {
  const { missing, wrong } = answersOf(backend, answers);
  if (missing.length > 0)
    journal.note('warn', 'this Node lacks algorithms; they are never chosen', { missing: missing.join(', ') });
  if (wrong.length === 0) return;
  throw new EnvironmentRefused(
    'ECRYPTO',
    `The cryptography of this Node gives wrong answers: ${wrong.join('; ')}.`,
    'Run Postern on another build of Node; `npm ci` in a checkout brings one.',
  );
}

/** Lets libcrypto do the work where it can be called and passes the same test, and says in the journal who does it. */
export async function chooseCrypto(journal: Pick<Journal, 'note'>, choose: () => Promise<Choice> = chooseBackend): Promise<void> {
  const { name, why } = await choose();
  journal.note('info', `cryptography by ${name}`, why === undefined ? {} : { why });
}
