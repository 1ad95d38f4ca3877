/**
 * CREATE_CHILD_SA that rekeys the IKE SA (RFC 7296 §1.3.2, §2.8, §2.18):
 *   HDR, SK {SA, Ni, KEi}  -->
 *                          <--  HDR, SK {SA, Nr, KEr}
 * The children move to the new SA; the peer deletes the old one.
 */
import { group as groupOf } from '../../../crypto/index.ts';
import * as phrases from '../../log/phrases/index.ts';
import { Exchange, ikeSpi, notify, spiOctets } from '../../wire/index.ts';
import { lifetime } from '../child.ts';
import { exchange, refuse, type Step } from '../exchange.ts';
import { explain } from '../mismatch.ts';
import { sayChosen, sayOffer, sayOurs } from '../narrate.ts';
import { chooseIke } from '../negotiate.ts';
import type { Established } from '../sa.ts';

export const rekeyIke = exchange({
  story: 'responder received CREATE_CHILD exchange: IKE SA rekey',
  from: 'established',
  type: Exchange.CREATE_CHILD_SA,
  requires: ['SA', 'NONCE', 'KE'],
  forbids: ['TSi', 'TSr'],
  request(sa, msg, env): Step {
    env.say('sa', phrases.receivedCreateChild);
    env.say('sa', phrases.respondedCreateChild);
    // §2.25.2: while a rekey or a delete of ours is under way, the other end is asked to come again. Of two IKE SA rekeys
    // that meet, both may so fail; ours is put off by a random time.
    if (env.busy !== undefined) return { kind: 'reply', to: sa, payloads: [notify('TEMPORARY_FAILURE')] };
    const Ni = msg.NONCE.data;
    if (Ni.length < 16 || Ni.length > 256) return refuse('syntax', `nonce of ${Ni.length} octets`);
    sayOffer(env, 'sa', msg.SA.proposals, 'IKE');
    const choice = chooseIke(msg.SA.proposals, sa.profile, msg.KE.group);
    if (choice.kind === 'none') {
      sayOurs(env, 'sa', sa.profile);
      for (const line of explain(msg.SA.proposals, [sa.profile], [])) env.say('sa', phrases.mismatch, line);
      env.say('sa', phrases.noProposalChosen);
      return { kind: 'reply', to: sa, payloads: [notify('NO_PROPOSAL_CHOSEN')] };
    }
    if (choice.kind === 'invalid-ke') {
      env.say('sa', phrases.invalidKe, msg.KE.group, choice.group);
      return { kind: 'reply', to: sa, payloads: [notify('INVALID_KE_PAYLOAD', choice.group)] };
    }
    const offered = choice.offered.spi;
    if (offered.length !== 8 || offered.every((o) => o === 0)) return refuse('syntax', 'IKE SA rekey without an SPI of 8 octets');
    const group = groupOf(choice.group);
    if (group === undefined) throw new RangeError(`group ${choice.group} was chosen and is not there`); // a fault
    const pair = env.keyPair(group);
    const shared = pair.agree(msg.KE.data);
    if (shared === undefined) return refuse('syntax', `public value of group ${group.name} is refused`);
    sayChosen(env, choice.proposal, sa.profile);
    const [SPIi, SPIr, Nr] = [ikeSpi(offered), env.ikeSpi(), env.random(32)];
    const suite = env.suite(choice);
    const keys = env.deriveIke(suite, shared, { SPIi, SPIr, Ni, Nr }, sa.basis);
    const { soft, hard } = lifetime(sa.profile.keylife, env.now, env.random(1)[0] ?? 0);
    const next: Established = {
      ...sa,
      basis: { ...sa.basis, SPIi, SPIr, initiator: false, id: env.saNumber(), suite, keys, born: env.now },
      soft,
      hard,
    };
    env.say('sa', phrases.skeyseedDone, SPIi, SPIr, suite.text);
    env.say('sa', phrases.rekeyed, SPIi, SPIr);
    env.tell({ kind: 'ike-rekeyed', by: 'peer', suite: suite.text });
    return {
      kind: 'reply',
      to: sa,
      payloads: [
        { kind: 'SA', proposals: [{ ...choice.proposal, spi: spiOctets(SPIr) }] },
        { kind: 'NONCE', data: Nr },
        { kind: 'KE', group: choice.group, data: pair.publicValue },
      ],
      successor: next,
    };
  },
});
