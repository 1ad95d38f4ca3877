/**
 * IKE_AUTH, last leg after EAP (RFC 7296 §2.16): the client proves that it holds the MSK.
 *   HDR, SK {AUTH}  -->
 *                   <--  HDR, SK {IDr, AUTH, [CP(CFG_REPLY),] SAr2, TSi, TSr}
 * The answer waits for the posture gate.
 */
import * as phrases from '../../log/phrases/index.ts';
import { describeIdentity, Exchange } from '../../wire/index.ts';
import { authenticated, sharedKeyMatches } from '../auth.ts';
import { exchange, refuse, type Step } from '../exchange.ts';
import { toGate } from '../gate.ts';
import { hear } from '../hear.ts';

export const authFinal = exchange({
  story: 'responder received AUTH msg after EAP',
  from: 'eap-proven',
  type: Exchange.IKE_AUTH,
  requires: ['AUTH'],
  forbids: ['EAP'],
  request(sa, msg, env): Step {
    const { at: _at, msk, user, group, ...former } = sa;
    const asking = { ...former, told: hear(sa.told, msg.all('N'), env) };
    const { type, text } = describeIdentity(sa.first.IDi.idType, sa.first.IDi.data);
    env.say('sa', phrases.receivedAuth);
    env.say('sa', phrases.peerIdentifier, type, text);
    env.say('sa', phrases.authVerified);
    env.say('sa', phrases.authContinuation);
    if (!sharedKeyMatches(sa, msg.AUTH, sa.first.IDi, msk)) {
      env.say('sa', phrases.authFailed);
      return refuse('auth-failed', `AUTH of "${user}" does not match the key that EAP made`);
    }
    env.say('sa', phrases.authSucceeded);
    return toGate(asking, authenticated('eap', asking, { user, group }), msk, env);
  },
});
