/** Before anything is served: the running Node's cryptography gives the known answers, or we do not start. */
import { chooseBackend, hasAnswer, type KnownAnswer, knownAnswers, nodeBackend, selfTest } from '../../crypto/index.ts';
import type { Journal } from '../log/index.ts';
import { EnvironmentRefused } from '../net/index.ts';

type Backend = typeof nodeBackend;

/**
 * Runs the self-test of the cryptography. An algorithm that this build of Node lacks is said and never chosen. Of two ways to
 * OpenSSL the cheaper one that gives the same answers does the work.
 *
 * @throws EnvironmentRefused when an algorithm is there and gives a wrong answer
 */
export function selfCheck(
  journal: Journal,
  backend: Backend = nodeBackend,
  answers: readonly KnownAnswer[] = knownAnswers,
): void {
  const served = answers.filter((answer) => hasAnswer(backend, answer));
  const missing = answers.filter((answer) => !served.includes(answer)).map((answer) => answer.name);
  if (missing.length > 0)
    journal.note('warn', 'this Node lacks algorithms; they are never chosen', { missing: missing.join(', ') });
  const wrong = selfTest(backend, served);
  if (wrong.length === 0) {
    const { name, why } = chooseBackend(answers);
    return journal.note('info', `cryptography by ${name}`, why === undefined ? {} : { why });
  }
  throw new EnvironmentRefused(
    'ECRYPTO',
    `The cryptography of this Node gives wrong answers: ${wrong.join('; ')}.`,
    'Run Postern on another build of Node; `npm ci` in a checkout brings one.',
  );
}
