/** `postern execute`: what the daemon is to do once. */
import { fortiVerb } from './control.ts';

export const execute = fortiVerb(
  'execute',
  'have the running daemon do something: read its configuration again, accept the certificate of an EMS',
  [
    '`reload` takes the configuration file whole or not at all; tunnels are judged by it.',
    'Speaks to the running daemon through its state directory. `fctems verify` shows the certificate of an EMS and asks whether',
    'to accept it; without a terminal the answer is no.',
  ],
);
