/** Children that the client asked for, until it has our answer: it may send on them, and is sent to on another one. */
import { expect, it } from 'vitest';
import { ip4, udp, v4 } from './packets.ts';
import { client, down, GCM, up, World } from './world.ts';

const heirOf = (n: number, awaited: boolean) => client(1, GCM, { spiIn: 5000 + n, spiOut: 6000 + n, awaited });

function scene(awaited = true) {
  const [w, old, heir] = [new World(), client(1, GCM, { awaited: true }), heirOf(1, awaited)];
  w.connect(old, heir);
  /** The SPI on which a packet of the inside reaches the client. */
  const sentOn = () => {
    expect(w.out(down)).toBeUndefined();
    return Buffer.from(w.outside.at(-1)?.octets ?? []).readUInt32BE(0);
  };
  return { w, old, heir, sentOn };
}

it('the only child needs no waiting: nothing else could be sent on', () => {
  const w = new World();
  w.connect(heirOf(1, true));
  expect([w.out(down), w.outside.length]).toEqual([undefined, 1]);
});

it('one that we asked for is there: its answer has come', () => {
  expect(scene(false).sentOn()).toBe(6001);
});

it('one that the client asked for is sent on when something has come on it, and not before', () => {
  const { w, old, heir, sentOn } = scene();
  expect(sentOn()).toBe(2001);
  w.in(old.seal(up));
  expect(sentOn()).toBe(2001);
  const forged = heir.seal(up);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  expect(w.in(forged)).toBe('integrity');
  expect(sentOn()).toBe(2001);
  w.in(heir.seal(up));
  expect(sentOn()).toBe(6001);
});

it('or when the client puts the old one down for it', () => {
  const retired = scene();
  retired.w.plane.retire(1001, 0);
  expect(retired.sentOn()).toBe(6001);
  const removed = scene();
  removed.w.plane.remove(1001);
  expect(removed.sentOn()).toBe(6001);
});

it('or when the client asks for the next one: it has had the answer before', () => {
  const { w, sentOn } = scene();
  w.connect(heirOf(2, true));
  expect(sentOn()).toBe(6001);
});

it('or when the old one is at its end', () => {
  const old = client(1, GCM, { hard: { packets: 1 } });
  const w = new World();
  w.connect(old, heirOf(1, true));
  w.out(down);
  w.out(down);
  expect(w.outside.map(({ octets }) => Buffer.from(octets).readUInt32BE(0))).toEqual([2001, 6001]);
});

it('of both ends that met: ours is sent on, and no end of another one says that the client has what it made', () => {
  const { w, sentOn } = scene();
  w.connect(client(1, GCM, { spiIn: 7001, spiOut: 8001 }));
  expect(sentOn()).toBe(8001);
  w.plane.retire(1001, 0); // we put it down for ours
  expect(sentOn()).toBe(8001);
  w.plane.retire(7001, 0);
  expect(sentOn()).toBe(6001);
});

it("and where the client's stays: ours is heard until it is deleted, and a while longer, and is not sent on", () => {
  const { w, heir, sentOn } = scene();
  const ours = client(1, GCM, { spiIn: 7001, spiOut: 8001, redundant: true });
  w.connect(ours);
  expect(sentOn()).toBe(2001);
  w.now = 60_000;
  w.plane.tick(w.now);
  expect(w.in(ours.seal(up))).toBeUndefined();
  expect(sentOn()).toBe(2001);
  w.in(heir.seal(up));
  expect(sentOn()).toBe(6001);
  w.plane.retire(7001, w.now);
  expect(w.in(ours.seal(up))).toBeUndefined();
  w.now += 6000;
  w.plane.tick(w.now);
  expect(w.in(ours.seal(up))).toBe('unknown-spi');
});

it('and in quarantine it is heard as the others are', () => {
  const { w } = scene();
  const ours = client(1, GCM, { spiIn: 7001, spiOut: 8001, redundant: true });
  w.connect(ours);
  w.plane.quarantine(7001, [{ start: v4('10.9.9.9'), end: v4('10.9.9.9') }]);
  expect(w.in(ours.seal(up))).toBeUndefined();
  expect(w.in(ours.seal(ip4('10.0.0.1', '10.9.9.8', 17, udp(1000, 7))))).toBe('quarantine');
});

it('a redundant one is sent on all the same while there is no other', () => {
  const w = new World();
  w.connect(client(1, GCM, { redundant: true }));
  expect([w.out(down), w.outside.length]).toEqual([undefined, 1]);
});

it('an awaited one that goes leaves the old one in its place', () => {
  const { w, sentOn } = scene();
  w.plane.remove(5001);
  expect(sentOn()).toBe(2001);
  expect(w.in(heirOf(1, true).seal(up))).toBe('unknown-spi');
});
