/** `postern diagnose`: a look inside the running daemon. */
import { fortiVerb } from './control.ts';

export const diagnose = fortiVerb('diagnose', 'look inside the running daemon: devices, tags, EMS, gateways', [
  "Speaks to the running daemon through its state directory, and prints what it knows in FortiOS' layouts.",
]);
