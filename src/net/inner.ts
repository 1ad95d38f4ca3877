/** The network behind the gateway, packet by packet. */
import type { NatRule } from './masquerade.ts';
import type { AddressRange } from './prefixes.ts';
import type { RouteRefused } from './routes.ts';

/** What the machine must know of a configuration. */
export type InsideConfig = {
  readonly routes: readonly AddressRange[];
  readonly nat: readonly NatRule[];
  /** Prefixes of these are not routed, though they may be of `routes`, too. */
  readonly without?: readonly AddressRange[];
};

/** Octets are the receiver's only during the call. */
export type InnerNetwork = {
  readonly name: string;
  readonly mtu: number;
  /** One IP packet for the inside; ten octets before it may be written over. False: it was not taken, is lost and counted. */
  send(octets: Uint8Array, at: number, length: number): boolean;
  counters(): Readonly<Record<string, number>>;
  /** Other pools and policies. Rejects with EnvironmentRefused, and then those of before are in force. */
  become(inside: InsideConfig): Promise<void>;
  /** Exactly these prefixes beside the pools, as `prefixesOf` writes them; gives those that could not be had. */
  routes(prefixes: readonly string[]): Promise<readonly RouteRefused[]>;
  close(): Promise<void>;
};
