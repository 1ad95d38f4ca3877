/** Workers that come to an end: what is lost with them, and who is told. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { ping } from '../../../src/lab/index.ts';
import { BEHIND, lane, type Stage, staged } from '../../support/workers.ts';

/** Threads that load all of the gateway: seconds on a busy machine. */
vi.setConfig({ testTimeout: 120_000 });

/** A worker like any other, that can be told by a word to do something else. */
const spoilt = (word: string, does: string) => {
  const real = new URL('../../../src/daemon/worker.ts', import.meta.url).href;
  const text = `import { parentPort } from 'node:worker_threads';
    import { execFileSync } from 'node:child_process';
    parentPort.on('message', (order) => { if (order === '${word}') ${does} });
    await import('${real}');`;
  return new URL(`data:text/javascript,${encodeURIComponent(text)}`);
};
/** Long enough for what lives on a busy machine. */
const patience = { start: 60_000, beat: 3000, end: 20_000 };

/** Clients of both workers, and which of them worker 0 has. */
async function twelve(s: Stage) {
  const dials = await Promise.all(Array.from({ length: 12 }, (_, i) => s.dial(`c${i}`)));
  const { gateways } = await s.gateway.state();
  return { dials, lost: new Set(gateways.filter(({ name }) => lane(name) === 0).map(({ peerId }) => peerId)) };
}

describe('a worker that dies', () => {
  it(
    'takes only its own SAs with it, and its clients are told',
    staged(async (s) => {
      const { dials, lost } = await twelve(s);
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

  it('leaves its Deletes to the next one when its successor dies before it has sent them', async () => {
    let deaths = 0; // of worker 0
    const onThread = (worker: Worker, index: number) => {
      const [post, first] = [worker.postMessage.bind(worker), deaths === 0];
      worker.postMessage = (order: { readonly do: string; readonly farewells?: readonly unknown[] }) => {
        if (index !== 0 || first || deaths > 1 || order.do !== 'begin') return post(order);
        deaths += 1;
        expect(order.farewells?.length).toBeGreaterThan(0);
        void worker.terminate();
      };
    };
    await staged(
      async (s) => {
        const { dials, lost } = await twelve(s);
        deaths += 1;
        await s.threads.get(0)?.terminate();
        await s.until(() => dials.every((dial, i) => lost.has(`c${i}`) === (dial.client.at === 'closed')));
        expect(deaths).toBe(2);
      },
      [],
      { onThread },
    )();
  });
});

describe('a worker that hangs', () => {
  it(
    'is ended as if it had died: its clients are told, the others go on',
    staged(
      async (s) => {
        const { dials, lost } = await twelve(s);
        s.threads.get(0)?.postMessage('hang');
        await s.until(() => dials.every((dial, i) => lost.has(`c${i}`) === (dial.client.at === 'closed')));
        const closed = s.events.flatMap((event) => (event.kind === 'closed' ? [event] : []));
        expect(new Set(closed.map(({ peerId }) => peerId))).toEqual(lost);
        expect(closed[0]).toMatchObject({ reason: 'fault', why: 'worker 0 hung' });
        expect(s.notes.filter((note) => note.startsWith('error'))).toEqual([
          'error worker 0 hung; its clients are told, the others go on',
        ]);
        expect(s.fields.get('worker 0 hung; its clients are told, the others go on')).toEqual({
          tunnels: lost.size,
          why: 'its thread did nothing for 3 s, as in an endless loop',
          fix: expect.stringContaining('`top -H`'),
        });
      },
      [],
      { member: { entry: spoilt('hang', 'for (;;);'), patience } },
    ),
  );

  it('in native code and cannot be ended is told, and nobody waits for it; it has a successor when it can', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postern-stuck-'));
    // A program that runs until this directory is gone, and whoever has called it waits.
    const waits = `setInterval(() => { if (!require('node:fs').existsSync('${directory}')) process.exit(); }, 50)`;
    const entry = spoilt('hang', `execFileSync(process.execPath, ['-e', ${JSON.stringify(waits)}]);`);
    const free = () => rm(directory, { recursive: true, force: true });
    const play = staged(
      async (s) => {
        s.threads.get(0)?.postMessage('hang');
        await s.until(() => s.notes.includes('error worker 0 hangs and cannot be ended; its clients are lost, the others go on'));
        const next = { config: loadConfig('').config, source: '' };
        await expect(s.gateway.prepare(next)).rejects.toMatchObject({ code: 'EDEADLK', fix: expect.stringContaining('Restart') });
        await free();
        await s.until(() => s.notes.includes('info worker 0 is there again'));
      },
      [],
      { member: { entry, patience: { ...patience, end: 1000 } } },
    );
    await play().finally(free);
  });
});

describe('a start that does not come to its end', () => {
  it('is refused, and no thread is left', async () => {
    const threads: Worker[] = [];
    const play = staged(() => expect.fail('it began'), [], {
      onThread: (worker) => void threads.push(worker),
      member: {
        entry: new URL('data:text/javascript,setInterval(() => undefined, 1000)'),
        patience: { ...patience, start: 500 },
      },
    });
    await expect(play()).rejects.toMatchObject({
      ...{ code: 'ETIMEDOUT', name: 'EnvironmentRefused', fix: expect.stringContaining('--workers') },
      message: expect.stringMatching(/^Worker [01] cannot start: its thread was not ready in 0.5 s.$/),
    });
    expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  });
});
