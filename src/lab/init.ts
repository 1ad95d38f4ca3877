/**
 * IKE_SA_INIT from the initiator's end (RFC 7296 §1.2, §2.6, §2.7, §2.23).
 *
 *   HDR, [N(COOKIE)], SAi1, KEi, Ni, V, N(NAT-D), …  -->
 *                                                   <--  HDR, N(COOKIE) | N(INVALID_KE_PAYLOAD) | SAr1, KEr, Nr, …
 */
import { group as groupOf, type KeyPair } from '../../crypto/index.ts';
import {
  decodeMessage,
  type Envelope,
  Exchange,
  encodeMessage,
  equal,
  type Header,
  type IkeSpi,
  ikeSpi,
  Malformed,
  NO_SPI,
  type Notify,
  notify,
  type Payload,
  VENDOR,
} from '../wire/index.ts';
import { beginAuth } from './auth.ts';
import { errorIn, offerChild } from './child.ts';
import {
  addSa,
  algorithms,
  type Core,
  drop,
  end,
  fly,
  formFault,
  type InitStage,
  type Ke,
  notifyName,
  refusedBy,
  remember,
  violation,
} from './core.ts';
import { ikeKeys } from './keys.ts';
import { judgeNat, natHash, nattPath } from './nat.ts';
import { notifyOf, one } from './octets.ts';
import type { Endpoint } from './options.ts';
import { ikeSuite, judgeChoice } from './proposals.ts';

const MOST_COOKIES = 4;
const INVALID_KE = 17;

export function beginInit(core: Core): void {
  const first = core.o.groups[0];
  if (first === undefined) throw new RangeError('no Diffie-Hellman group to begin with');
  const SPIi = freshIkeSpi(core);
  send(core, { SPIi, Ni: core.o.random(core.o.nonceOctets), ke: freshKe(core, first, []), cookie: undefined, cookies: 0 });
}

export function freshIkeSpi(core: Core): IkeSpi {
  for (;;) {
    const spi = ikeSpi(core.o.random(8));
    if (spi !== NO_SPI) return spi;
  }
}

/** Our half of a Diffie-Hellman exchange. RangeError for a group that crypto does not have. */
export function freshKe(core: Core, id: number, tried: readonly number[]): Ke {
  const found = groupOf(id);
  if (found === undefined) throw new RangeError(`no Diffie-Hellman group ${id} here`);
  const pair: KeyPair = core.o.keyPair(found);
  return { group: id, pair, tried: [...tried, id] };
}

type Attempt = Pick<InitStage, 'SPIi' | 'Ni' | 'ke' | 'cookie' | 'cookies'>;

function send(core: Core, attempt: Attempt): void {
  const { SPIi, Ni, ke, cookie } = attempt;
  const { o } = core;
  const strike = core.impairer.strike(Exchange.IKE_SA_INIT);
  const payloads: readonly Payload[] = [
    ...(cookie === undefined ? [] : [notify('COOKIE', cookie)]), // §2.6: the first payload
    { kind: 'SA', proposals: o.ikeOffer },
    { kind: 'KE', group: ke.group, data: ke.pair.publicValue },
    { kind: 'NONCE', data: Ni },
    ...(o.vendorIds ? [VENDOR.connectLicense, VENDOR.endpointControl, VENDOR.eapExtension] : []).map(
      (data): Payload => ({ kind: 'V', data }),
    ),
    ...natNotifies(core, SPIi),
    ...(o.fragmentation ? [notify('IKEV2_FRAGMENTATION_SUPPORTED')] : []),
    ...(o.signatureHashes.length > 0 ? [notify('SIGNATURE_HASH_ALGORITHMS', o.signatureHashes)] : []),
    ...(o.networkId === undefined ? [] : [notify('VPN_NETWORK_ID', o.networkId)]),
  ];
  o.onMessage?.({ by: 'us', exchange: Exchange.IKE_SA_INIT, messageId: 0, response: false, payloads });
  const envelope: Envelope = strike.envelope({
    SPIi,
    SPIr: NO_SPI,
    exchange: Exchange.IKE_SA_INIT,
    initiator: true,
    response: false,
    messageId: 0,
  });
  const message1 = encodeMessage(envelope, strike.payloads(payloads));
  strike.header(message1, message1.length);
  const flight = fly(core, Exchange.IKE_SA_INIT, 0, strike.datagrams([message1]));
  core.stage = { at: 'init', ...attempt, message1, flight, heard: undefined };
}

