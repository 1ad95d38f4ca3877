/** The client's end of ESP and the data plane, each the judge of the other: they share algorithms and nothing else. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { espOpener, espSealer, espSizes } from '../../../crypto/index.ts';
import type { EspChild } from '../../../src/esp/index.ts';
import { Sa } from '../../../src/esp/sa.ts';
import { EspEnd } from '../../../src/lab/espEnd.ts';
import type { Child } from '../../../src/lab/index.ts';
import { selector } from '../../../src/lab/octets.ts';
import { echo, ip4, ip6, udp, v4, v6 } from '../esp/packets.ts';
import { clearance, everything, host, path, World } from '../esp/world.ts';

const [US, US6] = ['10.0.0.1', 'fd00:0:0:0:0:0:0:1'];
const [THEM, THEM6] = ['10.50.0.1', 'fd50:0:0:0:0:0:0:1'];

type Transform = { readonly encr: number; readonly keyLength: number; readonly integ: number };
/** IANA numbers of all that ESP may be protected by here: AES-GCM, ChaCha20-Poly1305, AES-CBC and NULL with HMAC. */
const ALL: readonly Transform[] = [
  ...[128, 192, 256].map((keyLength) => ({ encr: 20, keyLength, integ: 0 })),
  { encr: 28, keyLength: 0, integ: 0 },
  ...[128, 192, 256].flatMap((keyLength) => [2, 12, 13, 14].map((integ) => ({ encr: 12, keyLength, integ }))),
  ...[2, 12, 13, 14].map((integ) => ({ encr: 11, keyLength: 0, integ })),
];
const SPOKEN = ALL.filter(({ encr, keyLength, integ }) => espSizes(encr, keyLength, integ) !== undefined);
const GCM: Transform = { encr: 20, keyLength: 256, integ: 0 };
const CBC: Transform = { encr: 12, keyLength: 128, integ: 12 };

type Pair = {
  readonly world: World;
  readonly end: EspEnd;
  readonly children: Child[];
  readonly add: (n: number, madeBy?: Child['madeBy']) => Child;
};

function pair(transform: Transform, esn: boolean, only: Partial<Pick<Child, 'TSi' | 'TSr'>> = {}): Pair {
  const sizes = espSizes(transform.encr, transform.keyLength, transform.integ);
  if (sizes === undefined) throw new Error('no such transform');
  let chance = 1;
  const end = new EspEnd((n) => {
    chance += 1;
    return new Uint8Array(n).fill(chance);
  });
  const world = new World();
  const children: Child[] = [];
  return {
    ...{ world, end, children },
    add(n, madeBy = 'us') {
      const keys = (way: number) => ({
        encr: Uint8Array.from({ length: sizes.encrKeyOctets }, (_, i) => n * 16 + way + i),
        integ: Uint8Array.from({ length: sizes.integKeyOctets }, (_, i) => n * 16 + way + 3 * i),
      });
      const [toUs, toThem] = [keys(1), keys(2)];
      const opener = espOpener({ ...transform, esn }, toThem.encr, toThem.integ);
      const sealer = espSealer({ ...transform, esn }, toUs.encr, toUs.integ);
      if (opener === undefined || sealer === undefined) throw new Error('no such transform');
      const planes: EspChild = {
        ...{ spiIn: 2000 + n, spiOut: 1000 + n, gateway: 'dial_1', profile: 'dial', leases: [v4(US), v6(US6)] },
        ...{
          TSi: [host(v4(US)), host(v6(US6))],
          TSr: [everything(), everything(16)],
          esn,
          replay: true,
          opener,
          sealer,
          path: path(),
        },
      };
      world.plane.install(planes, world.now);
      world.plane.open(planes.spiIn, clearance);
      const child: Child = {
        ...{ spiIn: 1000 + n, spiOut: 2000 + n, transport: false, madeBy, state: 'installed', keys: { in: toUs, out: toThem } },
        ...{ TSi: [selector(US), selector(US6)], TSr: [selector('0.0.0.0/0'), selector('::/0')], ...only },
        suite: { ...transform, esn, group: 0 },
      };
      children.push(child);
      end.follow(children, world.now);
      return child;
    },
  };
}

const sent = (sealed: Uint8Array | string): Uint8Array => {
  if (typeof sealed === 'string') throw new Error(sealed);
  return sealed;
};
const lastOut = ({ world }: Pair): Uint8Array => {
  const last = world.outside.at(-1);
  if (last === undefined) throw new Error('nothing went out');
  return last.octets;
};
const packets = (octets: number) => ({
  up: [ip4(US, THEM, 17, udp(5, 7, octets)), ip6(US6, THEM6, 17, udp(5, 7, octets))],
  down: [ip4(THEM, US, 17, udp(7, 5, octets)), ip6(THEM6, US6, 17, udp(7, 5, octets))],
});
const numberOf = (esp: Uint8Array): number => new DataView(esp.buffer, esp.byteOffset).getUint32(4);

