/**
 * Who answers the engine's questions: certificate paths by the crypto library, posture by nobody yet. Every question gets
 * an answer, and the number of those in the works has a bound.
 */
import { validatePath } from '../../crypto/index.ts';
import type { Answer, Question } from '../ike/index.ts';

type Validate = typeof validatePath;

/** Questions in the works at a time; one more is refused at once. */
const IN_FLIGHT = 256;

/** What the gate hears while no EMS connector runs: profiles with a tag rule deny, and say why. */
const NO_EMS = 'no EMS connector is served yet';

/**
 * Makes the answerer.
 *
 * @param unix the time in seconds, at which certificates must be valid
 * @param validate the path validation; a test's own
 */
export function answers(unix: () => number, validate: Validate = validatePath): (question: Question) => Promise<Answer> {
  let inFlight = 0;
  return async (question) => {
    if (question.about === 'posture') {
      return { about: 'posture', evidence: { ems: { kind: 'silent', why: NO_EMS }, token: { kind: 'none' } } };
    }
    if (inFlight >= IN_FLIGHT)
      return { about: 'certificate', verdict: { ok: false, why: 'too many certificates are being checked' } };
    inFlight += 1;
    try {
      const { leaf, intermediates, anchors } = question;
      return { about: 'certificate', verdict: await validate(leaf, intermediates, anchors, unix()) };
    } catch (error) {
      // A certificate that the library chokes on is a certificate that we do not trust.
      return {
        about: 'certificate',
        verdict: { ok: false, why: `path validation failed: ${error instanceof Error ? error.message : 'unknown'}` },
      };
    } finally {
      inFlight -= 1;
    }
  };
}
