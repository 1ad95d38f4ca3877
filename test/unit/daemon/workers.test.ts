/** Several workers over loopback sockets, with the lab host behind each: no rights are needed, Linux and koffi are. */
import type { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { randomOctets, Secret } from '../../../crypto/index.ts';
import { loadConfig } from '../../../src/config/index.ts';
import type { Gateway } from '../../../src/daemon/gateway.ts';
import { openWorkers } from '../../../src/daemon/workers.ts';
import { Dial, identity, ping } from '../../../src/lab/index.ts';
import type { Event } from '../../../src/log/index.ts';
import { renderLine } from '../../../src/log/debug.ts';
import { systemCalls } from '../../../src/net/index.ts';

const PSK = 'kiesel-und-sand';
const BEHIND = '10.50.0.1';

const configOf = (more: readonly string[] = []) => `config vpn ipsec phase1-interface
    edit "ra"
        set type dynamic
        set ike-version 2
        set interface "port1"
        set peertype any
        set proposal aes128gcm-prfsha256
        set dhgrp 31
        set mode-cfg enable
        set assign-ip-from range
        set ipv4-start-ip 10.99.0.1
        set ipv4-end-ip 10.99.0.64
        set ipv4-netmask 255.255.255.0
        set psksecret ${PSK}
        ${more.join('\n        ')}
    next
end
config vpn ipsec phase2-interface
    edit "ra-p2"
        set phase1name "ra"
        set proposal aes128gcm
        set dhgrp 31
    next
end
`;

type Stage = {
  readonly gateway: Gateway;
  readonly threads: Map<number, Worker>;
  readonly events: Event[];
  readonly notes: string[];
  readonly lines: string[];
  dial(id: string, more?: Partial<Parameters<typeof Dial.start>[0]>): Promise<Dial>;
  until(done: () => boolean | Promise<boolean>): Promise<void>;
};

/** Plays with a gateway of two workers, and ends it. */
const staged = (play: (stage: Stage) => Promise<void>, more: readonly string[] = []) => async () => {
  const source = configOf(more);
  const { config, findings } = loadConfig(source);
  expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
  const calls = await systemCalls();
  if (typeof calls === 'string') throw new Error(calls);
  const threads = new Map<number, Worker>();
  const [events, notes, lines, dials]: [Event[], string[], string[], Dial[]] = [[], [], [], []];
  const gateway = await openWorkers(
    {
      ...{ listen: ['127.0.0.1'], ikePort: 0, nattPort: 0, inner: { kind: 'lab' }, workers: 2, calls },
      loaded: { config, source },
      onThread: (worker, index) => void threads.set(index, worker),
    },
    {
      note: (level, message) => void notes.push(`${level} ${message}`),
      tell: (event) => void events.push(event),
      say: (scope, line) => void lines.push(renderLine(scope, line)),
      resolve: () => Promise.reject(new Error('no profile has a tag rule')),
      share: () => undefined,
    },
  );
  const port = (natt: boolean) => gateway.listening.find((l) => l.natt === natt)?.port ?? 0;
  try {
    gateway.begin(undefined);
    await play({
      ...{ gateway, threads, events, notes, lines },
      async dial(id, also = {}) {
        const dial = await Dial.start({
          ...{ remote: { address: '127.0.0.1', port: port(false) }, nattPort: port(true), random: randomOctets },
          keyPair: (group) => group.generate(),
          auth: { kind: 'psk', psk: Secret.utf8(PSK), id: identity(id) },
          gateway: { kind: 'psk', psk: Secret.utf8(PSK) },
          ...{ ikeProposals: ['aes128gcm-prfsha256'], groups: [31], espProposals: ['aes128gcm'], fakeNat: true },
          ...also,
        });
        dials.push(dial);
        await dial.connected();
        return dial;
      },
      async until(done) {
        for (const end = Date.now() + 5000; !(await done()); ) {
          if (Date.now() > end) throw new Error('it never came to that');
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
    });
  } finally {
    for (const dial of dials) await dial.hangUp();
    await gateway.stop();
  }
};

const lane = (name: string) => Number(name.split('_').at(-1)) % 2;

describe('two workers', () => {
  it(
    'share the clients: each has its names and its addresses, and carries their packets',
    staged(async (s) => {
      const dials = await Promise.all(Array.from({ length: 16 }, (_, i) => s.dial(`c${i}`)));
      for (const dial of dials) expect(await ping(dial, BEHIND, { count: 1 })).toMatchObject({ received: 1 });
      const { gateways, traffic, counters } = await s.gateway.state();
      expect(gateways).toHaveLength(16);
      expect(new Set(gateways.map(({ name }) => name)).size).toBe(16);
      expect(new Set(gateways.map(({ name }) => lane(name)))).toEqual(new Set([0, 1]));
      const addresses = dials.map((dial) => dial.status.assigned[0]);
      expect(new Set(addresses).size).toBe(16);
      for (const { name, assigned4 } of gateways) expect(Number(assigned4?.split('.')[3]) > 32).toBe(lane(name) === 1);
      expect(traffic?.plane.total).toMatchObject({ inPackets: 16, outPackets: 16 });
      expect(counters).toMatchObject({ sas: 16, children: 16, faults: 0, 'esp-unknown-spi': undefined });
    }),
  );
});