it('every kind of transform is among those that are tried', () => {
  expect(new Set(SPOKEN.map(({ encr }) => encr))).toEqual(new Set([11, 12, 20, 28]));
});

describe.each(SPOKEN.flatMap((t) => [false, true].map((esn) => [`${t.encr}/${t.keyLength}/${t.integ}`, esn, t] as const)))(
  'transform %s, ESN %s',
  (_, esn, transform) => {
    it('carries packets of both families and any length both ways', () => {
      const p = pair(transform, esn);
      p.add(1);
      for (let octets = 0; octets < 40; octets += 1) {
        const { up, down } = packets(octets);
        for (const packet of up) {
          expect(p.world.in(sent(p.end.seal(packet)))).toBeUndefined();
          expect(p.world.inside.at(-1)).toEqual(packet);
        }
        for (const packet of down) {
          expect(p.world.out(packet)).toBeUndefined();
          expect(p.end.open(lastOut(p))).toEqual(packet);
        }
      }
      expect(p.end.counters).toEqual({ inPackets: 80, outPackets: 80, drops: {} });
    });

    it('takes nothing with a flipped bit, cut, or for a second time, either way', () => {
      const p = pair(transform, esn);
      p.add(1);
      const { up, down } = packets(16);
      const [mine, inner] = [sent(p.end.seal(up[0] ?? new Uint8Array())), p.world.inside];
      p.world.out(down[0] ?? new Uint8Array());
      const theirs = lastOut(p).slice();
      for (let bit = 0; bit < 8 * theirs.length; bit += 5) {
        const bad = theirs.slice();
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(p.end.open(bad)).toBeTypeOf('string');
      }
      for (let bit = 0; bit < 8 * mine.length; bit += 5) {
        const bad = mine.slice();
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(p.world.in(bad)).toBeTypeOf('string');
      }
      for (let length = 0; length < theirs.length; length += 1) expect(p.end.open(theirs.slice(0, length))).toBeTypeOf('string');
      for (let length = 0; length < mine.length; length += 1) expect(p.world.in(mine.slice(0, length))).toBeTypeOf('string');
      expect(inner).toEqual([]);
      expect(p.end.open(theirs)).toEqual(down[0]);
      expect(p.end.open(theirs)).toBe('replay');
      expect(p.world.in(mine.slice())).toBeUndefined();
      expect(p.world.in(mine.slice())).toBe('replay');
    });
  },
);

describe('extended sequence numbers', () => {
  afterEach(() => void vi.restoreAllMocks());
  const [HALF, QUARTER] = [2 ** 32, 2 ** 31];

  it.each([
    ['GCM', GCM],
    ['CBC', CBC],
  ])('cross into the next half on the way to the gateway, late ones of the half before included: %s', (_, transform) => {
    const p = pair(transform, true);
    const { spiIn } = p.add(1);
    const up = packets(8).up[0] ?? new Uint8Array();
    p.end.skipTo(spiIn, QUARTER);
    expect(p.world.in(sent(p.end.seal(up)))).toBeUndefined();
    p.end.skipTo(spiIn, HALF - 2);
    const sealed = Array.from({ length: 5 }, () => sent(p.end.seal(up)));
    expect(sealed.map(numberOf)).toEqual([HALF - 2, HALF - 1, 0, 1, 2]);
    for (const i of [0, 2, 4, 1, 3]) expect(p.world.in((sealed[i] ?? up).slice())).toBeUndefined();
    for (const esp of sealed) expect(p.world.in(esp.slice())).toBe('replay');
    expect(p.world.plane.snapshot().sas[0]?.highest).toBe(HALF + 2);
  });

  it.each([
    ['GCM', GCM],
    ['CBC', CBC],
  ])('cross on the way to the client too: %s', (_, transform) => {
    const p = pair(transform, true);
    p.add(1);
    let from = QUARTER;
    const next = Sa.prototype.next;
    vi.spyOn(Sa.prototype, 'next').mockImplementation(function (this: Sa) {
      this.sequence = Math.max(this.sequence, from - 1);
      return next.call(this);
    });
    const down = packets(8).down[0] ?? new Uint8Array();
    const seal = () => {
      expect(p.world.out(down)).toBeUndefined();
      return lastOut(p).slice();
    };
    expect(p.end.open(seal())).toEqual(down);
    from = HALF - 2;
    const sealed = Array.from({ length: 5 }, seal);
    expect(sealed.map(numberOf)).toEqual([HALF - 2, HALF - 1, 0, 1, 2]);
    for (const i of [0, 2, 4, 1, 3]) expect(p.end.open(sealed[i] ?? down)).toEqual(down);
    for (const esp of sealed) expect(p.end.open(esp)).toBe('replay');
  });

  it('of an end that has none: the last number is the last', () => {
    const p = pair(GCM, false);
    const { spiIn } = p.add(1);
    p.end.skipTo(spiIn, HALF - 1);
    const up = packets(8).up[0] ?? new Uint8Array();
    expect(numberOf(sent(p.end.seal(up)))).toBe(HALF - 1);
    expect(p.end.seal(up)).toBe('exhausted');
  });
});

