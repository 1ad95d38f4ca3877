/** The door of ems: connectors to EMS, tokens, and the resolver that gathers what the gate is told. */
export { Connector } from './connector.ts';
export type { ConnectorOptions, ConnectorStatus, ConnectorWorld } from './connectorTypes.ts';
export { EmsCallFailed, type EndpointRecord } from './driver.ts';
export { FortiosDriver } from './fortios.ts';
export { EmsHttp, type ServerCertificate } from './http.ts';
export { NativeDriver } from './native.ts';
export { Resolver } from './resolver.ts';
export { type EmsState, remedies } from './states.ts';
export { Store } from './store.ts';
export { TokenVerifier } from './token.ts';
export { type EmsAdmin, type EmsPort, emsAdmin } from './verify.ts';
