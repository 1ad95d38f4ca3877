/**
 * Rekeying the IKE SA, our own requests (RFC 7296 §1.3.2, §2.8.2, §2.18, §2.25.2).
 *
 *   HDR, SK {SA, Ni, KEi}  -->
 *                         <--  HDR, SK {SA, Nr, KEr}
 *   old one: HDR, SK {D}   -->   <--  HDR, SK {}
 */
import { Exchange, ikeSpi, NO_SPI, type Payload, Protocol, spiOctets } from '../wire/index.ts';
import { errorIn, saPayload } from './child.ts';
import {
  addSa,
  algorithms,
  type Core,
  formFault,
  type IkeSa,
  type Ke,
  notifyName,
  outcome,
  type Pending,
  type Purpose,
  request,
  runQueue,
  violation,
} from './core.ts';
import { agreed, mayTry } from './create.ts';
import { freshIkeSpi, freshKe } from './init.ts';
import { ikeKeys } from './keys.ts';
import { compare, lower, notifyOf, one } from './octets.ts';
import { ikeSuite, judgeChoice, withSpi } from './proposals.ts';

type IkePurpose = Extract<Purpose, { kind: 'ike' }>;

/** Asks for another IKE SA in the place of this one; the public value is of `group`, the present one's unless said. */
export function rekeyIke(core: Core, sa: IkeSa, group = sa.suite.group, before?: Ke): void {
  const ke = before ?? freshKe(core, group, []);
  const SPIi = freshIkeSpi(core);
  const offer = withSpi(core.o.ikeOffer, spiOctets(SPIi));
  const Ni = core.o.random(core.o.nonceOctets);
  const payloads: readonly Payload[] = [
    saPayload(offer),
    { kind: 'NONCE', data: Ni },
    { kind: 'KE', group: ke.group, data: ke.pair.publicValue },
  ];
  request(core, sa, Exchange.CREATE_CHILD_SA, payloads, { kind: 'ike', offer, SPIi, Ni, ke });
}

export function ikeAnswer(
  core: Core,
  sa: IkeSa,
  purpose: IkePurpose,
  rival: Pending['rival'],
  payloads: readonly Payload[],
): void {
  const error = errorIn(payloads);
  if (error !== undefined) {
    const group = notifyOf(payloads, 'INVALID_KE_PAYLOAD')?.data;
    if (group !== undefined && mayTry(purpose.offer, purpose.ke, group))
      return rekeyIke(core, sa, group, freshKe(core, group, purpose.ke.tried));
    outcome(core, 'rekey-ike', notifyName(error));
    if (rival?.made === 'ike') moveTo(core, sa, rival.sa); // ours came to nothing, the gateway's stands
    return;
  }
  const made = judged(core, sa, purpose, payloads);
  if ('why' in made) {
    violation(core, `rekey-ike: ${made.why}`);
    outcome(core, 'rekey-ike', made.why);
    if (rival?.made === 'ike') moveTo(core, sa, rival.sa);
    return;
  }
  outcome(core, 'rekey-ike');
  if (rival?.made !== 'ike') {
    moveTo(core, sa, made.sa);
    return deleteSa(core, sa);
  }
  // §2.8.2: the one with the lowest nonce is deleted by who made it; who made the other one deletes the old one.
  if (compare(made.lowest, rival.lowest) < 0) {
    moveTo(core, sa, rival.sa);
    return deleteSa(core, made.sa);
  }
  moveTo(core, sa, made.sa);
  rival.sa.standing = 'replaced';
  deleteSa(core, sa);
}

function judged(
  core: Core,
  old: IkeSa,
  { offer, SPIi, Ni, ke }: IkePurpose,
  payloads: readonly Payload[],
): { readonly sa: IkeSa; readonly lowest: Uint8Array } | { readonly why: string } {
  const fault = formFault(payloads);
  if (fault !== undefined) return fault;
  const [SA, NONCE, KE] = [one(payloads, 'SA'), one(payloads, 'NONCE'), one(payloads, 'KE')];
  if (SA === undefined || NONCE === undefined) return { why: 'SA or nonce is missing' };
  const chosen = judgeChoice(offer, SA);
  if ('why' in chosen) return chosen;
  const suite = ikeSuite(chosen);
  if (suite === undefined) return { why: 'a suite that cannot work' };
  const [crypt, random] = algorithms(suite);
  if (NONCE.data.length < random.keyOctets / 2) return { why: `a nonce of ${NONCE.data.length} octets` };
  const shared = agreed(ke, suite.group, KE);
  if ('why' in shared) return shared;
  const SPIr = ikeSpi(chosen.proposal.spi);
  if (SPIr === NO_SPI) return { why: 'the responder chose no SPI' };
  const Nr = NONCE.data.slice();
  const before = { prf: old.prf, SK_d: old.keys.SK_d };
  const keys = ikeKeys(random, crypt, shared.secret, { Ni, Nr }, { SPIi, SPIr }, before);
  return { sa: addSa(core, { SPIi, SPIr, initiator: true, suite, keys }, 0), lowest: lower(Ni, Nr) };
}

/** The children are inherited, and what is asked from now on is asked of the new SA. */
export function moveTo(core: Core, old: IkeSa, sa: IkeSa): void {
  if (old.standing === 'live') old.standing = 'replaced';
  core.ike = sa;
  runQueue(core);
}

/** Deletes an IKE SA that is not the current one any more; it has no request of ours in flight. */
export function deleteSa(core: Core, sa: IkeSa): void {
  sa.standing = 'deleting';
  const D: Payload = { kind: 'D', protocol: Protocol.IKE, spiSize: 0, spis: [] };
  request(core, sa, Exchange.INFORMATIONAL, [D], { kind: 'delete-ike' });
}
