/** The accounts of the load: what they let pass, and what they do not. */
import { describe, expect, it } from 'vitest';
import { faults, grown, hops, type Ledger, losses, socketDrops, unexplained } from '../../bench/load/accounts.ts';

/** Hundred packets that come back as echoes. */
const whole: Ledger = {
  ...{ clientsSent: 100, clientsReceived: 100, keepalives: 0, refused: {}, fullGateway: 0, fullClients: 0 },
  gateway: { received: 100, inPackets: 100, insideDelivered: 100, insideSent: 100, outPackets: 100, sent: 100 },
};
const with_ = (change: Partial<Ledger>, gateway: Readonly<Record<string, number>> = {}): Ledger => ({
  ...whole,
  ...change,
  gateway: { ...whole.gateway, ...gateway },
});

describe('accounts', () => {
  it('are in order where everything comes', () => {
    for (const direction of ['in', 'out', 'echo'] as const) expect(faults(direction, whole, 0)).toEqual([]);
    expect(hops('echo', whole)).toHaveLength(6);
  });

  it('let drops pass that somebody has counted', () => {
    const l = with_(
      { clientsReceived: 90 },
      {
        inPackets: 97,
        inErrors: 3,
        'esp-replay': 3,
        insideDelivered: 97,
        insideSent: 97,
        outPackets: 97,
        queueFull: 7,
        sent: 90,
      },
    );
    expect(faults('echo', l, 0)).toEqual([]);
    expect(losses('echo', l)).toEqual(['3 × esp-replay', '7 × queueFull']);
  });

  it('find a packet that nobody has counted, at its hop', () => {
    const l = with_({}, { insideDelivered: 99 });
    expect(faults('in', l, 0)).toEqual(['data plane → inside: 100 left, 99 came, 1 unexplained']);
    expect(faults('out', l, 0)).toEqual([]);
    expect(faults('in', with_({}, { received: 101 }), 0)[0]).toContain('-1 unexplained');
  });

  it("take one of the kernel's drops for a packet, or for a whole run of them", () => {
    const hop = (came: number, full: number) => unexplained({ name: '', left: 100, came, drops: {}, full });
    expect([hop(98, 2), hop(60, 2), hop(0, 2)]).toEqual([0, 0, 0]);
    expect(hop(99, 2)).toBe(-1); // two were dropped and one is missing
    expect(hop(30, 1)).toBe(6);
  });

  it('do not count keepalives, and want no fault and no broken packet', () => {
    expect(faults('out', with_({ keepalives: 2 }, { sent: 102 }), 0)).toEqual([]);
    expect(faults('in', with_({}, { faults: 1 }), 0)).toEqual(['1 × faults']);
    expect(faults('in', with_({}, { insideWrong: 1 }), 1)).toEqual(['2 packets are not what they should be']);
  });

  it("read the kernel's drops of some ports", () => {
    const line = (port: string, drops: number) =>
      `  12: 0100007F:${port} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9 2 00000000 ${drops}`;
    const text = ['  sl  local_address …', line('1194', 3), line('1195', 40), line('1196', 500), ''].join('\n');
    expect(socketDrops(text, [0x1194, 0x1196])).toBe(503);
    expect(grown({ a: 1 }, { a: 3, b: 2 })).toEqual({ a: 2, b: 2 });
  });
});
