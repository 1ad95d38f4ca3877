/** Workers that come to an end: what is lost with them, and who is told. */
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { ping } from '../../../src/lab/index.ts';
import { BEHIND, lane, staged } from '../../support/workers.ts';

/** Threads that load all of the gateway: seconds on a busy machine. */
vi.setConfig({ testTimeout: 120_000 });

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
        const dials = await Promise.all(Array.from({ length: 12 }, (_, i) => s.dial(`c${i}`)));
        const { gateways } = await s.gateway.state();
        const lost = new Set(gateways.filter(({ name }) => lane(name) === 0).map(({ peerId }) => peerId));
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
