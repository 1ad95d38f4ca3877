/**
 * What a lab client shows of itself: for tests that hold both ends against each other, and for people. Keys are shown; this is a
 * laboratory.
 */
import type { Certificate } from '../../crypto/index.ts';
import { addressText, type CfgValue, Exchange, type IkeSpi, NO_SPI, notifyType } from '../wire/index.ts';
import { type Child, type Core, type Ending, type IkeSa, notifyName, type Outcome, type SeenNotify, type Stage } from './core.ts';
import type { EspCounters } from './espEnd.ts';
import type { IkeKeys } from './keys.ts';
import type { NatFindings, Path } from './nat.ts';
import type { Identity } from './options.ts';
import type { IkeSuite } from './proposals.ts';

export type LabStatus = {
  readonly at: Stage['at'];
  /** Why it failed or closed, '' before. */
  readonly why: string;
  /** The same for programs. */
  readonly ending: Ending | undefined;
  readonly SPIi: IkeSpi;
  readonly SPIr: IkeSpi;
  readonly suite: IkeSuite | undefined;
  readonly keys: IkeKeys | undefined;
  /** Every IKE SA that is not gone yet: two after a rekey, until the old one is deleted. */
  readonly ikeSas: readonly {
    readonly SPIi: IkeSpi;
    readonly SPIr: IkeSpi;
    readonly standing: IkeSa['standing'];
    readonly initiator: boolean;
  }[];
  readonly children: readonly Child[];
  /** Inner addresses of the configuration payload, as text. */
  readonly assigned: readonly string[];
  readonly cfg: readonly CfgValue[];
  readonly gatewayId: Identity | undefined;
  /** 'pre-shared key', 'RSA with SHA-256', …: how the gateway proved itself. */
  readonly gatewayProof: string | undefined;
  /** The gateway's, leaf first. */
  readonly certificates: readonly Certificate[];
  readonly nat: NatFindings | undefined;
  readonly path: Path;
  readonly fragmentation: boolean;
  /** The notifies that the gateway sent, the last ones (`counters.notifies` is how many), and their names. */
  readonly notifies: readonly SeenNotify[];
  readonly notifyNames: readonly string[];
  /** Numbers of those in INFORMATIONAL, in requests and in answers: what it has to say once we are in. */
  readonly informed: readonly number[];
  /** What the gateway did against the RFC and we lived with. */
  readonly violations: readonly string[];
  /** What became of our own requests. */
  readonly outcomes: readonly Outcome[];
  /** Why datagrams were dropped, the first ones. */
  readonly drops: readonly string[];
  readonly counters: Core['counters'];
  /** What the tunnel has carried, and what went no further. */
  readonly esp: EspCounters;
  /** A request of ours is not answered yet, or waits for its turn. */
  readonly busy: boolean;
};

export function statusOf(core: Core): LabStatus {
  const { stage, ike } = core;
  return {
    at: stage.at,
    why: stage.at === 'failed' || stage.at === 'closed' ? stage.why : '',
    ending: stage.at === 'failed' || stage.at === 'closed' ? stage.ending : undefined,
    SPIi: ike?.SPIi ?? (stage.at === 'init' ? stage.SPIi : NO_SPI),
    SPIr: ike?.SPIr ?? NO_SPI,
    suite: ike?.suite,
    keys: ike?.keys,
    ikeSas: [...core.sas.values()].map(({ SPIi, SPIr, standing, initiator }) => ({ SPIi, SPIr, standing, initiator })),
    children: core.children.map((child) => ({ ...child })),
    assigned: core.cfg.flatMap(addressOf),
    cfg: core.cfg,
    gatewayId: core.gatewayId,
    gatewayProof: core.gatewayProof,
    certificates: core.certificates,
    nat: core.nat,
    path: core.path,
    fragmentation: core.fragments,
    notifies: [...core.notifies],
    notifyNames: core.notifies.map(({ notify }) => notifyName(notify)),
    informed: core.notifies.filter((n) => n.exchange === Exchange.INFORMATIONAL).map(({ notify }) => notifyType(notify)),
    violations: [...core.violations],
    outcomes: [...core.outcomes],
    drops: [...core.drops],
    counters: { ...core.counters },
    esp: core.esp.counters,
    busy: stage.at === 'init' || core.queue.length > 0 || [...core.sas.values()].some((sa) => sa.pending !== undefined),
  };
}

function addressOf({ type, value }: CfgValue): readonly string[] {
  if (type === 1 && value.length === 4) return [addressText(value)];
  return type === 8 && value.length === 17 ? [addressText(value.subarray(0, 16))] : [];
}
