/** The door of ike: the IKEv2 responder as a value machine. */

export type { Holding } from './elsewhere.ts';
export { type Command, type Datagram, Engine } from './engine.ts';
export type { Answer, ChildKeys, PathVerdict, Question } from './exchange.ts';
export { ALONE, LANES_MAX, type Lane, laneOf } from './lane.ts';
export type { Watch } from './liveness.ts';
export { type IkeKeyTable, OUSTED, type Ousting, type Output, type Ticket } from './outbox.ts';
export type { ChildSa, Endpoint } from './sa.ts';
export type { ChildView, GatewayView } from './snapshot.ts';
export type { Clocks, Entropy } from './world.ts';
