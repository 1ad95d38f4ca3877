/**
 * What a lab client is made of while it runs: its IKE SAs with their windows, its children, what it has seen. Plain values that
 * the exchanges (init, auth, create, rekey, answer) change; client.ts alone is seen from outside.
 *
 * Window size is one (RFC 7296 §2.3): one request of ours is in flight on an IKE SA, others wait in `queue`.
 */
import { type Certificate, type Cipher, cipher, type KeyPair, type Prf, prf } from '../../crypto/index.ts';
import type { Secret } from '../../crypto/secret.ts';
import {
  type CfgValue,
  type IkeSpi,
  type Notify,
  notifyType,
  notifyTypeName,
  type Payload,
  type Proposal,
  type TrafficSelector,
  withMarker,
} from '../wire/index.ts';
import type { EapPeer } from './eap.ts';
import { EspEnd } from './espEnd.ts';
import { Impairer } from './impair.ts';
import type { ChildKeys, IkeKeys } from './keys.ts';
import { firstPath, type NatFindings, type Path } from './nat.ts';
import type { EapMethod, Endpoint, Identity, Settings } from './options.ts';
import type { EspSuite, IkeSuite } from './proposals.ts';
import { type Channel, Reassembly, roomFor, seal } from './protect.ts';

export type Datagram = { readonly from: Endpoint; readonly to: Endpoint; readonly octets: Uint8Array };

/** A request that was not answered yet, and when it is said again. */
export type Flight = {
  readonly exchange: number;
  readonly messageId: number;
  readonly datagrams: readonly Uint8Array[];
  due: number;
  wait: number;
  repeated: number;
};

/** What the answer to a request is for. */
export type Purpose =
  | { readonly kind: 'auth'; readonly step: 'first' | 'eap' | 'final' }
  | {
      readonly kind: 'child';
      readonly offer: ChildOffer;
      readonly Ni: Uint8Array;
      /** Our half of a Diffie-Hellman exchange; undefined without PFS. */
      readonly ke: Ke | undefined;
      readonly rekeys: Child | undefined;
    }
  | { readonly kind: 'ike'; readonly offer: readonly Proposal[]; readonly SPIi: IkeSpi; readonly Ni: Uint8Array; readonly ke: Ke }
  /** `unheld`: SPIs that only the gateway has children for. */
  | { readonly kind: 'delete-child'; readonly children: readonly Child[]; readonly unheld: number }
  | { readonly kind: 'delete-ike' | 'liveness' | 'token' | 'informational' | 'farewell' };
/** `tried`: groups that INVALID_KE_PAYLOAD has taken us through. */
export type Ke = { readonly group: number; readonly pair: KeyPair; readonly tried: readonly number[] };

/** What the gateway made while our own request for the same was under way (§2.8.1, §2.8.2). */
export type Rival =
  | { readonly made: 'child'; readonly child: Child; readonly lowest: Uint8Array }
  | { readonly made: 'ike'; readonly sa: IkeSa; readonly lowest: Uint8Array };
export type Pending = { readonly flight: Flight; readonly purpose: Purpose; rival: Rival | undefined };

export type IkeSa = {
  readonly SPIi: IkeSpi;
  readonly SPIr: IkeSpi;
  /** The one of the two that we chose. */
  readonly own: IkeSpi;
  /** We began it, the first one or the rekey that made it. */
  readonly initiator: boolean;
  readonly suite: IkeSuite;
  readonly prf: Prf;
  readonly keys: IkeKeys;
  readonly channel: Channel;
  readonly requests: Reassembly;
  readonly responses: Reassembly;
  /** ID of our next request, and of the next one of the gateway's. */
  nextId: number;
  expected: number;
  pending: Pending | undefined;
  answered: { readonly messageId: number; readonly datagrams: readonly Uint8Array[] } | undefined;
  /** The last answers to our requests, datagram by datagram: said once more, they must be the same. */
  readonly heard: { readonly messageId: number; readonly octets: Uint8Array }[];
  /** replaced: another one took over, its Delete is still to come. */
  standing: 'live' | 'replaced' | 'deleting';
};

