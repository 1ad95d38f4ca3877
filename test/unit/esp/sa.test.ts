import { describe, expect, it } from 'vitest';
import { Owners } from '../../../src/esp/owners.ts';
import { Sa } from '../../../src/esp/sa.ts';
import { ip4, udp, v4 } from './packets.ts';
import { client, GCM, host, World } from './world.ts';

const made = (esn: boolean): Sa => {
  const { child } = client(1, { ...GCM, esn });
  return new Sa(child, new Owners().of(child), 64, 1500, 0);
};

describe('sequence numbers (RFC 4303 §3.3.3)', () => {
  it('never wrap; the last sixteenth asks for a rekey, the last one is the end', () => {
    const sa = made(false);
    sa.sequence = 0xf000_0000 - 1;
    expect([sa.passed(), sa.next(), sa.passed(), sa.passed()]).toEqual([undefined, 0xf000_0000, 'soft', undefined]);
    sa.sequence = 0xffff_fffe;
    expect([sa.next(), sa.passed(), sa.next(), sa.next(), sa.ended]).toEqual([0xffff_ffff, 'hard', 0, 0, true]);
  });
  it('with ESN go on where 32 bits end', () => {
    const sa = made(true);
    sa.sequence = 0xffff_ffff;
    expect([sa.next(), sa.passed()]).toEqual([2 ** 32, undefined]);
  });
  it('a number of the client near its end asks for a rekey too', () => {
    const sa = made(false);
    sa.window.mark(0xf800_0000, 0);
    expect(sa.passed()).toBe('soft');
  });
});

describe('many clients', () => {
  it('each finds its own, and none is left behind when all have gone', () => {
    const w = new World();
    const one = client(1);
    const lease = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
    for (let n = 1; n <= 3000; n += 1) {
      const address = v4(lease(n));
      w.plane.install({ ...one.child, spiIn: 5000 + n, gateway: `g${n}`, leases: [address], TSi: [host(address)] }, 0);
    }
    for (const n of [1, 1500, 3000]) {
      expect(w.out(ip4('192.0.2.9', lease(n), 17, udp(1, 2)))).toBe('valve-shut');
      expect(w.plane.snapshot().sas.find(({ spiIn }) => spiIn === 5000 + n)?.counters.drops['valve-shut']).toBe(1);
    }
    for (let n = 1; n <= 3000; n += 1) w.plane.remove(5000 + n);
    expect(w.out(ip4('192.0.2.9', lease(7), 17, udp(1, 2)))).toBe('no-route');
    expect(w.plane.snapshot().sas).toEqual([]);
  });
});
