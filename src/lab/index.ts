/** The door of lab: the world around the gateway, for tests, measurements and demonstrations. */
export { LabClient, type Way } from './client.ts';
export type { Child, Datagram, Ending, Outcome, SeenNotify } from './core.ts';
export { Dial, type DialOptions } from './dial.ts';
export * from './ems/index.ts';
export { type FortiClientFields, fortiClientAttributes, fortiClientConnect } from './fortinet.ts';
export { type Impairment, impairments, impairmentText, parseImpairment } from './impair.ts';
export type { ChildKeys, IkeKeys } from './keys.ts';
export type { NatFindings, Path } from './nat.ts';
export { identity, selector, selectorText } from './octets.ts';
export type { ClientAuth, EapMethod, Endpoint, GatewayAuth, Identity, LabOptions, Spoken } from './options.ts';
export { type EchoOptions, type Pinged, type PingOptions, ping, type Tunnel, udpEcho } from './ping.ts';
export type { EspSuite, IkeSuite } from './proposals.ts';
export type { LabStatus } from './status.ts';
export { tcpEcho } from './tcpEcho.ts';
export { type Port, realWorld, type World } from './world.ts';
