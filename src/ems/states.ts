/** The seven states of a connector, in the vendor's words, and which failure means which. */
import type { FailureKind } from './driver.ts';

export type EmsState =
  | 'Connected'
  | 'Cert unauthorized'
  | 'Auth failed'
  | 'Not reachable'
  | 'EMS server connection failed'
  | 'No compatible'
  | 'Not sent';

const states: { readonly [K in FailureKind]: EmsState } = {
  dns: 'Not sent', // nothing could be sent: its name cannot be resolved
  unreachable: 'Not reachable',
  certificate: 'Cert unauthorized',
  auth: 'Auth failed',
  server: 'EMS server connection failed',
  incompatible: 'No compatible',
  resync: 'EMS server connection failed',
};

export const stateOf = (kind: FailureKind): EmsState => states[kind];

/** What the operator can do about a state. */
export const remedies: { readonly [S in EmsState]: string } = {
  Connected: '',
  'Cert unauthorized': "look at its certificate and accept it: 'postern execute fctems verify NAME'; or set verifying-ca",
  'Auth failed': 'authorise this gateway on the EMS (Administration > Fabric Devices)',
  'Not reachable': 'look at server, https-port, source-ip and the route to it',
  'EMS server connection failed': 'look at the port, the serial number and the log of the EMS',
  'No compatible': "look at the driver ('config postern ems') and the version of the EMS",
  'Not sent': 'look at the name of the server and at DNS',
};