export type ChildOffer = {
  readonly proposals: readonly Proposal[];
  readonly spiIn: number;
  readonly TSi: readonly TrafficSelector[];
  readonly TSr: readonly TrafficSelector[];
};

export type Child = {
  readonly spiIn: number;
  readonly spiOut: number;
  /** Ours and the gateway's side, whoever began the exchange. */
  readonly TSi: readonly TrafficSelector[];
  readonly TSr: readonly TrafficSelector[];
  readonly suite: EspSuite;
  readonly transport: boolean;
  readonly madeBy: 'us' | 'gateway';
  /** `in` opens what the gateway sends. */
  readonly keys: { readonly in: ChildKeys; readonly out: ChildKeys };
  state: 'installed' | 'replaced' | 'deleting';
};

/** All that AUTH is made of, kept from IKE_SA_INIT to the end of IKE_AUTH. */
export type Intro = {
  /** IKE_SA_INIT as sent and as received, without marker. */
  readonly message1: Uint8Array;
  readonly message2: Uint8Array;
  readonly Ni: Uint8Array;
  readonly Nr: Uint8Array;
  /** The gateway's SIGNATURE_HASH_ALGORITHMS. */
  readonly hashes: readonly number[] | undefined;
  /** undefined: childless */
  readonly offer: ChildOffer | undefined;
};

export type Stage =
  | { readonly at: 'idle' }
  | InitStage
  | { readonly at: 'auth'; readonly intro: Intro; readonly eap: EapEnd | undefined }
  | { readonly at: 'eap'; readonly intro: Intro; readonly peer: EapPeer }
  | { readonly at: 'established' }
  | { readonly at: 'failed' | 'closed'; readonly why: string; readonly ending: Ending };
/** How EAP ended well. */
export type EapEnd = { readonly method: EapMethod; readonly msk: Secret | undefined };
export type InitStage = {
  readonly at: 'init';
  readonly SPIi: IkeSpi;
  readonly Ni: Uint8Array;
  readonly ke: Ke;
  readonly cookie: Uint8Array | undefined;
  readonly cookies: number;
  /** As sent. */
  readonly message1: Uint8Array;
  readonly flight: Flight;
  /** The last unprotected error, for when nothing better comes. */
  readonly heard: Notify | undefined;
};

export type SeenNotify = { readonly exchange: number; readonly messageId: number; readonly notify: Notify };
/**
 * How it ended, for programs; `why` says it to people. `gateway`: it refused us or deleted the SA, with this notify if with any;
 * `distrust`: it could not prove itself, or spoke no sense.
 */
export type Ending =
  | { readonly by: 'us' | 'silence' | 'distrust' }
  | { readonly by: 'gateway'; readonly deleted: boolean; readonly notify: number | undefined };
export const refusedBy = (notify?: Notify): Ending => ({
  ...{ by: 'gateway', deleted: false },
  notify: notify && notifyType(notify),
});
export type Outcome = { readonly verb: string; readonly ok: boolean; readonly why: string };

export type Core = {
  readonly o: Settings;
  readonly impairer: Impairer;
  now: number;
  stage: Stage;
  path: Path;
  nat: NatFindings | undefined;
  /** Both ends said that they can. */
  fragments: boolean;
  /** By our own SPI. */
  readonly sas: Map<IkeSpi, IkeSa>;
  /** SAs that the gateway ended: our last answer may be lost, and is asked for again. */
  readonly ended: IkeSa[];
  /** The one that new requests go out on. */
  ike: IkeSa | undefined;
  /** The answer to IKE_SA_INIT that counted, without marker. */
  message2: Uint8Array | undefined;
  children: readonly Child[];
  readonly esp: EspEnd;
  readonly queue: (() => void)[];
  readonly outbox: Datagram[];
  keepaliveAt: number | undefined;
  gatewayId: Identity | undefined;
  /** How the gateway proved it: 'pre-shared key', 'RSA with SHA-256'. */
  gatewayProof: string | undefined;
  certificates: readonly Certificate[];
  cfg: readonly CfgValue[];
  readonly notifies: SeenNotify[];
  readonly violations: string[];
  readonly outcomes: Outcome[];
  readonly drops: string[];
  readonly counters: { received: number; sent: number; repeated: number; dropped: number; esp: number; notifies: number };
};

