/**
 * IKE_AUTH, EAP rounds (RFC 7296 §2.16, RFC 3748). The method never sees IKE, this file never sees a password.
 *   HDR, SK {EAP}  -->
 *                  <--  HDR, SK {EAP (request | success | failure)}
 */
import { respondEap } from '../../eap/index.ts';
import * as phrases from '../../log/phrases/index.ts';
import { Exchange, printable } from '../../wire/index.ts';
import { exchange, type Step } from '../exchange.ts';
import { hear } from '../hear.ts';
import { eapPolicy } from './authStart.ts';

export const authEap = exchange({
  story: 'responder received EAP msg',
  from: 'eap',
  type: Exchange.IKE_AUTH,
  requires: ['EAP'],
  forbids: ['AUTH'],
  request(sa, msg, env): Step {
    env.say('sa', phrases.receivedEap);
    env.say('sa', phrases.sendToBackend);
    const { session: _session, user: _user, at: _at, ...former } = sa;
    const asking = { ...former, told: hear(sa.told, msg.all('N'), env) };
    const policy = eapPolicy(sa.profile, sa.first, env);
    const outcome = respondEap(policy, sa.session, msg.EAP.data);
    const reply = (packet: Uint8Array) => [{ kind: 'EAP', data: packet }] as const;
    switch (outcome.kind) {
      case 'request': {
        if (sa.user === undefined && outcome.user !== undefined) {
          env.say('sa', phrases.initiatingEap);
          env.say('gateway', phrases.eapUser, printable(outcome.user, 64));
          const { remoteAuth } = sa.profile;
          if (remoteAuth.kind === 'eap') for (const group of remoteAuth.groups) env.say('gateway', phrases.authGroup, group);
        }
        env.say('gateway', phrases.eapResult, 'FNBAM_CHALLENGED');
        if (outcome.user !== undefined) env.say('gateway', phrases.eapChallenged, printable(outcome.user, 64));
        env.say('sa', phrases.preparingEap);
        return {
          kind: 'reply',
          to: { at: 'eap', ...asking, session: outcome.session, user: outcome.user },
          payloads: reply(outcome.packet),
        };
      }
      case 'rejecting': {
        env.say('gateway', phrases.eapResult, 'FNBAM_DENIED');
        env.say('gateway', phrases.eapWhy, outcome.why);
        return { kind: 'reply', to: { ...sa, session: outcome.session, user: outcome.user }, payloads: reply(outcome.packet) };
      }
      case 'success': {
        env.say('gateway', phrases.eapResult, 'FNBAM_SUCCESS');
        env.say('gateway', phrases.eapSucceeded, printable(outcome.user, 64), outcome.group);
        const { msk, user, group } = outcome;
        return { kind: 'reply', to: { at: 'eap-proven', ...asking, msk, user, group }, payloads: reply(outcome.packet) };
      }
      case 'failure': {
        const user = printable(outcome.user, 64);
        env.say('gateway', phrases.eapFailed, user);
        env.say('gateway', phrases.eapWhy, outcome.why);
        env.say('sa', phrases.preparingEap);
        return { kind: 'close', reason: 'eap-failed', why: `EAP of "${user}": ${outcome.why}`, payloads: reply(outcome.packet) };
      }
      case 'discard':
        // RFC 3748 §4.1: a response that fits no request is as if it had never come; IKE still owes an answer.
        env.say('gateway', phrases.eapWhy, outcome.why);
        return { kind: 'refuse', reason: 'syntax', why: `EAP: ${outcome.why}` };
    }
  },
});
