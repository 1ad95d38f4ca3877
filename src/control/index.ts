/** The door of control: the socket by which people look into the daemon and tell it what to do, and the commands on it. */
export { type ControlClient, connectControl, type Person } from './client.ts';
export { commandList, controlCommands } from './commands.ts';
export { ControlRefused } from './refused.ts';
export { type Commands, type ControlOptions, type ControlServer, type Io, serveControl } from './server.ts';
export type { ControlView, EmsView, GatewayShown, TrafficOff, TrafficShown } from './view.ts';
