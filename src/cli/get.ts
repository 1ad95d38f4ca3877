/** `postern get`: what is there in the running daemon. */
import { fortiVerb } from './control.ts';

export const get = fortiVerb('get', 'what the running daemon has: gateways', [
  "Speaks to the running daemon through its state directory, and prints what it knows in FortiOS' layouts.",
]);
