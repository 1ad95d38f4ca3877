/** What the kernel writes into struct mmsghdr, well or oddly, and what it is given: its own reading of the same memory. */
import { describe, expect, it } from 'vitest';
import { BATCH, Inbox, LONGEST, Outbox, SOL_UDP, UDP_GRO, UDP_SEGMENT } from '../../../src/net/messages.ts';
import { writeSockaddr } from '../../../src/net/sockaddr.ts';
import { octets } from './packets.ts';

/** Memory as the kernel sees it: found by pointers. */
function memory() {
  const pieces: { readonly base: number; readonly octets: Uint8Array }[] = [];
  let next = 0x7f12_3456_0000;
  const addressOf = (o: Uint8Array): number => {
    const base = next;
    next += o.length + 4096;
    pieces.push({ base, octets: o });
    return base;
  };
  const at = (pointer: number, length: number): Uint8Array => {
    const piece = pieces.find(({ base, octets: o }) => pointer >= base && pointer + length <= base + o.length);
    if (piece === undefined) throw new Error(`EFAULT ${pointer.toString(16)}`);
    return piece.octets.subarray(pointer - piece.base, pointer - piece.base + length);
  };
  /** Header n of these, with what it points to. */
  const message = (headers: Uint8Array, n: number) => {
    const v = new DataView(headers.buffer, headers.byteOffset + n * 64, 64);
    const pointer = (offset: number) => Number(v.getBigUint64(offset, true));
    const iovec = new DataView(at(pointer(16), 16).slice().buffer);
    const [base, length] = [Number(iovec.getBigUint64(0, true)), Number(iovec.getBigUint64(8, true))];
    expect(v.getBigUint64(24, true)).toBe(1n); // iovecs
    const controlLength = Number(v.getBigUint64(40, true));
    return { v, name: at(pointer(0), v.getUint32(8, true)), payload: at(base, length), control: at(pointer(32), controlLength) };
  };
  return { addressOf, message };
}

type Control = {
  readonly length?: number;
  readonly high?: number;
  readonly level?: number;
  readonly type?: number;
  readonly size: number;
};

describe('what arrives', () => {
  /** Message 0 has so many octets, and this control message, of which the kernel says that so many octets are there. */
  function received(length: number, control?: Control, given = 24) {
    const kernel = memory();
    const inbox = new Inbox(kernel.addressOf);
    const fill = (n: number, of: number, c: Control | undefined, told: number) => {
      const { v, payload, name, control: into } = kernel.message(inbox.headers, n);
      expect([payload.length, name.length, into.length]).toEqual([LONGEST, 32, 24]);
      payload.fill(n + 1, 0, of);
      writeSockaddr(name, 0, Uint8Array.of(192, 0, 2, n), 4500);
      v.setUint32(8, 16, true);
      v.setUint32(56, of, true);
      v.setBigUint64(40, BigInt(c === undefined ? 0 : told), true);
      if (c === undefined) return;
      const w = new DataView(into.buffer, into.byteOffset, into.byteLength);
      for (const [i, word] of [c.length ?? 20, c.high ?? 0, c.level ?? SOL_UDP, c.type ?? UDP_GRO, c.size].entries())
        w.setUint32(i * 4, word, true);
    };
    fill(0, length, control, given);
    return { inbox, fill };
  }

  it.each<[string, number, Control | undefined, number, number]>([
    ['a run of datagrams of one size', 3000, { size: 1000 }, 24, 1000],
    ['a run whose size does not divide it: the last one is shorter', 2500, { size: 1000 }, 24, 1000],
    ['a run of octets', 64, { size: 1 }, 24, 1],
    ['the largest run', LONGEST, { size: LONGEST - 1 }, 24, LONGEST - 1],
    ['as long as its alignment leaves it out', 3000, { size: 1000 }, 20, 1000],
    ['nothing said', 3000, undefined, 0, 3000],
    ['datagrams of no size', 3000, { size: 0 }, 24, 3000],
    ['a datagram larger than all', 3000, { size: 3001 }, 24, 3000],
    ['a datagram as large as all', 3000, { size: 3000 }, 24, 3000],
    ['a size that would be small without its upper half', 3000, { size: 0x1_0001 }, 24, 3000],
    ['a negative size', 3000, { size: 0xffff_ffff }, 24, 3000],
    ['another level', 3000, { size: 1000, level: 0 }, 24, 3000],
    ['another type', 3000, { size: 1000, type: UDP_SEGMENT }, 24, 3000],
    ['a control message without a size', 3000, { size: 1000, length: 16 }, 24, 3000],
    ['one that is longer than what there is', 3000, { size: 1000, length: 24 }, 24, 3000],
    ['one whose length has an upper half', 3000, { size: 1000, high: 1 }, 24, 3000],
    ['one that was cut (MSG_CTRUNC)', 3000, { size: 1000, length: 18 }, 18, 3000],
    ['one that was cut, and says so alone', 3000, { size: 1000, length: 18 }, 24, 3000],
    ['more than there is room for', 3000, { size: 1000 }, 25, 3000],
    ['an empty datagram', 0, { size: 1000 }, 24, 0],
  ])('%s', (_, length, control, given, size) => {
    const { inbox } = received(length, control, given);
    expect([inbox.length(0), inbox.size(0)]).toEqual([length, size]);
  });

  it('has room again for the next call, whatever the last one said', () => {
    const { inbox, fill } = received(3000, { size: 1000 });
    expect(inbox.from(0)).toEqual({ address: '192.0.2.0', port: 4500 });
    inbox.reset(1);
    fill(0, 10, undefined, 0); // the size before is still there, and nobody reads it
    expect([inbox.length(0), inbox.size(0)]).toEqual([10, 10]);
    fill(BATCH - 1, LONGEST, { size: 9 }, 24);
    expect([inbox.size(BATCH - 1), inbox.octets[inbox.at(BATCH - 1) + LONGEST - 1]]).toEqual([9, BATCH]);
    expect(inbox.octets.length - inbox.at(BATCH - 1)).toBeGreaterThanOrEqual(LONGEST);
  });
});

