/** `postern ems`: an EMS for the lab, and the commands of its administrator. */
import { never } from './ems/ask.ts';
import { endpoint } from './ems/endpoint.ts';
import { fault } from './ems/fault.ts';
import { gateway } from './ems/gateway.ts';
import { runEms } from './ems/run.ts';
import { tag } from './ems/tag.ts';
import { rotateKey, token } from './ems/token.ts';
import { tunnels } from './ems/tunnels.ts';
import type { Verb } from './verb.ts';

export const ems: Verb = {
  name: 'ems',
  summary: 'run an EMS emulator and change what it says: devices, tags, tokens, faults',
  text: [
    'An EMS for the lab: it speaks the API of docs/ems-api.md, signs zero-trust tokens, and can be every kind of bad EMS.',
    '`postern ems run` runs it; the other verbs talk to the one that runs with the same --state.',
  ],
  options: [],
  verbs: [runEms, endpoint, tag, token, rotateKey, gateway, fault, tunnels],
  run: never,
};
