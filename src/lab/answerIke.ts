/**
 * Rekeying of the IKE SA, begun by the gateway (RFC 7296 §1.3.2, §2.8.2, §2.25.2). We are the responder of the new SA.
 */
import { group as groupOf } from '../../crypto/index.ts';
import { ikeSpi, NO_SPI, notify, type Payload, spiOctets } from '../wire/index.ts';
import { saPayload } from './child.ts';
import { addSa, algorithms, type Core, type IkeSa, violation } from './core.ts';
import { freshIkeSpi } from './init.ts';
import { ikeKeys } from './keys.ts';
import { lower, one } from './octets.ts';
import { choose, ikeSuite } from './proposals.ts';
import { moveTo } from './rekey.ts';

export function answerIke(core: Core, sa: IkeSa, payloads: readonly Payload[], reply: (...said: Payload[]) => void): void {
  const { o } = core;
  const busy = sa.pending?.purpose.kind;
  const rekeying = busy === 'ike';
  // §2.25.2: an SA on its way out, or one with a child being made or deleted.
  if (sa !== core.ike || busy === 'child' || busy === 'delete-child' || busy === 'delete-ike')
    return reply(notify('TEMPORARY_FAILURE'));
  const [SA, NONCE, KE] = [one(payloads, 'SA'), one(payloads, 'NONCE'), one(payloads, 'KE')];
  if (SA === undefined || NONCE === undefined || KE === undefined) {
    violation(core, 'IKE rekey request without nonce or public value');
    return reply(notify('INVALID_SYNTAX'));
  }
  const chosen = choose(SA, o.ikeOffer);
  const suite = chosen && ikeSuite(chosen);
  if (chosen === undefined || suite === undefined) return reply(notify('NO_PROPOSAL_CHOSEN'));
  if (chosen.proposal.spi.length !== 8 || ikeSpi(chosen.proposal.spi) === NO_SPI) {
    violation(core, 'IKE rekey request without an SPI');
    return reply(notify('INVALID_SYNTAX'));
  }
  if (KE.group !== suite.group) return reply(notify('INVALID_KE_PAYLOAD', suite.group));
  const found = groupOf(suite.group);
  const pair = found && o.keyPair(found);
  const shared = pair?.agree(KE.data);
  if (pair === undefined || shared === undefined) {
    violation(core, 'a public value that nobody may accept');
    return reply(notify('INVALID_SYNTAX'));
  }
  const [crypt, random] = algorithms(suite);
  const [SPIi, SPIr] = [ikeSpi(chosen.proposal.spi), freshIkeSpi(core)];
  const [Ni, Nr] = [NONCE.data.slice(), o.random(o.nonceOctets)];
  const keys = ikeKeys(random, crypt, shared, { Ni, Nr }, { SPIi, SPIr }, { prf: sa.prf, SK_d: sa.keys.SK_d });
  const made = addSa(core, { SPIi, SPIr, initiator: false, suite, keys }, 0);
  reply(
    saPayload([{ ...chosen.proposal, spi: spiOctets(SPIr) }]),
    { kind: 'NONCE', data: Nr },
    { kind: 'KE', group: suite.group, data: pair.publicValue },
  );
  if (rekeying && sa.pending !== undefined) sa.pending.rival = { made: 'ike', sa: made, lowest: lower(Ni, Nr) };
  else moveTo(core, sa, made);
}