function natNotifies(core: Core, SPIi: IkeSpi): readonly Payload[] {
  const { o, path } = core;
  if (o.natt === 'off') return [];
  const source = o.fakeNat ? o.random(20) : natHash(SPIi, NO_SPI, path.local);
  return [notify('NAT_DETECTION_SOURCE_IP', source), notify('NAT_DETECTION_DESTINATION_IP', natHash(SPIi, NO_SPI, path.remote))];
}

/** A response to our IKE_SA_INIT, in octets without marker, and the way it came. */
export function initAnswer(
  core: Core,
  stage: InitStage,
  octets: Uint8Array,
  header: Header,
  way: { readonly from: Endpoint; readonly to: Endpoint },
): void {
  const payloads = clearPayloads(core, octets, header);
  if (payloads === undefined) return;
  remember(core, header, payloads);
  const cookie = notifyOf(payloads, 'COOKIE');
  const SA = one(payloads, 'SA');
  if (SA === undefined && cookie !== undefined) return again(core, stage, cookie.data);
  const wanted = notifyOf(payloads, 'INVALID_KE_PAYLOAD');
  if (SA === undefined && wanted !== undefined) return otherGroup(core, stage, wanted.data);
  const error = errorIn(payloads);
  if (SA === undefined && error !== undefined) return heard(core, stage, error);
  judgeAnswer(core, stage, octets, header, payloads, way);
}

/** The payloads of an unprotected message; undefined when it is dropped: anybody could have sent it. */
function clearPayloads(core: Core, octets: Uint8Array, header: Header): readonly Payload[] | undefined {
  try {
    const { payloads, sealed } = decodeMessage(octets, header);
    const fault = formFault(payloads);
    if (sealed === undefined && fault === undefined) return payloads;
    drop(core, `IKE_SA_INIT: ${fault?.why ?? 'protected'}`);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    drop(core, `IKE_SA_INIT: ${error.message}`);
  }
  return undefined;
}

/** §2.6: the same request once more, with the cookie in front. */
function again(core: Core, stage: InitStage, cookie: Uint8Array): void {
  if (stage.cookies === MOST_COOKIES)
    return end(core, 'failed', `the gateway wanted a cookie ${MOST_COOKIES + 1} times`, refusedBy());
  // The answer to an earlier repetition of ours comes late: we have said it already.
  if (stage.cookie !== undefined && equal(stage.cookie, cookie)) return drop(core, 'the same cookie once more');
  send(core, { ...stage, cookie: cookie.slice(), cookies: stage.cookies + 1 });
}

/** §1.2, §2.6.1: another group of those we offered; the cookie goes along. */
function otherGroup(core: Core, stage: InitStage, group: number): void {
  if (stage.ke.group === group) return drop(core, 'INVALID_KE_PAYLOAD for the group that was sent');
  const offered = core.o.ikeOffer.some((p) => p.transforms.some((t) => t.type === 4 && t.id === group));
  const refused = { by: 'gateway', deleted: false, notify: INVALID_KE } as const;
  if (!offered) return end(core, 'failed', `the gateway wants group ${group}, which was not offered`, refused);
  if (stage.ke.tried.includes(group)) return end(core, 'failed', `the gateway wants group ${group} again`, refused);
  send(core, { ...stage, ke: freshKe(core, group, stage.ke.tried) });
}

function heard(core: Core, stage: InitStage, error: Notify): void {
  if (core.o.patient) core.stage = { ...stage, heard: error };
  else end(core, 'failed', `the gateway says ${notifyName(error)}`, refusedBy(error));
}

