/** Children that a rekey has replaced: they hear for a while, and say nothing. */
import { expect, it } from 'vitest';
import { v4 } from './packets.ts';
import { client, down, GCM, successive, up, World } from './world.ts';

function scene() {
  const { w, old, heir } = successive();
  w.connect(old, heir);
  w.plane.retire(1001, w.now);
  return { w, old, heir };
}
const spiOf = (octets: Uint8Array | undefined) => Buffer.from(octets ?? []).readUInt32BE(0);

it('what was under way is still taken, and nothing is sent there', () => {
  const { w, old, heir } = scene();
  w.now = 4000;
  expect([w.in(old.seal(up)), w.in(heir.seal(up)), w.out(down)]).toEqual([undefined, undefined, undefined]);
  expect(w.outside.map(({ octets }) => spiOf(octets))).toEqual([6001]);
  w.plane.remove(5001); // the last that could send
  expect([w.in(old.seal(up)), w.out(down)]).toEqual(['unknown-spi', 'no-route']);
});

it('five seconds later it is over', () => {
  const { w, old } = scene();
  w.plane.tick(w.now + 4999);
  expect(w.in(old.seal(up))).toBeUndefined();
  w.plane.tick(w.now + 5000);
  expect(w.in(old.seal(up))).toBe('unknown-spi');
  expect(w.plane.snapshot().sas.map(({ spiIn }) => spiIn)).toEqual([5001]);
});

it('replays are found as before', () => {
  const { w, old } = scene();
  const packet = old.seal(up);
  expect([w.in(packet.slice()), w.in(packet)]).toEqual([undefined, 'replay']);
});

it('a client in quarantine has no other way', () => {
  const { w, old } = scene();
  w.plane.quarantine(5001, [{ start: v4('10.9.0.3'), end: v4('10.9.0.3') }]);
  expect(w.in(old.seal(up))).toBe('unknown-spi');
});

it('what it carries is counted at once, and once', () => {
  const { w, old } = scene();
  const carried = () => w.plane.snapshot().clients.map(({ counters: { inPackets } }) => inPackets);
  w.in(old.seal(up));
  w.in(old.seal(up));
  expect(carried()).toEqual([2]);
  w.plane.tick(w.now + 10_000);
  expect(carried()).toEqual([2]);
});

it('the last child of a client, or one that is not there, does not linger', () => {
  const w = new World();
  const only = client(1);
  w.connect(only);
  w.plane.retire(1001, 0);
  w.plane.retire(4711, 0);
  expect(w.in(only.seal(up))).toBe('unknown-spi');
  expect(w.plane.snapshot().sas).toEqual([]);
});

it('of many that follow each other fast, each has its time', () => {
  const w = new World();
  const all = Array.from({ length: 10 }, (_, i) => client(1, GCM, { spiIn: 7001 + i, spiOut: 8001 + i }));
  for (const [i, one] of all.entries()) {
    w.now = i * 1000;
    w.connect(one);
    if (i > 0) w.plane.retire(7000 + i, w.now);
    w.plane.tick(w.now);
  }
  expect(all.map((one) => w.in(one.seal(up)))).toEqual([...Array(4).fill('unknown-spi'), ...Array(6).fill(undefined)]);
});