/** Lists that a gateway could fill stop here. */
const MOST = 64;

export function newCore(o: Settings): Core {
  return {
    o,
    impairer: new Impairer(o.impair),
    now: 0,
    stage: { at: 'idle' },
    path: firstPath(o),
    nat: undefined,
    fragments: false,
    sas: new Map(),
    ended: [],
    ike: undefined,
    message2: undefined,
    children: [],
    esp: new EspEnd(o.random),
    queue: [],
    outbox: [],
    keepaliveAt: undefined,
    gatewayId: undefined,
    gatewayProof: undefined,
    certificates: [],
    cfg: [],
    notifies: [],
    violations: [],
    outcomes: [],
    drops: [],
    counters: { received: 0, sent: 0, repeated: 0, dropped: 0, esp: 0, notifies: 0 },
  };
}

type Fresh = Pick<IkeSa, 'SPIi' | 'SPIr' | 'initiator' | 'suite' | 'keys'>;

/** Takes up an IKE SA. `nextId` is 1 after IKE_SA_INIT, 0 after a rekey (§2.2). */
export function addSa(core: Core, { SPIi, SPIr, initiator, suite, keys }: Fresh, nextId: number): IkeSa {
  const [crypt, random] = algorithms(suite);
  const [outer, inner] = [
    { encr: keys.SK_ei, integ: keys.SK_ai },
    { encr: keys.SK_er, integ: keys.SK_ar },
  ];
  const [out, back] = initiator ? [outer, inner] : [inner, outer];
  const sa: IkeSa = {
    SPIi,
    SPIr,
    own: initiator ? SPIi : SPIr,
    initiator,
    suite,
    prf: random,
    keys,
    channel: {
      cipher: crypt,
      sealer: crypt.sealer(out.encr, out.integ),
      opener: crypt.opener(back.encr, back.integ),
      random: core.o.random,
      counter: 0,
      ivs: new Map(),
      repeatedIv: false,
    },
    requests: new Reassembly(),
    responses: new Reassembly(),
    nextId,
    expected: 0,
    pending: undefined,
    answered: undefined,
    heard: [],
    standing: 'live',
  };
  core.sas.set(sa.own, sa);
  return sa;
}

/** The algorithms of a suite that `ikeSuite` has found to be spoken here. */
export function algorithms(suite: IkeSuite): readonly [Cipher, Prf] {
  const [crypt, random] = [cipher(suite.encr, suite.keyLength, suite.integ), prf(suite.prf)];
  if (crypt === undefined || random === undefined) throw new RangeError('a suite without algorithms');
  return [crypt, random];
}

/** Puts datagrams of IKE into the outbox, with the marker where the path wants it. */
export function emit(core: Core, datagrams: readonly Uint8Array[]): void {
  const { local: from, remote: to, natt } = core.path;
  for (const octets of datagrams) core.outbox.push({ from, to, octets: natt ? withMarker(octets) : octets });
  core.counters.sent += datagrams.length;
  if (core.keepaliveAt !== undefined && core.o.keepalive !== undefined) core.keepaliveAt = core.now + core.o.keepalive;
}

export function fly(core: Core, exchange: number, messageId: number, datagrams: readonly Uint8Array[]): Flight {
  emit(core, datagrams);
  const wait = core.o.retransmit.first;
  return { exchange, messageId, datagrams, due: core.now + wait, wait, repeated: 0 };
}

/** Says it again when it is due; false when we have said it often enough (§2.4). */
export function repeat(core: Core, flight: Flight): boolean {
  if (flight.due > core.now) return true;
  if (flight.repeated === core.o.retransmit.most) return false;
  flight.repeated += 1;
  flight.wait *= core.o.retransmit.factor;
  flight.due = core.now + flight.wait;
  core.counters.repeated += 1;
  emit(core, flight.datagrams);
  return true;
}

/** Sends a request of ours; the SA has none in flight. */
export function request(core: Core, sa: IkeSa, exchange: number, payloads: readonly Payload[], purpose: Purpose): void {
  const messageId = sa.nextId;
  sa.nextId += 1;
  const datagrams = sealed(core, sa, exchange, messageId, payloads, false);
  sa.pending = { flight: fly(core, exchange, messageId, datagrams), purpose, rival: undefined };
}

