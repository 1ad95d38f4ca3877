/** A TUN device of no kernel: what is asked of it, what is read and written, what is refused. */
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { TunCalls } from '../../../src/net/native.ts';
import { makeTun, type TunOptions } from '../../../src/net/tun.ts';
import { VNET } from '../../../src/net/vnet.ts';
import { ACK, FIN, octets, plainSum, stream, tcp, udp, upperSum } from './packets.ts';

const { EINVAL, EAGAIN, EINTR, EPERM, EBUSY, EIO } = constants.errno;
const [TUN, NO_PI, VNET_HDR] = [0x0001, 0x1000, 0x4000];
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What a read gives: octets, or minus an errno. */
type Read = Uint8Array | number;

function kernel(says: { made?: number[]; reads?: Read[]; offload?: number[]; write?: (octets: Uint8Array) => number } = {}) {
  const seen = {
    flags: [] as number[],
    offloads: [] as number[],
    written: [] as Uint8Array[],
    closed: [] as number[],
    unwatched: 0,
  };
  let ready: () => void = () => undefined;
  const calls: TunCalls = {
    makeTun: (_fd, request) => {
      seen.flags.push(new DataView(request.buffer).getUint16(16, true));
      request.set(new TextEncoder().encode('postern7\0'));
      return says.made?.shift() ?? 0;
    },
    setOffload: (_fd, offloads) => {
      seen.offloads.push(offloads);
      return says.offload?.shift() ?? 0;
    },
    read: (_fd, into, at, length) => {
      const next = says.reads?.shift() ?? -EAGAIN;
      if (typeof next === 'number') return next;
      expect(next.length).toBeLessThanOrEqual(length);
      into.set(next, at);
      return next.length;
    },
    write: (_fd, from, at, length) => {
      const one = from.slice(at, at + length);
      const result = says.write?.(one) ?? length;
      if (result === length) seen.written.push(one);
      return result;
    },
    close: (fd) => seen.closed.push(fd),
    watch: (_fd, whenReady) => {
      ready = whenReady;
      const close = () => {
        seen.unwatched += 1;
      };
      return { writable: () => undefined, close };
    },
  };
  return { calls, seen, ready: () => ready() };
}

function device(k: ReturnType<typeof kernel>, more: Partial<TunOptions> = {}) {
  const came: Uint8Array[] = [];
  const tun = makeTun(k.calls, {
    ...{ name: 'postern%d', mtu: 1400, headroom: 24, tailroom: 64, open: () => 5 },
    onPacket: (b, at, length) => {
      expect(at).toBeGreaterThanOrEqual(24);
      expect(b.length - at - length).toBeGreaterThanOrEqual(64);
      came.push(b.slice(at, at + length));
    },
    ...more,
  });
  const send = (packet: Uint8Array) => tun.send(packet, 0, packet.length);
  return { tun, came, send };
}

const whole = (packet: Uint8Array) => Uint8Array.from([...new Array<number>(VNET).fill(0), ...packet]);

