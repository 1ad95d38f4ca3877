/**
 * INFORMATIONAL (RFC 7296 §1.4): one exchange that folds over whatever stands in it. An empty one asks whether we live
 * (§2.4); deletes are answered with our half of the pair (§1.4.1); unknown notifies are ignored.
 *   HDR, SK {[N,] [D,] [CP,] …}  -->
 *                                <--  HDR, SK {[D] …}
 */
import type { Reason } from '../../log/events.ts';
import * as phrases from '../../log/phrases/index.ts';
import { Exchange, isErrorType, type Notify, notifyType, type Payload, Protocol, printable } from '../../wire/index.ts';
import { deleteOf, spiText } from '../child.ts';
import { type Env, exchange, type Step } from '../exchange.ts';
import { tokenFrom } from '../hear.ts';
import type { ChildSa, Established } from '../sa.ts';
import { readSpi } from './createChild.ts';

type Delete = Extract<Payload, { readonly kind: 'D' }>;

export const informational = exchange({
  story: 'received informational request',
  from: 'established',
  type: Exchange.INFORMATIONAL,
  requires: [],
  request(sa, msg, env): Step {
    env.say('sa', phrases.informational);
    const deletes = msg.all('D');
    for (const d of deletes) env.say('sa', phrases.processingDelete, d.protocol);
    if (deletes.some((d) => d.protocol === Protocol.IKE)) {
      const { SPIi, SPIr } = sa.basis;
      env.say('sa', phrases.deletingIke, SPIi, SPIr);
      env.say('sa', phrases.scheduledDelete, SPIi, SPIr);
      return { kind: 'close', reason: 'peer-deleted', why: 'the client disconnected', payloads: [] };
    }
    const fatal = msg.all('N').find((n) => n.name === 'AUTHENTICATION_FAILED' || n.name === 'INVALID_SYNTAX');
    if (fatal !== undefined) return peerRefused(fatal, env);
    for (const n of msg.all('N')) if (isErrorType(notifyType(n))) env.say('sa', phrases.peerError, nameOf(n));
    const token = tokenFrom(msg.all('N'), sa.token?.number, env);
    if (token === undefined) return removeChildren(sa, deletes, env);
    const step = removeChildren({ ...sa, token }, deletes, env);
    return step.kind === 'reply' && sa.profile.match.kind === 'ztna' ? { ...step, review: true } : step;
  },
});

/** While it negotiates, the peer may say that it does not take our AUTH (§2.21.2), or give up. */
export const informationalEarly = exchange({
  story: 'received informational request during negotiation',
  from: ['half-open', 'eap', 'eap-proven'],
  type: Exchange.INFORMATIONAL,
  requires: [],
  request(sa, msg, env): Step {
    env.say('sa', phrases.informational);
    const error = msg.all('N').find((n) => isErrorType(notifyType(n)));
    // A client that reads the refusal inside its EAP method need not wait for the EAP-Failure: strongSwan does not.
    if (sa.at === 'eap' && sa.session.at === 'rejected') {
      const user = printable(sa.session.user, 64);
      env.say('gateway', phrases.eapFailed, user);
      return { kind: 'close', reason: 'eap-failed', why: `EAP of "${user}": ${sa.session.why}`, payloads: [] };
    }
    if (error !== undefined) return peerRefused(error, env);
    if (msg.all('D').some((d) => d.protocol === Protocol.IKE))
      return { kind: 'close', reason: 'peer-deleted', why: 'the client gave up during negotiation', payloads: [] };
    return { kind: 'reply', to: sa, payloads: [] };
  },
});

/** An ended SA owes nothing but politeness: the peer's own delete, or its last word, is answered. */
export const informationalClosed = exchange({
  story: 'received informational request for an ended SA',
  from: 'closed',
  type: Exchange.INFORMATIONAL,
  requires: [],
  request(sa, _msg, env): Step {
    env.say('sa', phrases.informational);
    return { kind: 'reply', to: sa, payloads: [] };
  },
});

function peerRefused(error: Notify, env: Env): Step {
  const name = nameOf(error);
  env.say('sa', phrases.peerError, name);
  const hint =
    error.name === 'AUTHENTICATION_FAILED'
      ? ': it does not accept our AUTH or identity (probable pre-shared key mismatch, or another certificate or localid expected)'
      : '';
  const reason: Reason = 'peer-refused-us';
  return { kind: 'close', reason, why: `the client says ${name}${hint}`, payloads: [] };
}

const nameOf = (n: Notify): string => (n.name === 'UNKNOWN' ? `notify ${n.type}` : n.name);

/** §1.4.1: a delete names the sender's inbound SPIs; the answer names ours, each once, unknown ones not at all. */
function removeChildren(sa: Established, deletes: readonly Delete[], env: Env): Step {
  const gone = new Set<ChildSa>();
  const answer: number[] = [];
  for (const { protocol, spis } of deletes) {
    if (protocol !== Protocol.ESP) continue;
    for (const octets of spis) {
      const child = octets.length === 4 ? sa.children.find((c) => c.spiOut === readSpi(octets)) : undefined;
      if (child === undefined || gone.has(child)) continue;
      env.say('sa', phrases.deletingChild, spiText(child.spiIn));
      gone.add(child);
      if (child.state !== 'deleting') answer.push(child.spiIn); // both ends deleting at once: each answers without D
    }
  }
  if (gone.size === 0) return { kind: 'reply', to: sa, payloads: [] };
  const children = sa.children.filter((c) => !gone.has(c));
  for (const child of gone) env.say('sa', phrases.deletedChild, spiText(child.spiIn), children.length);
  return {
    kind: 'reply',
    to: { ...sa, children },
    payloads: answer.length === 0 ? [] : [deleteOf(answer)],
    removed: [...gone].map((child) => ({ child, why: child.state === 'rekeyed' ? 'rekeyed' : 'peer-deleted' })),
  };
}