describe('the window', () => {
  it('takes what comes late, as far back as it reaches', () => {
    const p = pair(GCM, false);
    p.add(1);
    const down = packets(8).down[0] ?? new Uint8Array();
    const all = Array.from({ length: 1026 }, () => {
      p.world.out(down);
      return lastOut(p).slice();
    });
    const at = (i: number) => all[i] ?? down;
    expect(p.end.open(at(1024))).toEqual(down);
    expect(p.end.open(at(1))).toEqual(down);
    expect(p.end.open(at(0))).toBe('old');
    expect(p.end.open(at(1025))).toEqual(down);
  });
});

describe('IVs', () => {
  it('of AEAD never come twice and are not the sequence number', () => {
    const p = pair(GCM, false);
    p.add(1);
    const ivs = Array.from({ length: 300 }, () => {
      const esp = sent(p.end.seal(packets(8).up[0] ?? new Uint8Array()));
      const view = new DataView(esp.buffer);
      expect(view.getBigUint64(8)).not.toBe(BigInt(view.getUint32(4)));
      return view.getBigUint64(8);
    });
    expect(new Set(ivs).size).toBe(300);
  });
});

describe('children', () => {
  const up = packets(8).up[0] ?? new Uint8Array();
  const down = packets(8).down[0] ?? new Uint8Array();
  const spiOf = (esp: Uint8Array): number => new DataView(esp.buffer, esp.byteOffset).getUint32(0);

  it('of ours is used at once; one that the gateway made when something has come through it', () => {
    const p = pair(GCM, false);
    p.add(1);
    const second = p.add(2);
    expect(spiOf(sent(p.end.seal(up)))).toBe(second.spiOut);
    const third = p.add(3, 'gateway');
    expect(spiOf(sent(p.end.seal(up)))).toBe(second.spiOut);
    p.world.out(down); // by the newest
    expect(p.end.open(lastOut(p))).toEqual(down);
    expect(spiOf(sent(p.end.seal(up)))).toBe(third.spiOut);
  });

  it('that is gone is heard for half a minute, and carries nothing more of ours', () => {
    const p = pair(GCM, false);
    p.add(1);
    p.world.out(down);
    const early = lastOut(p).slice();
    p.world.out(down);
    const late = lastOut(p).slice();
    p.add(2);
    const left = p.children.slice(1);
    p.end.follow(left, 1000);
    expect(spiOf(sent(p.end.seal(up)))).toBe(2002);
    p.end.follow(left, 30_999);
    expect(p.end.open(early)).toEqual(down);
    p.end.follow(left, 31_000);
    expect(p.end.open(late)).toBe('unknown-spi');
  });

  it('without any left all are over at once', () => {
    const p = pair(GCM, false);
    p.add(1);
    p.world.out(down);
    p.end.follow([], 1);
    expect(p.end.open(lastOut(p))).toBe('unknown-spi');
    expect(p.end.seal(up)).toBe('no-child');
  });

  it('carries what its selectors hold, both ways', () => {
    const p = pair(GCM, false, { TSr: [selector('10.50.0.0/24', { protocol: 17, startPort: 7, endPort: 7 })] });
    p.add(1);
    expect(p.end.seal(up)).toBeInstanceOf(Uint8Array);
    for (const other of [
      ip4(US, '10.51.0.1', 17, udp(5, 7)),
      ip4(US, THEM, 17, udp(5, 8)),
      ip4(US, THEM, 1, echo(8, 1)),
      packets(8).up[1] ?? up,
    ])
      expect(p.end.seal(other)).toBe('no-child');
    p.world.out(ip4(THEM, US, 17, udp(8, 5)));
    expect(p.end.open(lastOut(p))).toBe('selector');
    p.world.out(down);
    expect(p.end.open(lastOut(p))).toEqual(down);
    expect(p.end.counters.drops).toEqual({ selector: 1, 'no-child': 4 });
  });
});
