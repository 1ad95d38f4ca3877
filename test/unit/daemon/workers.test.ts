/** Several workers over loopback sockets, with the lab host behind each: no rights are needed, Linux and koffi are. */
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { randomOctets, Secret } from '../../../crypto/index.ts';
import { loadConfig } from '../../../src/config/index.ts';
import type { Gateway } from '../../../src/daemon/gateway.ts';
import { openWorkers } from '../../../src/daemon/workers.ts';
import { Dial, identity, ping } from '../../../src/lab/index.ts';
import { renderLine } from '../../../src/log/debug.ts';
import type { Event } from '../../../src/log/index.ts';
import { systemCalls } from '../../../src/net/index.ts';

/** Threads that load all of the gateway: seconds on a busy machine. */
vi.setConfig({ testTimeout: 60_000 });

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
const staged =
  (play: (stage: Stage) => Promise<void>, more: readonly string[] = []) =>
  async () => {
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
          const up = await dial.connected();
          // The client may know before the daemon does, and with it the other worker: who dials again at once would meet neither.
          const from = `:${dial.status.path.local.port}`;
          const told = () => events.some((event) => event.kind === 'established' && event.remote.endsWith(from));
          for (const end = Date.now() + 20_000; up && !told(); ) {
            if (Date.now() > end) throw new Error('nobody was told');
            await new Promise((resolve) => setImmediate(resolve));
          }
          return dial;
        },
        async until(done) {
          for (const end = Date.now() + 20_000; !(await done()); ) {
            if (Date.now() > end) throw new Error('it never came to that');
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        },
      });
    } finally {
      await gateway.stop(); // its clients answer the Deletes
      for (const dial of dials) dial.close();
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
      expect(Math.abs(performance.now() - (traffic?.now ?? 0))).toBeLessThan(2000); // one clock for all threads
      expect(counters).toMatchObject({ sas: 16, children: 16, faults: 0, IKE_SA_INIT: 16 });
      expect(counters).not.toHaveProperty('esp-unknown-spi');
    }),
  );

  it(
    'tell the ike debug stream while somebody listens, each SA under a number of its own',
    staged(async (s) => {
      await s.dial('quiet');
      expect(s.lines).toEqual([]);
      s.gateway.debug(true);
      await Promise.all(Array.from({ length: 8 }, (_, i) => s.dial(`c${i}`)));
      await s.until(() => s.lines.filter((line) => line.includes('established IKE SA')).length >= 8);
      const numbers = s.lines.flatMap((line) => /^ike V=root:0:ra:(\d+): .*established IKE SA/.exec(line)?.[1] ?? []);
      expect(new Set(numbers).size).toBe(numbers.length);
    }),
  );
});

describe('a worker that dies', () => {
  it(
    'takes only its own SAs with it, and its clients are told',
    staged(async (s) => {
      const dials = await Promise.all(Array.from({ length: 12 }, (_, i) => s.dial(`c${i}`)));
      const { gateways } = await s.gateway.state();
      const lost = new Set(gateways.filter(({ name }) => lane(name) === 0).map(({ peerId }) => peerId));
      expect(lost.size).toBeGreaterThan(0);
      expect(lost.size).toBeLessThan(12);
      await s.threads.get(0)?.terminate();
      const [gone, stay] = [dials.filter((_, i) => lost.has(`c${i}`)), dials.filter((_, i) => !lost.has(`c${i}`))];
      for (const dial of stay) expect(await ping(dial, BEHIND, { count: 1 })).toMatchObject({ received: 1 });
      await s.until(() => gone.every((dial) => dial.client.at === 'closed'));
      expect(stay.map((dial) => dial.client.at)).toEqual(stay.map(() => 'established'));
      const closed = s.events.flatMap((event) => (event.kind === 'closed' ? [event] : []));
      expect(new Set(closed.map(({ peerId }) => peerId))).toEqual(lost);
      expect(closed[0]).toMatchObject({ reason: 'fault', why: 'worker 0 died' });
      expect(s.notes).toContain('error worker 0 died; its clients are told, the others go on');
      // Who comes now is served by both again.
      const again = await Promise.all(Array.from({ length: 8 }, (_, i) => s.dial(`d${i}`)));
      for (const dial of again) expect(await ping(dial, BEHIND, { count: 1 })).toMatchObject({ received: 1 });
      expect(s.notes).toContain('info worker 0 is there again');
      const after = (await s.gateway.state()).gateways;
      expect(after).toHaveLength(stay.length + 8);
      expect(new Set(after.map(({ name }) => lane(name)))).toEqual(new Set([0, 1]));
    }),
  );
});

describe('threads', () => {
  const world = { note: () => undefined, tell: () => undefined, say: () => undefined, share: () => undefined };

  it('none is left of a start that is refused', async () => {
    const calls = await systemCalls();
    if (typeof calls === 'string') throw new Error(calls);
    const source = configOf();
    const threads: Worker[] = [];
    const opening = openWorkers(
      {
        ...{ listen: ['192.0.2.1'], ikePort: 0, nattPort: 0, inner: undefined, workers: 2, calls },
        loaded: { config: loadConfig(source).config, source },
        onThread: (worker) => void threads.push(worker),
      },
      { ...world, resolve: () => Promise.reject(new Error('nobody asks')) },
    );
    await expect(opening).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  });

  it(
    'none is left of a worker that was starting again at the end',
    staged(async (s) => {
      const before = s.threads.get(1);
      await before?.terminate();
      await s.until(() => s.threads.get(1) !== before);
      await s.gateway.stop();
      expect([...s.threads.values()].map(({ threadId }) => threadId)).toEqual([-1, -1]);
    }),
  );

  it(
    'the process waits for the next ones when all have died at once',
    staged(async (s) => {
      const timers = vi.spyOn(globalThis, 'setTimeout');
      await Promise.all([...s.threads.values()].map((worker) => worker.terminate()));
      const waits = timers.mock.calls.flatMap(([, ms], i) =>
        ms === 100 ? [timers.mock.results[i]?.value as NodeJS.Timeout] : [],
      );
      timers.mockRestore();
      expect(waits.map((timer) => timer.hasRef())).toEqual([true, true]);
    }),
  );
});

