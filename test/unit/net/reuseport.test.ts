/** The program that steers datagrams, run by hand; and by the kernel, where there is one to run it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LANES_MAX, laneOf } from '../../../src/ike/index.ts';
import { systemCalls } from '../../../src/net/index.ts';
import { SocketGroups, steering } from '../../../src/net/reuseport.ts';
import { ikeSpi } from '../../../src/wire/index.ts';

/** Classic BPF as linux/filter.h has it, as much as is used. */
function run(program: ReturnType<typeof steering>, packet: Uint8Array): number {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  let a = 0;
  for (let i = 0; i < program.length; i++) {
    const [code, yes, no, k] = program[i] ?? [0, 0, 0, 0];
    switch (code) {
      case 0x20:
      case 0x30: {
        const octets = code === 0x20 ? 4 : 1;
        if (k + octets > packet.length) return 0; // a load beyond the datagram ends the program
        a = octets === 4 ? view.getUint32(k) : view.getUint8(k);
        break;
      }
      case 0x15:
        i += a === k ? yes : no;
        break;
      case 0x45:
        i += (a & k) !== 0 ? yes : no;
        break;
      case 0x05:
        i += k;
        break;
      case 0x94:
        a %= k;
        break;
      case 0x16:
        return a;
      default:
        throw new Error(`instruction ${code}`);
    }
  }
  throw new Error('it does not end');
}

const NONE = new Uint8Array(8);
const spi = fc.uint8Array({ minLength: 8, maxLength: 8 }).filter((octets) => octets.some((o) => o !== 0));
const count = fc.integer({ min: 2, max: LANES_MAX });

const ike = (SPIi: Uint8Array, SPIr: Uint8Array, flags: number) =>
  Uint8Array.of(...SPIi, ...SPIr, 46, 0x20, 35, flags, 0, 0, 0, 0);
const marked = (octets: Uint8Array) => Uint8Array.of(0, 0, 0, 0, ...octets);

describe('a datagram goes', () => {
  it("by the initiator's SPI while there is none of ours", () => {
    fc.assert(
      fc.property(spi, count, (SPIi, n) => {
        const wanted = laneOf(ikeSpi(SPIi), n);
        expect(run(steering(false, n), ike(SPIi, NONE, 8))).toBe(wanted);
        expect(run(steering(true, n), marked(ike(SPIi, NONE, 8)))).toBe(wanted);
      }),
    );
  });
  it("by ours from then on: the responder's, or the initiator's where we began", () => {
    fc.assert(
      fc.property(spi, spi, fc.integer({ min: 0, max: 255 }), count, (SPIi, SPIr, flags, n) => {
        const ours = (flags & 8) !== 0 ? SPIr : SPIi;
        expect(run(steering(false, n), ike(SPIi, SPIr, flags))).toBe(laneOf(ikeSpi(ours), n));
        expect(run(steering(true, n), marked(ike(SPIi, SPIr, flags)))).toBe(laneOf(ikeSpi(ours), n));
      }),
    );
  });
  it('by the SPI of ESP', () => {
    fc.assert(
      fc.property(fc.integer({ min: 256, max: 0xffff_ffff }), count, (esp, n) => {
        const octets = new Uint8Array(40);
        new DataView(octets.buffer).setUint32(0, esp);
        expect(run(steering(true, n), octets)).toBe(laneOf(esp, n));
      }),
    );
  });
  it('to the first when it is too short for any of that, and never beyond the last', () => {
    expect(run(steering(true, 4), Uint8Array.of(0xff))).toBe(0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), count, (octets, natt, n) => {
        const lane = run(steering(natt, n), octets);
        expect(lane).toBeGreaterThanOrEqual(0);
        expect(lane).toBeLessThan(n);
      }),
    );
  });
});

describe('groups of sockets', async () => {
  const calls = await systemCalls();
  const local = { name: 'lo', address: '127.0.0.1', family: 4 as const };

  it.skipIf(typeof calls === 'string')('are refused where somebody else is, with a code', () => {
    if (typeof calls === 'string') return;
    const [one, other] = [new SocketGroups(calls, 2), new SocketGroups(calls, 2)];
    try {
      one.socket(0, local, 45_123, true);
      expect(() => other.socket(0, local, 45_123, true)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
    } finally {
      one.close();
      other.close();
    }
  });

  it.skipIf(typeof calls === 'string')('are kept for a successor, and closed when nobody wants them', () => {
    if (typeof calls === 'string') return;
    const closed: number[] = [];
    const close = (fd: number) => {
      closed.push(fd);
      return calls.close(fd);
    };
    const groups = new SocketGroups({ ...calls, close }, 2);
    const [a, b] = [groups.socket(0, local, 0, true), groups.socket(1, local, 0, true)];
    expect(groups.socket(0, local, 0, true)).toBe(a);
    closed.length = 0;
    groups.release(0, a);
    expect(closed).toEqual([]);
    groups.release(1, b);
    expect(closed.sort()).toEqual([a, b].sort());
    groups.close();
  });

  it.skipIf(typeof calls === 'string')('do not wait for a dead worker, and none is made after the end', () => {
    if (typeof calls === 'string') return;
    const closed: number[] = [];
    const close = (fd: number) => {
      closed.push(fd);
      return calls.close(fd);
    };
    const groups = new SocketGroups({ ...calls, close }, 2);
    const [a, b] = [groups.socket(0, local, 0, true), groups.socket(1, local, 0, true)];
    closed.length = 0;
    groups.leave(0);
    expect(closed).toEqual([]);
    groups.release(1, b); // the address is gone: the next worker 0 will not ask for it
    expect(closed.sort()).toEqual([a, b].sort());
    groups.close();
    expect(() => groups.socket(0, local, 0, true)).toThrow('closed');
  });
});
