/** Several gateways shown as the one that they are. */
import { carriedTo, type GatewayState, type TrafficWords } from './gateway.ts';

/** All SAs one after the other, the counters as sums. */
export function merged(states: readonly GatewayState[]): GatewayState {
  const traffic = states.flatMap((state) => (state.traffic === undefined ? [] : [state.traffic]));
  const [first, ...rest] = traffic;
  return {
    gateways: states.flatMap(({ gateways }) => gateways),
    counters: states.reduce<Readonly<Record<string, number>>>((sum, { counters }) => added(sum, counters), {}),
    traffic: first && {
      now: Math.max(...traffic.map(({ now }) => now)),
      plane: {
        total: rest.reduce((sum, { plane: { total } }) => {
          const { drops, ...counted } = total;
          const { drops: before, ...so } = sum;
          return { ...added(so, counted), drops: added(before, drops) };
        }, first.plane.total),
        flows: traffic.reduce((sum, { plane }) => sum + plane.flows, 0),
        sas: traffic.flatMap(({ plane }) => plane.sas),
        clients: traffic.flatMap(({ plane }) => plane.clients),
      },
    },
  };
}

/** Name by name; what one has not counts for nothing. */
function added<T extends Readonly<Record<string, number>>>(a: T, b: T): T {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  // The cast: it has the names of both, which are the names of T.
  return Object.fromEntries([...names].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)])) as T;
}

/** Of all of them: on only when every one carries packets. */
export function wordsOf(all: readonly TrafficWords[]): TrafficWords {
  const off = all.find(({ on }) => !on);
  if (off !== undefined) return off;
  const places = all.flatMap((words) => (words.on ? [words.to] : []));
  const to = [...new Set(places)].join(', ');
  return { on: true, to, text: carriedTo(to) };
}
