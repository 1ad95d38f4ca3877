/**
 * CREATE_CHILD_SA for a child, begun by the gateway (RFC 7296 §1.3.1, §1.3.3, §2.8.1, §2.25.1). TSi is the gateway's side here.
 */
import { group as groupOf } from '../../crypto/index.ts';
import { notify, type Payload, Protocol } from '../wire/index.ts';
import { freshSpi, install, saPayload } from './child.ts';
import { type Child, type Core, type IkeSa, violation } from './core.ts';
import { fromU32, lower, notifyOf, one, u32 } from './octets.ts';
import { choose, espSuite, withGroups } from './proposals.ts';
import { outside } from './selectors.ts';

type Reply = (...said: Payload[]) => void;

export function answerChild(core: Core, sa: IkeSa, payloads: readonly Payload[], reply: Reply): void {
  if (sa !== core.ike || sa.pending?.purpose.kind === 'ike' || sa.standing !== 'live') return reply(notify('TEMPORARY_FAILURE'));
  const rekey = notifyOf(payloads, 'REKEY_SA');
  if (rekey === undefined) return make(core, sa, payloads, reply, undefined);
  const old = rekey.protocol === Protocol.ESP && rekey.spi.length === 4 ? byOutbound(core, fromU32(rekey.spi)) : undefined;
  if (old === undefined) return reply(notify('CHILD_SA_NOT_FOUND', undefined, { protocol: rekey.protocol, spi: rekey.spi }));
  if (old.state === 'deleting') return reply(notify('TEMPORARY_FAILURE'));
  make(core, sa, payloads, reply, old);
}

const byOutbound = (core: Core, spi: number): Child | undefined => core.children.find((c) => c.spiOut === spi);

function make(core: Core, sa: IkeSa, payloads: readonly Payload[], reply: Reply, old: Child | undefined): void {
  const { o } = core;
  const [SA, NONCE, KE] = [one(payloads, 'SA'), one(payloads, 'NONCE'), one(payloads, 'KE')];
  const [TSi, TSr] = [one(payloads, 'TSi'), one(payloads, 'TSr')];
  if (SA === undefined || NONCE === undefined || TSi === undefined || TSr === undefined) {
    violation(core, 'CREATE_CHILD_SA request without SA, nonce or traffic selectors');
    return reply(notify('INVALID_SYNTAX'));
  }
  const chosen = choose(SA, withGroups(o.espOffer, [...new Set([...o.childGroups, ...o.groups, 0])]));
  const suite = chosen && espSuite(chosen);
  if (chosen === undefined || suite === undefined) return reply(notify('NO_PROPOSAL_CHOSEN'));
  if (suite.group !== 0 && KE?.group !== suite.group) return reply(notify('INVALID_KE_PAYLOAD', suite.group));
  // A rekey stays within what there is; anything else within what we would have asked for.
  const [mine, theirs] = old === undefined ? [o.TSi, o.TSr] : [old.TSi, old.TSr];
  if (outside(TSi.selectors, theirs) !== undefined || outside(TSr.selectors, mine) !== undefined)
    return reply(notify('TS_UNACCEPTABLE'));
  const found = suite.group === 0 ? undefined : groupOf(suite.group);
  const pair = found && o.keyPair(found);
  const shared = pair && KE && pair.agree(KE.data);
  if (pair !== undefined && shared === undefined) {
    violation(core, 'a public value that nobody may accept');
    return reply(notify('INVALID_SYNTAX'));
  }

  const spiIn = freshSpi(core);
  const Nr = o.random(o.nonceOctets);
  const Ni = NONCE.data.slice();
  const transport = o.transport && notifyOf(payloads, 'USE_TRANSPORT_MODE') !== undefined;
  const sides = { TSi: TSr.selectors, TSr: TSi.selectors };
  const spiOut = fromU32(chosen.proposal.spi);
  const making = { Ni, Nr, madeBy: 'gateway', ...(shared === undefined ? {} : { shared }) } as const;
  const child = install(core, sa, spiIn, { suite, spiOut, transport, ...sides }, making);
  cross(sa, old, child, lower(Ni, Nr));
  reply(
    ...(transport ? [notify('USE_TRANSPORT_MODE')] : []),
    saPayload([{ ...chosen.proposal, spi: u32(spiIn) }]),
    { kind: 'NONCE', data: Nr },
    ...(pair === undefined ? [] : [{ kind: 'KE', group: suite.group, data: pair.publicValue } as const]),
    { kind: 'TSi', selectors: TSi.selectors },
    { kind: 'TSr', selectors: TSr.selectors },
  );
}

/** The gateway deletes the old one, unless we are rekeying the same child: then the nonces decide (§2.8.1). */
function cross(sa: IkeSa, old: Child | undefined, child: Child, lowest: Uint8Array): void {
  const { pending } = sa;
  if (old === undefined) return;
  if (pending?.purpose.kind === 'child' && pending.purpose.rekeys === old) pending.rival = { made: 'child', child, lowest };
  else old.state = 'replaced';
}
