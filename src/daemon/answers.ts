/**
 * Who answers the engine's questions: certificate paths by the crypto library, posture by the EMS connectors. Every question gets
 * an answer, and the number of those in the works has a bound: of posture one an SA, and of those `sa-max`; of paths, which
 * nobody has authenticated yet, the one below.
 */
import { validatePath } from '../../crypto/index.ts';
import type { Answer, Question } from '../ike/index.ts';
import type { Evidence, PostureQuestion } from '../posture/index.ts';

type Validate = typeof validatePath;

/** Questions in the works at a time; one more is refused at once. */
const IN_FLIGHT = 256;

/**
 * Makes the answerer.
 *
 * @param posture gathers what the gate is told; never rejects
 * @param unix the time in seconds, at which certificates must be valid
 * @param validate the path validation; a test's own
 */
export function answers(
  posture: (question: PostureQuestion) => Promise<Evidence>,
  unix: () => number,
  validate: Validate = validatePath,
): (question: Question) => Promise<Answer> {
  let inFlight = 0;
  return async (question) => {
    if (question.about === 'posture') {
      return { about: 'posture', evidence: await posture(question) };
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
