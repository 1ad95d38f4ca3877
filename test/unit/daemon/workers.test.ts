/** Several workers that are one gateway, with threads of their own. */
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { openWorkers } from '../../../src/daemon/workers.ts';
import { type Dial, ping } from '../../../src/lab/index.ts';
import { systemCalls } from '../../../src/net/index.ts';
import { BEHIND, configOf, lane, staged } from '../../support/workers.ts';

/** Threads that load all of the gateway: seconds on a busy machine. */
vi.setConfig({ testTimeout: 60_000 });

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