function judgeAnswer(
  core: Core,
  stage: InitStage,
  octets: Uint8Array,
  header: Header,
  payloads: readonly Payload[],
  way: { readonly from: Endpoint; readonly to: Endpoint },
): void {
  const { o } = core;
  const fail = (why: string) => end(core, 'failed', `IKE_SA_INIT response: ${why}`, { by: 'distrust' });
  const [SA, KE, NONCE] = [one(payloads, 'SA'), one(payloads, 'KE'), one(payloads, 'NONCE')];
  if (SA === undefined || KE === undefined || NONCE === undefined) return fail('SA, KE or nonce is missing');
  const { SPIi } = stage;
  const { SPIr } = header;
  if (SPIr === NO_SPI) return fail('the responder chose no SPI');
  const chosen = judgeChoice(o.ikeOffer, SA);
  if ('why' in chosen) return fail(chosen.why);
  const suite = ikeSuite(chosen);
  if (suite === undefined) return fail('a suite that cannot work');
  if (suite.group !== KE.group || KE.group !== stage.ke.group)
    return fail(`group ${suite.group} chosen, public value of group ${KE.group}, ours is of group ${stage.ke.group}`);
  const [crypt, random] = algorithms(suite);
  // §2.10: half the key size of the PRF at least
  if (NONCE.data.length < random.keyOctets / 2) return fail(`a nonce of ${NONCE.data.length} octets for ${random.name}`);
  const shared = stage.ke.pair.agree(KE.data);
  if (shared === undefined) return fail('a public value that nobody may accept');

  const Nr = NONCE.data.slice();
  const nonces = { Ni: stage.Ni, Nr };
  const sa = addSa(core, { SPIi, SPIr, initiator: true, suite, keys: ikeKeys(random, crypt, shared, nonces, { SPIi, SPIr }) }, 1);
  core.ike = sa;
  judgeExtras(core, payloads);
  float(core, payloads, { SPIi, SPIr }, way);
  const childless = o.childless && notifyOf(payloads, 'CHILDLESS_IKEV2_SUPPORTED') !== undefined;
  const offer = childless ? undefined : offerChild(core, o, []);
  const hashes = notifyOf(payloads, 'SIGNATURE_HASH_ALGORITHMS')?.data;
  core.message2 = octets.slice();
  beginAuth(core, sa, { message1: stage.message1, message2: core.message2, ...nonces, hashes, offer });
}

/** What both must say, or neither. */
function judgeExtras(core: Core, payloads: readonly Payload[]): void {
  const fragments = notifyOf(payloads, 'IKEV2_FRAGMENTATION_SUPPORTED') !== undefined;
  if (fragments && !core.o.fragmentation) violation(core, 'IKEV2_FRAGMENTATION_SUPPORTED, which was not offered');
  core.fragments = fragments && core.o.fragmentation;
  const nat = notifyOf(payloads, 'NAT_DETECTION_SOURCE_IP') ?? notifyOf(payloads, 'NAT_DETECTION_DESTINATION_IP');
  if (nat !== undefined && core.o.natt === 'off') violation(core, 'NAT detection, which was not offered');
  if (notifyOf(payloads, 'COOKIE') !== undefined) violation(core, 'COOKIE beside SA');
}

/** §2.23: with a NAT in between, all that follows goes over the NAT-T ports. */
function float(
  core: Core,
  payloads: readonly Payload[],
  spis: { readonly SPIi: IkeSpi; readonly SPIr: IkeSpi },
  way: { readonly from: Endpoint; readonly to: Endpoint },
): void {
  const { o } = core;
  core.nat = o.natt === 'off' ? undefined : judgeNat(payloads, spis, way);
  if (core.nat === undefined) return;
  if (core.nat.local || core.nat.remote || o.fakeNat) core.path = nattPath(o);
  if ((core.nat.local || o.fakeNat) && o.keepalive !== undefined) core.keepaliveAt = core.now + o.keepalive;
}