describe('what is sent', () => {
  const [here, there] = [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 2)];

  function outbox(room?: number) {
    const kernel = memory();
    const box = new Outbox(kernel.addressOf, room);
    const add = (o: Uint8Array, address = here, longest = LONGEST, port = 4500) => {
      const b = new Uint8Array(o.length + 9);
      b.set(o, 5);
      return box.add(b, 5, o.length, address, port, longest);
    };
    /** The datagrams of each message, as udp(7) says that they are made. */
    const wire = (count = box.count): Uint8Array[][] =>
      Array.from({ length: count }, (_, n) => {
        const { payload, control } = kernel.message(box.headers, n);
        if (control.length === 0) return [payload.slice()];
        const v = new DataView(control.buffer, control.byteOffset, control.byteLength);
        expect([v.getBigUint64(0, true), v.getUint32(8, true), v.getUint32(12, true)]).toEqual([18n, SOL_UDP, UDP_SEGMENT]);
        const size = v.getUint16(16, true);
        expect(size).toBeGreaterThan(0);
        expect(payload.length).toBeLessThanOrEqual(65_507);
        const datagrams: Uint8Array[] = [];
        for (let at = 0; at < payload.length; at += size) datagrams.push(payload.slice(at, at + size));
        return datagrams;
      });
    return { box, add, wire, lengths: () => wire().map((all) => all.map((o) => o.length)) };
  }

  it('of one size to one address is one message, which a shorter one ends', () => {
    const { box, add, wire, lengths } = outbox();
    const all = [1000, 1000, 700, 700, 700].map((n, i) => octets(n, i + 1));
    for (const o of all) expect(add(o)).toBe(true);
    expect(lengths()).toEqual([
      [1000, 1000, 700],
      [700, 700],
    ]);
    expect(wire().flat()).toEqual(all);
    expect([box.count, box.segments, box.size]).toEqual([2, 3, 1000]);
    expect([box.gone(2), box.count]).toEqual([5, 0]);
  });

  it('a longer one, one to another address or port, one that is too long for a run: messages of their own', () => {
    const { add, lengths } = outbox();
    add(octets(500));
    add(octets(501));
    add(octets(501), there);
    add(octets(501), there, LONGEST, 4501);
    add(octets(1000), there, 999, 4501);
    add(octets(1000), there, 999, 4501);
    add(octets(999), there, 999, 4501); // behind one that may not be in a run
    add(octets(999), there, 999, 4501);
    expect(lengths()).toEqual([[500], [501], [501], [501], [1000], [1000], [999, 999]]);
  });

  it('none may be in a run: each is a message', () => {
    const { add, lengths } = outbox();
    for (let i = 0; i < 3; i++) add(octets(100), here, 0);
    expect(lengths()).toEqual([[100], [100], [100]]);
  });

  it('an empty one is a message too, before, between and behind others', () => {
    const { box, add, lengths } = outbox();
    for (const n of [0, 0, 100, 100, 0, 100]) add(new Uint8Array(n));
    expect(lengths()).toEqual([[0], [0], [100, 100], [0], [100]]);
    expect([box.gone(1), box.segments, box.gone(4), box.count]).toEqual([1, 1, 5, 0]);
  });

  it('a run has no more datagrams than the kernel takes, and no more octets than a datagram', () => {
    const { add, lengths } = outbox();
    for (let i = 0; i < 65; i++) add(octets(10));
    for (let i = 0; i < 6; i++) add(octets(12_000), there);
    expect(lengths().map((run) => run.length)).toEqual([64, 1, 5, 1]);
  });

  it('no more messages than a call takes; what is refused has changed nothing', () => {
    const { box, add, lengths } = outbox();
    for (let i = 0; i < BATCH; i++) expect(add(octets(10), i % 2 === 0 ? here : there)).toBe(true);
    expect(add(octets(10), here)).toBe(false);
    expect(add(octets(10), there)).toBe(true); // the last message may still grow
    expect(lengths().map((run) => run.length)).toEqual([...new Array<number>(BATCH - 1).fill(1), 2]);
    expect([box.gone(BATCH - 1), box.count, box.segments]).toEqual([BATCH - 1, 1, 2]);
    expect(add(octets(10), here)).toBe(false); // memory is taken from the beginning when all has gone
    expect([box.gone(1), add(octets(10), here), box.count]).toEqual([2, true, 1]);
  });

  it('no more octets than there is memory; an empty outbox takes the longest datagram', () => {
    const { box, add, wire } = outbox(65_536);
    const longest = octets(LONGEST);
    expect(add(longest, here, 0)).toBe(true);
    expect([add(Uint8Array.of(7)), add(octets(2))]).toEqual([true, false]);
    expect(wire()).toEqual([[longest], [Uint8Array.of(7)]]);
    box.clear();
    expect([box.count, add(longest, here, 0)]).toEqual([0, true]);
  });

  it('IPv6 addresses have their own length', () => {
    const kernel = memory();
    const box = new Outbox(kernel.addressOf);
    box.add(octets(9), 0, 9, new Uint8Array(16).fill(0xfd), 4500);
    box.add(octets(9), 0, 9, here, 4500);
    expect([0, 1].map((n) => kernel.message(box.headers, n).name.length)).toEqual([28, 16]);
  });

  describe('a run that is refused', () => {
    it('goes datagram by datagram, then those behind it as they are', () => {
      const { box, add, wire } = outbox();
      const all = [900, 900, 400, 900, 900].map((n, i) => octets(n, i + 1));
      for (const o of all) add(o);
      box.split();
      const sent: Uint8Array[] = [];
      for (let i = 0; i < 3; i++) {
        expect([box.count, box.segments, box.size]).toEqual([1, 1, 900]);
        sent.push(...wire().flat());
        expect(box.gone(1)).toBe(1);
      }
      expect(sent).toEqual(all.slice(0, 3));
      expect([box.count, box.segments]).toEqual([1, 2]);
      expect(wire().flat()).toEqual(all.slice(3));
      expect([box.gone(1), box.count]).toEqual([2, 0]);
    });

    it('grows no more, and what is added meanwhile goes behind it', () => {
      const { box, add, wire } = outbox();
      const all = [900, 900, 900, 900].map((n, i) => octets(n, i + 1));
      for (const o of all.slice(0, 2)) add(o);
      box.split();
      for (const o of all.slice(2)) expect(add(o)).toBe(true);
      const sent: Uint8Array[] = [];
      while (box.count > 0) {
        sent.push(...wire().flat());
        box.gone(box.count);
      }
      expect(sent).toEqual(all);
    });

    it('in the middle of others: those before it have gone', () => {
      const { box, add, wire } = outbox();
      const all = [300, 600, 600, 200].map((n, i) => octets(n, i + 1));
      for (const o of all) add(o);
      expect([box.gone(1), box.segments]).toEqual([1, 3]);
      box.split();
      expect(wire().flat()).toEqual([all[1]]);
      expect([box.gone(0), box.count]).toEqual([0, 1]);
      expect([box.gone(1), box.gone(1), box.gone(1), box.count]).toEqual([1, 1, 1, 0]);
      expect(add(octets(5))).toBe(true);
      expect(wire()).toEqual([[octets(5)]]);
    });

    it('and is given up one by one when its datagrams are refused too', () => {
      const { box, add } = outbox();
      for (let i = 0; i < 3; i++) add(octets(100));
      box.split();
      expect([box.gone(1), box.gone(1), box.gone(1), box.count]).toEqual([1, 1, 1, 0]);
    });
  });
});
