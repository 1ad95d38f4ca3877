/** The operating system's network, as the daemon sees it. */
export { type LocalAddress, localAddresses, localNetworks } from './addresses.ts';
export { type Capture, openCapture } from './capture.ts';
export type { EspKeys } from './espTable.ts';
export { forwardDrops } from './forwardDrops.ts';
export { type Geography, openGeography } from './geography.ts';
export type { InnerNetwork, InsideConfig } from './inner.ts';
export { kernelSockets, offloads } from './kernelSockets.ts';
export { type IkeKeys, type KeyTable, openKeyTable } from './keyTable.ts';
export { labHost } from './labHost.ts';
export { type MemoryUdp, memoryUdp } from './memory.ts';
export { type SystemCalls, systemCalls } from './native.ts';
export { openTun } from './openTun.ts';
export { largestMtu, pathMtu } from './pathMtu.ts';
export { type AddressRange, prefixesOf } from './prefixes.ts';
export { hasProgram } from './programs.ts';
export { codeOf, EnvironmentRefused } from './refusal.ts';
export { SocketGroups } from './reuseport.ts';
export type { RouteRefused } from './routes.ts';
export { type Endpoint, type OpenSocket, SOCKET_BUFFER } from './sockets.ts';
export { notForwarding } from './system.ts';
export {
  type Datagram,
  type ListenChange,
  type Listener,
  openUdp,
  type UdpCounters,
  type UdpPort,
} from './udp.ts';
