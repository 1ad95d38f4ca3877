/** What liveness is told of a client, and what it has carried: over all its children, also those that are gone. */
import { expect, it } from 'vitest';
import { ip4, udp } from './packets.ts';
import { client, down, GCM, successive, up, World } from './world.ts';

function scene() {
  const { w, old, heir } = successive();
  w.connect(old);
  return { w, old, heir };
}

it('the first packet that nothing answers counts until something is heard', () => {
  const { w, old } = scene();
  const seen = () => w.plane.seen(1001);
  expect(seen()).toEqual({ heard: undefined, unanswered: undefined, sent: undefined });
  for (w.now = 1000; w.now <= 3000; w.now += 1000) w.out(down);
  expect(seen()).toEqual({ heard: undefined, unanswered: 1000, sent: 3000 });
  w.in(old.seal(up));
  expect(seen()).toEqual({ heard: 4000, unanswered: undefined, sent: 3000 });
  w.now = 5000;
  w.out(down);
  expect(seen()).toEqual({ heard: 4000, unanswered: 5000, sent: 5000 });
  expect(w.plane.seen(1002)).toBeUndefined();
});

it('what is not authentic, and a keepalive of ours, say nothing of life', () => {
  const w = new World();
  const c = client(1, GCM, { keepalive: 20_000 });
  w.connect(c);
  const forged = c.seal(up);
  forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
  w.now = 30_000;
  expect(w.in(forged)).toBe('integrity');
  w.plane.tick(w.now);
  expect(w.outside).toHaveLength(1);
  expect(w.plane.seen(1001)).toEqual({ heard: undefined, unanswered: undefined, sent: undefined });
});

it('a rekey leaves the client as it is: what the old child carried and dropped still counts', () => {
  const { w, old, heir } = scene();
  const first = old.seal(up);
  w.in(first);
  w.in(first); // a replay
  w.connect(heir);
  w.in(heir.seal(up));
  w.out(down);
  w.plane.remove(1001);
  const [only, ...more] = w.plane.snapshot().clients;
  expect(more).toEqual([]);
  expect(only).toMatchObject({
    gateway: 'dial_1',
    counters: { inPackets: 2, inOctets: 2 * up.length, outPackets: 1, outOctets: down.length, inErrors: 1, outErrors: 0 },
  });
  expect(only?.counters.drops).toMatchObject({ replay: 1, old: 0 });
  w.plane.remove(5001);
  expect(w.plane.snapshot().clients).toEqual([]);
});

it('an error is counted on the side that it comes from, a dummy on neither', () => {
  const { w, old } = scene();
  w.in(old.seal(new Uint8Array(30), { next: 59 }));
  w.in(old.seal(ip4('10.0.0.9', '10.9.9.9', 17, udp(1, 2))));
  w.out(new Uint8Array(3));
  const { total } = w.plane.snapshot();
  expect([total.inErrors, total.outErrors]).toEqual([1, 1]);
  expect(total.drops).toMatchObject({ dummy: 1, source: 1, malformed: 1 });
});