describe('a device with segments', () => {
  it('is asked for by name, with checksums, TCP and UDP left to us', () => {
    const k = kernel();
    const { tun } = device(k);
    expect(tun.name).toBe('postern7');
    expect(k.seen.flags).toEqual([TUN | NO_PI | VNET_HDR]);
    expect(k.seen.offloads).toEqual([0x67]);
  });

  it('gives packets as they are, with checksums finished, and segments in pieces', async () => {
    const plain = tcp({ payload: octets(10) });
    const unfinished = plain.slice();
    new DataView(unfinished.buffer).setUint16(36, plainSum(plain, 12, 8, 6 + 30)); // the pseudo header's sum
    const segment = tcp({ payload: octets(2500), flags: ACK | FIN });
    const k = kernel({
      reads: [
        whole(plain),
        -EINTR,
        Uint8Array.from([1, 0, 0, 0, 0, 0, 20, 0, 16, 0, ...unfinished]),
        Uint8Array.from([1, 1, 40, 0, 0xe8, 3, 20, 0, 16, 0, ...segment]),
      ],
    });
    const { tun, came } = device(k);
    k.ready();
    k.ready(); // poll says so until it has been read
    await turn();
    expect(came.slice(0, 2)).toEqual([plain, plain]);
    expect(came.slice(2).map((p) => p.length)).toEqual([1040, 1040, 540]);
    for (const p of came) expect(upperSum(p, 20)).toBe(0xffff);
    expect(tun.counters()).toMatchObject({ innerIn: 5, innerMalformed: 0 });
  });

  it('counts what is not what its header says', async () => {
    const k = kernel({
      reads: [
        Uint8Array.from([1, 0, 0, 0, 0, 0, 200, 0, 16, 0, ...tcp()]), // a checksum beyond the packet
        Uint8Array.from([1, 5, 0, 0, 1, 0, 0, 0, 0, 0, ...tcp()]), // TCP that is said to be UDP
        new Uint8Array(VNET), // nothing behind the header
        whole(tcp()),
      ],
    });
    const { tun, came } = device(k);
    k.ready();
    await turn();
    expect(came).toEqual([]);
    expect(tun.counters()).toMatchObject({ innerIn: 0, innerMalformed: 2 });
  });

  it('takes what belongs together at the end of the turn, in one write', async () => {
    const k = kernel();
    const { tun, send } = device(k);
    for (const packet of stream(10_000, 1000)) expect(send(packet)).toBe(true);
    expect(k.seen.written).toEqual([]);
    await turn();
    expect(k.seen.written.map((w) => [w[1], w.length])).toEqual([[1, VNET + 40 + 10_000]]);
    expect(tun.counters()).toMatchObject({ innerOut: 10 });
  });

  it.each([
    ['datagrams of one flow go in one write', [], [0x67], [[5, 10]]],
    ['an older kernel gets each by itself, and is asked for TCP alone', [-EINVAL, 0], [0x67, 7], new Array(10).fill([0, 1])],
  ] as const)('%s', async (_, offload, asked, expected) => {
    const k = kernel({ offload: [...offload] });
    const { tun, send } = device(k);
    expect(k.seen.offloads).toEqual(asked);
    for (let id = 0; id < 10; id++) expect(send(udp({ id, payload: octets(1000, id) }))).toBe(true);
    await turn();
    expect(k.seen.written.map((w) => [w[1], Math.round(w.length / 1000)])).toEqual(expected);
    expect(tun.counters()).toMatchObject({ innerOut: 10 });
  });

  it('counts every packet of what the kernel does not take', async () => {
    let says = -EAGAIN;
    const k = kernel({ write: () => says });
    const { tun, send } = device(k);
    for (const packet of stream(3000, 1000)) send(packet);
    await turn();
    says = -EIO;
    expect(send(tcp({ flags: ACK | FIN }))).toBe(false);
    expect(tun.counters()).toMatchObject({ innerOut: 0, innerFull: 3, innerRefused: 1 });
  });

  it('writes what waits before it closes, and nothing afterwards', async () => {
    const k = kernel();
    const { tun, send } = device(k);
    for (const packet of stream(2000, 1000)) send(packet);
    await tun.close();
    await tun.close();
    expect(k.seen.written).toHaveLength(1);
    expect(send(tcp())).toBe(false);
    await turn();
    expect([k.seen.written.length, k.seen.closed, k.seen.unwatched]).toEqual([1, [5], 1]);
  });
});

describe('a device without segments', () => {
  it.each([
    ['the kernel has none', {}, [-EINVAL, 0], 2],
    ['nobody wants them', { segments: false }, [0], 1],
  ] as const)('goes packet by packet: %s', async (_, more, made, asked) => {
    const packets = stream(3000, 1000);
    const k = kernel({ made: [...made], reads: [...packets] });
    const { came, send } = device(k, more);
    expect(k.seen.flags).toHaveLength(asked);
    expect(k.seen.flags.at(-1)).toBe(TUN | NO_PI);
    expect(k.seen.offloads).toEqual([]);
    for (const packet of packets) expect(send(packet)).toBe(true);
    expect(k.seen.written).toEqual(packets);
    k.ready();
    await turn();
    expect(came).toEqual(packets);
  });
});

describe('a machine that allows none', () => {
  it.each([
    [EPERM, /No right/],
    [EBUSY, /is there already/],
  ])('errno %i is said in words, and nothing stays open', (errno, words) => {
    const k = kernel({ made: [-errno] });
    expect(() => device(k)).toThrow(words);
    expect(k.seen.closed).toEqual([5]);
  });
  it('says how to get the device file', () => {
    const open = () => {
      throw Object.assign(new Error('no'), { code: 'ENOENT' });
    };
    expect(() => device(kernel(), { open })).toThrow(/There is no \/dev\/net\/tun/);
  });
});

it("a device that a thread has closed is not closed again at the thread's end, when its number is somebody else's", async () => {
  const source = `import { openSync } from 'node:fs';
    import { parentPort } from 'node:worker_threads';
    const { closeDevice } = await import(${JSON.stringify(new URL('../../../src/net/tun.ts', import.meta.url).href)});
    const fd = openSync('/dev/null');
    closeDevice(fd);
    parentPort.postMessage(fd);
    setInterval(() => undefined, 1000);`;
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const [fd] = (await once(thread, 'message')) as [number];
  const ours: number[] = [];
  while (!ours.includes(fd) && ours.length < 1000) ours.push(openSync('/dev/null', 'r'));
  await thread.terminate();
  expect(ours).toContain(fd);
  for (const one of ours) closeSync(one); // throws EBADF for what is not open
});