/** Answers the request with this ID, and remembers the answer for its repetitions (§2.1). */
export function respond(core: Core, sa: IkeSa, exchange: number, messageId: number, payloads: readonly Payload[]): void {
  const datagrams = sealed(core, sa, exchange, messageId, payloads, true);
  sa.answered = { messageId, datagrams };
  emit(core, datagrams);
}

function sealed(core: Core, sa: IkeSa, exchange: number, messageId: number, payloads: readonly Payload[], response: boolean) {
  core.o.onMessage?.({ by: 'us', exchange, messageId, response, payloads });
  const { SPIi, SPIr, initiator } = sa;
  const room = core.fragments ? roomFor(core.o.mtu, core.path.remote.address) : 0;
  const envelope = { SPIi, SPIr, exchange, initiator, response, messageId };
  return seal(sa.channel, envelope, payloads, room, core.impairer.strike(exchange));
}

/** Runs when the IKE SA is free: now, or behind what waits already; what must follow at once goes in front. */
export function whenFree(core: Core, work: () => void, atOnce = false): void {
  if (core.queue.length >= MOST) throw new RangeError('too many requests wait already');
  if (atOnce) core.queue.unshift(work);
  else core.queue.push(work);
  runQueue(core);
}

export function runQueue(core: Core): void {
  while (core.queue.length > 0) {
    if (core.stage.at !== 'established' || core.ike === undefined || core.ike.pending !== undefined) return;
    core.queue.shift()?.();
  }
}

/** The gateway did what it must not do, and we can live with it. */
export function violation(core: Core, text: string): void {
  if (core.violations.length < MOST) core.violations.push(text);
}

export function drop(core: Core, why: string): void {
  core.counters.dropped += 1;
  if (core.drops.length < MOST) core.drops.push(why);
}

export function outcome(core: Core, verb: string, why = ''): void {
  if (core.outcomes.length === MOST) core.outcomes.shift();
  core.outcomes.push({ verb, ok: why === '', why });
}

/** Keeps the notifies of a message of the gateway's. */
export function remember(
  core: Core,
  { exchange, messageId, response }: { readonly exchange: number; readonly messageId: number; readonly response: boolean },
  payloads: readonly Payload[],
): void {
  core.o.onMessage?.({ by: 'gateway', exchange, messageId, response, payloads });
  for (const notify of payloads) {
    if (notify.kind !== 'N') continue;
    core.counters.notifies += 1;
    if (core.notifies.push({ exchange, messageId, notify }) > 4 * MOST) core.notifies.shift();
  }
}

/** The end of everything: no SA, no child, nothing in flight. */
export function end(core: Core, at: 'failed' | 'closed', why: string, ending: Ending = { by: 'us' }): void {
  if (core.stage.at === 'failed' || core.stage.at === 'closed') return;
  core.stage = { at, why, ending };
  core.sas.clear();
  core.ike = undefined;
  core.children = [];
  core.esp.follow([], core.now);
  core.queue.length = 0;
  core.keepaliveAt = undefined;
}

/** What is wrong with the set of payloads before any of them is looked at: two where one may be, or one that is critical. */
export function formFault(payloads: readonly Payload[]): { readonly why: string; readonly critical?: number } | undefined {
  for (let i = 0; i < payloads.length; i++) {
    const payload = payloads[i];
    if (payload === undefined) continue;
    if (payload.kind === 'UNKNOWN' && payload.critical)
      return { why: `critical payload of type ${payload.type}`, critical: payload.type };
    if (MANY.has(payload.kind)) continue;
    for (let j = i + 1; j < payloads.length; j++)
      if (payloads[j]?.kind === payload.kind) return { why: `two ${payload.kind} payloads` };
  }
  return undefined;
}
const MANY: ReadonlySet<Payload['kind']> = new Set(['N', 'V', 'CERT', 'CERTREQ', 'D', 'UNKNOWN']);

/** Name of a notify as IANA has it, or its number. */
export const notifyName = (n: Notify): string => notifyTypeName(notifyType(n));
