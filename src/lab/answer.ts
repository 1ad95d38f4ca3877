/**
 * Requests of the gateway on an established IKE SA, answered as a peer must (RFC 7296 §1.3, §1.4, §2.21.3, §2.25): liveness,
 * Delete of both kinds, rekeys of both kinds, new children.
 */
import { Exchange, type Header, isErrorType, notify, notifyType, type Payload, Protocol } from '../wire/index.ts';
import { answerChild } from './answerChild.ts';
import { answerIke } from './answerIke.ts';
import { remove } from './child.ts';
import {
  type Child,
  type Core,
  type Ending,
  end,
  formFault,
  type IkeSa,
  notifyName,
  refusedBy,
  respond,
  violation,
} from './core.ts';
import { all, fromU32, notifyOf, one, u32 } from './octets.ts';
import { moveTo } from './rekey.ts';

/** Answers a request that was authentic and in order. */
export function answer(core: Core, sa: IkeSa, { exchange, messageId }: Header, payloads: readonly Payload[]): void {
  const reply = (...said: readonly Payload[]) => respond(core, sa, exchange, messageId, said);
  const fault = formFault(payloads);
  if (fault?.critical !== undefined) return reply(notify('UNSUPPORTED_CRITICAL_PAYLOAD', fault.critical));
  if (fault !== undefined) return refuseSyntax(core, sa, exchange, messageId, fault.why);
  switch (exchange) {
    case Exchange.INFORMATIONAL:
      return informational(core, sa, payloads, reply);
    case Exchange.CREATE_CHILD_SA: {
      const [proposal] = one(payloads, 'SA')?.proposals ?? [];
      if (proposal?.protocol === Protocol.IKE) return answerIke(core, sa, payloads, reply);
      return answerChild(core, sa, payloads, reply);
    }
    default:
      violation(core, `exchange ${exchange} begun by the gateway`);
      return reply(notify('INVALID_SYNTAX'));
  }
}

/** §2.21.3: both ends take INVALID_SYNTAX for the end of the IKE SA. */
export function refuseSyntax(core: Core, sa: IkeSa, exchange: number, messageId: number, why: string): void {
  violation(core, `malformed request: ${why}`);
  respond(core, sa, exchange, messageId, [notify('INVALID_SYNTAX')]);
  drop(core, sa, `malformed request: ${why}`, { by: 'distrust' });
}

function informational(core: Core, sa: IkeSa, payloads: readonly Payload[], reply: (...said: Payload[]) => void): void {
  const deletes = all(payloads, 'D');
  if (deletes.some((d) => d.protocol === Protocol.IKE)) {
    reply();
    const notify = all(payloads, 'N')[0];
    return drop(core, sa, 'deleted by the gateway', { by: 'gateway', deleted: true, notify: notify && notifyType(notify) });
  }
  const spis = deletes.flatMap((d) => (d.protocol === Protocol.ESP ? d.spis.map(fromU32) : []));
  const gone = core.children.filter((c) => spis.includes(c.spiOut));
  // §1.4.1: those that we are deleting already are not named again.
  const named = gone.filter((c) => c.state !== 'deleting');
  remove(core, gone);
  reply(...(named.length === 0 ? [] : [halves(named)]));
  const fatal = notifyOf(payloads, 'AUTHENTICATION_FAILED') ?? notifyOf(payloads, 'INVALID_SYNTAX');
  if (fatal !== undefined) return drop(core, sa, `the gateway says ${notifyName(fatal)}`, refusedBy(fatal));
  const error = all(payloads, 'N').find((n) => isErrorType(notifyType(n)));
  if (error !== undefined) violation(core, `error ${notifyName(error)} in a request (§2.21.3)`);
}

function halves(children: readonly Child[]): Payload {
  return { kind: 'D', protocol: Protocol.ESP, spiSize: 4, spis: children.map((c) => u32(c.spiIn)) };
}

const MOST_ENDED = 4;

/** An IKE SA that the gateway ended: the last one takes everything with it. */
function drop(core: Core, sa: IkeSa, why: string, ending: Ending): void {
  const rival = sa.pending?.rival;
  core.sas.delete(sa.own);
  sa.pending = undefined;
  if (core.ended.push(sa) > MOST_ENDED) core.ended.shift();
  if (core.ike !== sa) return;
  // §2.25.2: the gateway has not seen our own rekey, and ends the old SA after its own.
  if (rival?.made === 'ike') return moveTo(core, sa, rival.sa);
  end(core, 'closed', why, ending);
}
