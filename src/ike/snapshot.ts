/** SAs as plain frozen values for whoever shows them: no methods, no secrets. */
import { addressText } from '../wire/index.ts';
import { type ChildSa, type Endpoint, type IkeSa, type Instant, nameOf } from './sa.ts';
import type { Slot } from './slot.ts';

export type ChildView = {
  readonly number: number;
  readonly phase2: string;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: string;
  readonly state: ChildSa['state'];
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
  readonly peerId: string | undefined;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly fctUid: string | undefined;
  readonly assigned4: string | undefined;
  readonly assigned6: string | undefined;
  readonly children: readonly ChildView[];
};

export function viewOf({ sa, path }: Slot, now: Instant): GatewayView {
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
      expires: Math.round((c.hard - now) / 1000),
    })),
  });
}
