/** A configuration by which two workers exchange the very same prefixes: each has those of the other before anyone takes them. */
import { expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { lanesOf, shareOf } from '../../../src/daemon/share.ts';
import { insideOf, Traffic } from '../../../src/daemon/traffic.ts';
import { System } from '../../../src/net/system.ts';
import { FakeMachine } from '../net/fakeMachine.ts';

const pool = (name: string, first: string, last: string) => `config vpn ipsec phase1-interface
    edit "${name}"
        set type dynamic
        set ike-version 2
        set interface "port1"
        set peertype any
        set proposal aes128gcm-prfsha256
        set mode-cfg enable
        set ipv4-start-ip ${first}
        set ipv4-end-ip ${last}
        set psksecret kiesel-und-sand
    next
end
config vpn ipsec phase2-interface
    edit "${name}"
        set phase1name "${name}"
        set proposal aes128gcm
    next
end
`;
const configOf = (text: string) => {
  const { config, findings } = loadConfig(text);
  expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
  return config;
};
/** One pool goes up by half, the other down by half. */
const [before, after] = [
  configOf(pool('a', '10.1.0.0', '10.1.1.255') + pool('b', '10.2.2.0', '10.2.3.255')),
  configOf(pool('a', '10.1.1.0', '10.1.2.255') + pool('b', '10.2.1.0', '10.2.2.255')),
];
const lanes = lanesOf(2);

/** Two workers on one machine; `taken` is what the daemon has them do (`workers.ts`). */
async function standing() {
  const machine = new FakeMachine();
  const traffics = await Promise.all(
    lanes.map(async (lane) => {
      const system = new System(`postern${lane.index}`, machine.run);
      const config = shareOf(before, lane);
      const traffic = new Traffic(config, [], {
        ...{ now: () => 0, forward: () => undefined, command: () => undefined, espKeys: () => undefined },
        ...{ networks: () => [], note: () => undefined },
      });
      await system.become(insideOf(config));
      await traffic.open(() =>
        Promise.resolve({
          ...{ name: `postern${lane.index}`, mtu: 1400, send: () => true, counters: () => ({}) },
          become: (inside) => system.become(inside),
          routes: (prefixes) => system.routes(prefixes),
          close: () => system.close(),
        }),
      );
      return { traffic, lane };
    }),
  );
  const taken = async (config: typeof before) => {
    const others = (index: number) => lanes.filter((lane) => lane.index !== index);
    const given = await Promise.allSettled(
      traffics.map(({ traffic, lane }) =>
        traffic.yield(others(lane.index).flatMap((other) => insideOf(shareOf(config, other)).routes)),
      ),
    );
    const had = await Promise.allSettled(traffics.map(({ traffic, lane }) => traffic.reload(shareOf(config, lane), [])));
    return [...given, ...had].map(({ status }) => status);
  };
  return { machine, taken, routes: () => Object.fromEntries([...machine.routes].toSorted()) };
}
const fulfilled = ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'];
const old = {
  ...{ '10.1.0.0/24': 'postern0', '10.1.1.0/24': 'postern1' },
  ...{ '10.2.2.0/24': 'postern0', '10.2.3.0/24': 'postern1' },
};

it('is taken, and given back', async () => {
  const { machine, taken, routes } = await standing();
  expect(routes()).toEqual(old);
  expect(await taken(after)).toEqual(fulfilled);
  expect(routes()).toEqual({
    ...{ '10.1.1.0/24': 'postern0', '10.1.2.0/24': 'postern1' },
    ...{ '10.2.1.0/24': 'postern0', '10.2.2.0/24': 'postern1' },
  });
  expect(await taken(before)).toEqual(fulfilled);
  expect(routes()).toEqual(old);
  expect(machine.asked.filter(({ args }) => args.includes('show'))).toEqual([]); // nobody has waited for anybody
});

it.each(['10.2.1.0/24', '10.1.2.0/24'])('is not when %s is somebody else’s; then all is as before', async (prefix) => {
  const { machine, taken, routes } = await standing();
  machine.routes.set(prefix, 'eth1');
  expect((await taken(after)).filter((status) => status === 'rejected')).toHaveLength(1);
  expect(await taken(before)).toEqual(fulfilled);
  expect(routes()).toEqual({ ...old, [prefix]: 'eth1' });
});

it('touches nothing that nobody exchanges', async () => {
  const { machine, taken } = await standing();
  machine.asked.length = 0;
  expect(await taken(before)).toEqual(fulfilled);
  expect(machine.order).toEqual([]);
});
