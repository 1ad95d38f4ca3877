/** `postern ems tunnels`: what gateways told of tunnels. */
import { printable } from '../../wire/index.ts';
import type { Verb } from '../verb.ts';
import { ask, STATE, table } from './ask.ts';

export const tunnels: Verb = {
  name: 'tunnels',
  summary: 'show what gateways told of tunnels',
  text: [
    'Shows the tunnel-up and tunnel-down messages of the gateways since the emulator started, the last 1000, the eldest first.',
  ],
  options: [{ name: 'json', help: 'as JSON' }, STATE],
  run: (values, terminal) =>
    ask({ verb: 'tunnels', values, terminal, name: 'tunnels', takes: {} }, (seen) => {
      if (values.one('json') !== undefined) return [JSON.stringify(seen, undefined, 2)];
      if (seen.length === 0) return ['no gateway has told of a tunnel'];
      const rows = seen.map(({ at, event, uid, gateway, address, vdom, by }) =>
        [new Date(at * 1000).toISOString(), event, uid, gateway, address, vdom, by].map((cell) => printable(cell, 64)),
      );
      return table(['TIME', 'EVENT', 'UID', 'GATEWAY', 'ADDRESS', 'VDOM', 'TOLD BY'], rows);
    }),
};