describe('one connection for one identity, whichever worker has it', () => {
  const many = 8; // that all fall to one of two workers has a chance of 1 in 128

  it(
    'keep-new: the newest stays',
    staged(
      async (s) => {
        const dials: Dial[] = [];
        for (let i = 0; i < many; i++) dials.push(await s.dial('one', { initialContact: false }));
        await s.until(() => dials.slice(0, -1).every((dial) => dial.client.at === 'closed'));
        expect(dials.at(-1)?.client.at).toBe('established');
        const reasons = s.events.flatMap((event) => (event.kind === 'closed' ? [event.reason] : []));
        expect(new Set(reasons)).toEqual(new Set(['unique-id']));
      },
      ['set enforce-unique-id keep-new'],
    ),
  );

  it(
    'keep-old: the oldest stays',
    staged(
      async (s) => {
        const first = await s.dial('one', { initialContact: false });
        for (let i = 0; i < many; i++) expect((await s.dial('one', { initialContact: false })).client.at).not.toBe('established');
        expect(first.client.at).toBe('established');
      },
      ['set enforce-unique-id keep-old'],
    ),
  );
});

describe('INITIAL_CONTACT', () => {
  it(
    'ends what the peer no longer knows of, whichever worker has it',
    staged(async (s) => {
      for (let i = 0; i < 8; i++) await s.dial('one');
      await s.until(async () => (await s.gateway.state()).gateways.length === 1);
      const reasons = s.events.flatMap((event) => (event.kind === 'closed' ? [event.reason] : []));
      expect(new Set(reasons)).toEqual(new Set(['replaced']));
      // Each end is told once, and before the beginning that it makes room for.
      const kinds = s.events.map(({ kind }) => kind).filter((kind) => kind === 'established' || kind === 'closed');
      expect(kinds).toEqual(['established', ...Array.from({ length: 7 }, () => ['closed', 'established']).flat()]);
    }),
  );
});

describe('another configuration', () => {
  const other = (first: number, last: number) => {
    const source = configOf().replace('10.99.0.1\n', `10.99.0.${first}\n`).replace('10.99.0.64\n', `10.99.0.${last}\n`);
    return { config: loadConfig(source).config, source };
  };

  it(
    'is taken by all of them',
    staged(async (s) => {
      const dials = await Promise.all(Array.from({ length: 6 }, (_, i) => s.dial(`c${i}`)));
      const next = other(101, 132);
      await s.gateway.prepare(next);
      expect(await s.gateway.commit(next)).toBe(6); // no address of theirs is in the pool
      await s.until(() => dials.every((dial) => dial.client.at === 'closed'));
      const more = await Promise.all(Array.from({ length: 6 }, (_, i) => s.dial(`d${i}`)));
      for (const dial of more) expect(Number(dial.status.assigned[0]?.split('.')[3])).toBeGreaterThan(100);
    }),
  );

  it(
    'is taken by a worker that was starting again meanwhile',
    staged(async (s) => {
      const next = other(101, 132);
      await s.gateway.prepare(next);
      const before = s.threads.get(1);
      await before?.terminate();
      await s.until(() => s.threads.get(1) !== before);
      await s.gateway.commit(next); // its thread began with the one before
      await s.until(() => s.notes.includes('info worker 1 is there again'));
      await Promise.all(Array.from({ length: 10 }, (_, i) => s.dial(`c${i}`)));
      const { gateways } = await s.gateway.state();
      expect(new Set(gateways.map(({ name }) => lane(name)))).toEqual(new Set([0, 1]));
      for (const { assigned4 } of gateways) expect(Number(assigned4?.split('.')[3])).toBeGreaterThan(100);
    }),
  );

  it(
    'is not taken when a worker dies meanwhile',
    staged(async (s) => {
      const prepared = s.gateway.prepare(other(101, 132));
      void s.threads.get(1)?.terminate();
      await expect(prepared).rejects.toMatchObject({ code: 'EAGAIN' });
      await s.until(() => s.notes.includes('info worker 1 is there again'));
    }),
  );

  it(
    'gives way to the one before even while a worker is starting again',
    staged(async (s) => {
      const source = configOf();
      await s.gateway.prepare(other(101, 132));
      await s.threads.get(1)?.terminate();
      await s.gateway.prepare({ config: loadConfig(source).config, source });
      await s.until(() => s.notes.includes('info worker 1 is there again'));
    }),
  );

  it(
    'waits for a worker that is starting again, which then has the old one',
    staged(async (s) => {
      await s.threads.get(1)?.terminate();
      await expect(s.gateway.prepare(other(101, 132))).rejects.toMatchObject({ code: 'EAGAIN', fix: 'Try again in a moment.' });
      await s.until(() => s.notes.includes('info worker 1 is there again'));
      await s.gateway.prepare(other(101, 132));
    }),
  );
});
