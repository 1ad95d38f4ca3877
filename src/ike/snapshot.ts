/** SAs as plain frozen values for whoever shows them: no methods, no secrets. */
import { formatPostureTag } from '../posture/index.ts';
import { addressText } from '../wire/index.ts';
import { selectorText } from './narrate.ts';
import { type ChildSa, type Endpoint, type Established, type IkeSa, type Instant, nameOf } from './sa.ts';
import type { Slot } from './slot.ts';

export type ChildView = {
  readonly number: number;
  readonly phase2: string;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: string;
  readonly state: ChildSa['state'];
  /** Transform numbers, the key's length in bits. */
  readonly encr: number;
  readonly keyLength: number;
  readonly integ: number;
  readonly esn: boolean;
  /** add-route of its phase 2. */
  readonly addRoute: boolean;
  /** The client's side and ours, as `protocol:first-last:port`. */
  readonly TSi: readonly string[];
  readonly TSr: readonly string[];
  /** Seconds that it may live. */
  readonly lifetime: number;
  /** Seconds until its hard end. */
  readonly expires: number;
};

export type GatewayView = {
  readonly name: string;
  readonly id: number;
  readonly at: IkeSa['at'];
  readonly SPIi: string;
  readonly SPIr: string;
  readonly initiator: boolean;
  readonly suite: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly natMe: boolean;
  readonly natPeer: boolean;
  /** Seconds since IKE_SA_INIT. */
  readonly age: number;
  /** Its phase1-interface, once there is one; NAT keepalive in seconds. */
  readonly profile?: string;
  readonly keepalive?: number;
  /** Liveness: ms, tries, tries of the question under way, questions so far. */
  readonly dpd?: {
    readonly mode: 'disable' | 'on-idle' | 'on-demand';
    readonly idle: number;
    readonly retry: number;
    readonly count: number;
    readonly seqno: number;
  };
  /** The interface of its phase1-interface, once there is one. */
  readonly interface?: string;
  /** Seconds since it was established, and ms that this took. */
  readonly established?: { readonly age: number; readonly took: number };
  /** Seconds: how long it may live, and until it is renewed; 0 where the client does that. */
  readonly lifetime?: { readonly whole: number; readonly rekey: number };
  readonly peerId: string | undefined;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly fctUid: string | undefined;
  readonly assigned4: string | undefined;
  readonly assigned6: string | undefined;
  readonly children: readonly ChildView[];
  /** The next message ID of our own requests, and the next one awaited. */
  readonly messageIds: { readonly sent: number; readonly received: number };
  /** What it stands on before the gate; undefined where no tag is wanted, and before that. */
  readonly posture?: PostureView;
};

export type PostureView = {
  readonly standing: 'clear' | 'probation';
  readonly by: string;
  /** `EMS3_ZTNA_name` */
  readonly tag: string | undefined;
  /** Seconds until it is over, unless it is renewed. */
  readonly seconds: number;
  /** It has lost its standing, and what it was left with. */
  readonly restraint: 'none' | 'log' | 'quarantine';
};

export function viewOf({ sa, path, window, own }: Slot, now: Instant): GatewayView {
  const { basis } = sa;
  const open = sa.at === 'established' ? sa : undefined;
  return Object.freeze({
    name: nameOf(sa),
    id: basis.id,
    at: sa.at,
    SPIi: basis.SPIi,
    SPIr: basis.SPIr,
    initiator: basis.initiator,
    suite: basis.suite.text,
    local: path.local,
    remote: path.remote,
    natMe: basis.natMe,
    natPeer: basis.natPeer,
    age: Math.round((now - basis.born) / 1000),
    ...(open === undefined ? {} : { ...standingOf(open, now), ...livenessOf(open, own), ...postureOf(open, now) }),
    messageIds: { sent: own?.next ?? 0, received: window.next },
    peerId: open?.proof.idText,
    user: open?.proof.user,
    group: open?.proof.group,
    fctUid: open?.client?.uid,
    assigned4: open?.lease4 === undefined ? undefined : addressText(open.lease4.address),
    assigned6: open?.lease6 === undefined ? undefined : addressText(open.lease6.address),
    children: (open?.children ?? []).map((c) => ({
      number: c.number,
      phase2: c.phase2.name,
      spiIn: c.spiIn,
      spiOut: c.spiOut,
      suite: c.suite.text,
      state: c.state,
      ...{ encr: c.suite.encr, keyLength: c.suite.keyLength, integ: c.suite.integ, esn: c.suite.esn },
      addRoute: c.phase2.addRoute,
      TSi: c.TSi.map(selectorText),
      TSr: c.TSr.map(selectorText),
      lifetime: Number.isFinite(c.hard) ? Math.round((c.hard - c.born) / 1000) : 0,
      expires: Number.isFinite(c.hard) ? Math.max(0, Math.round((c.hard - now) / 1000)) : 0,
    })),
  });
}

function postureOf({ profile, standing, restraint, ends }: Established, now: Instant): { readonly posture?: PostureView } {
  if (profile.match.kind !== 'ztna') return {};
  const seconds = Number.isFinite(ends) ? Math.max(0, Math.round((ends - now) / 1000)) : 0;
  const by = standing.kind === 'clear' ? standing.source : 'token-announced';
  const tag = standing.kind === 'clear' && standing.tag !== undefined ? formatPostureTag(standing.tag) : undefined;
  return { posture: { standing: standing.kind, by, tag, seconds, restraint } };
}

function livenessOf({ profile: { name, keepalive, dpd } }: Established, own: Slot['own']) {
  const count = own?.current?.pending.request.do === 'dpd' ? own.current.tries : 0;
  const { mode, retryInterval: idle, retryCount: retry } = dpd;
  return { profile: name, keepalive, dpd: { mode, idle, retry, count, seqno: own?.probes ?? 0 } };
}

const standingOf = ({ profile, since, soft, basis }: Established, now: Instant) => ({
  interface: profile.interface,
  established: { age: Math.round((now - since) / 1000), took: Math.round(since - basis.born) },
  lifetime: { whole: profile.keylife, rekey: Number.isFinite(soft) ? Math.max(0, Math.round((soft - now) / 1000)) : 0 },
});
