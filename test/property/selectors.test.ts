/**
 * What holds for every offer of selectors and every policy (RFC 7296 §2.9): the answer is a subset of both. Judged by packets:
 * an answer may let through only what the offer and the policy let through. The addresses are few, so that ranges meet.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { narrow, SELECTORS_MAX, type SelectorRange } from '../../src/ike/selectors.ts';
import type { TrafficSelector } from '../../src/wire/index.ts';

const fixed = { seed: 72_969, numRuns: 300 };

type Packet = { readonly family: 4 | 6; readonly address: number; readonly protocol: number; readonly port: number };

const SPACE = 16;
const octets = (family: 4 | 6, n: number): Uint8Array => {
  const all = new Uint8Array(family === 4 ? 4 : 16).fill(10);
  all[all.length - 1] = n;
  return all;
};
const low = fc.nat(SPACE - 1);
const family = fc.constantFrom(4 as const, 6 as const);
const protocol = fc.constantFrom(0, 0, 0, 6, 17);
/** Mostly a range that holds something; now and then one that ends before it starts, or ports that cannot be seen. */
const span = fc.oneof(
  { weight: 3, arbitrary: fc.constant([0, SPACE - 1] as const) },
  { weight: 6, arbitrary: fc.tuple(low, low).map(([x, y]) => [Math.min(x, y), Math.max(x, y)] as const) },
  { weight: 1, arbitrary: fc.tuple(low, low) },
);
const ports = fc.constantFrom([0, 65535], [0, 65535], [0, 65535], [0, 1], [1, 2], [2, 2], [2, 65535], [65535, 0], [2, 1]);

const anyRange: fc.Arbitrary<SelectorRange> = fc
  .record({ family, span, protocol, ports })
  .map(({ family: f, span: [from, to], protocol: p, ports: [startPort = 0, endPort = 0] }) => ({
    start: octets(f, from),
    end: octets(f, to),
    protocol: p,
    startPort,
    endPort,
  }));
/** What a configuration can hold. */
const goodRange = anyRange.filter(
  ({ start, end, startPort, endPort }) => (start.at(-1) ?? 0) <= (end.at(-1) ?? 0) && startPort <= endPort,
);
const selector: fc.Arbitrary<TrafficSelector> = fc.oneof(
  { weight: 9, arbitrary: anyRange.map((one) => ({ type: one.start.length === 4 ? (7 as const) : (8 as const), ...one })) },
  { weight: 1, arbitrary: fc.constant({ type: 'other' as const, number: 9, protocol: 0, data: new Uint8Array(4) }) },
);
const selectors = fc.array(selector, { minLength: 2, maxLength: 6 });
const policy = fc.record({
  name: fc.constantFrom('a', 'b'),
  src: fc.array(goodRange, { minLength: 1, maxLength: 4 }),
  dst: fc.array(goodRange, { minLength: 1, maxLength: 4 }),
});
const policies = fc.array(policy, { minLength: 1, maxLength: 3 });
const assigned = fc.record({
  ipv4: fc.option(
    low.map((n) => octets(4, n)),
    { nil: undefined, freq: 6 },
  ),
  ipv6: fc.option(
    low.map((n) => octets(6, n)),
    { nil: undefined, freq: 6 },
  ),
});
const options = fc.record({ modeCfg: fc.boolean(), allowClientSelector: fc.boolean() });

function lets(list: readonly (SelectorRange | TrafficSelector)[], packet: Packet): boolean {
  return list.some((one) => {
    if (!('start' in one) || one.start.length !== (packet.family === 4 ? 4 : 16)) return false;
    const [from, to] = [one.start.at(-1) ?? 0, one.end.at(-1) ?? 0];
    const opaque = one.startPort === 65535 && one.endPort === 0;
    const inPorts =
      packet.port < 0
        ? opaque || (one.startPort === 0 && one.endPort === 65535)
        : one.startPort <= packet.port && packet.port <= one.endPort;
    return from <= packet.address && packet.address <= to && (one.protocol === 0 || one.protocol === packet.protocol) && inPorts;
  });
}

/** Every packet that the ranges above can tell apart; port -1 is one that cannot be seen (OPAQUE). */
const packets: readonly Packet[] = ([4, 6] as const).flatMap((f) =>
  Array.from({ length: SPACE }, (_, address) => address).flatMap((address) =>
    [6, 17, 1].flatMap((p) => [-1, 0, 1, 2, 3, 65535].map((at) => ({ family: f, address, protocol: p, port: at }))),
  ),
);

describe('narrowed selectors', () => {
  it('are something in a third of these cases, and of both families in some: there is something to judge', () => {
    let [some, both] = [0, 0];
    fc.assert(
      fc.property(selectors, selectors, policies, assigned, options, (TSi, TSr, phase2, leases, opts) => {
        const narrowed = narrow({ TSi, TSr }, phase2, leases, opts);
        if (narrowed !== undefined) some += 1;
        if (new Set(narrowed?.TSi.map(({ type }) => type)).size === 2) both += 1;
      }),
      fixed,
    );
    expect(some).toBeGreaterThan(fixed.numRuns / 3);
    expect(both).toBeGreaterThan(10);
  });

  it('let through nothing that the offer or the policy would not', () => {
    fc.assert(
      fc.property(selectors, selectors, policies, assigned, options, (TSi, TSr, phase2, leases, opts) => {
        const narrowed = narrow({ TSi, TSr }, phase2, leases, opts);
        if (narrowed === undefined) return;
        for (const packet of packets) {
          if (lets(narrowed.TSr, packet)) expect(lets(TSr, packet) && lets(narrowed.phase2.src, packet)).toBe(true);
          if (lets(narrowed.TSi, packet)) expect(lets(TSi, packet) && lets(narrowed.phase2.dst, packet)).toBe(true);
        }
      }),
      fixed,
    );
  });

  it('without mode-cfg let through all of it, for the families that both sides have', () => {
    fc.assert(
      fc.property(selectors, selectors, policy, (TSi, TSr, phase2) => {
        const narrowed = narrow(
          { TSi, TSr },
          [phase2],
          { ipv4: undefined, ipv6: undefined },
          { modeCfg: false, allowClientSelector: false },
        );
        const both = (list: readonly TrafficSelector[], ranges: readonly SelectorRange[]) =>
          packets.filter((packet) => lets(list, packet) && lets(ranges, packet));
        const [client, ours] = [both(TSi, phase2.dst), both(TSr, phase2.src)];
        const shared = (f: 4 | 6) => client.some((p) => p.family === f) && ours.some((p) => p.family === f);
        expect(packets.filter((packet) => lets(narrowed?.TSi ?? [], packet))).toEqual(client.filter((p) => shared(p.family)));
        expect(packets.filter((packet) => lets(narrowed?.TSr ?? [], packet))).toEqual(ours.filter((p) => shared(p.family)));
      }),
      fixed,
    );
  });

  it("with mode-cfg and without selectors of the client's own have the lease alone on its side", () => {
    fc.assert(
      fc.property(selectors, selectors, policies, assigned, (TSi, TSr, phase2, leases) => {
        const narrowed = narrow({ TSi, TSr }, phase2, leases, { modeCfg: true, allowClientSelector: false });
        for (const { start, end } of narrowed?.TSi ?? []) {
          expect(start).toEqual(start.length === 4 ? leases.ipv4 : leases.ipv6);
          expect(end).toEqual(start);
        }
      }),
      fixed,
    );
  });

  it('are never none on one side, never too many, and never hold one in another', () => {
    fc.assert(
      fc.property(selectors, selectors, policies, assigned, options, (TSi, TSr, phase2, leases, opts) => {
        const narrowed = narrow({ TSi, TSr }, phase2, leases, opts);
        for (const side of narrowed === undefined ? [] : [narrowed.TSi, narrowed.TSr]) {
          expect(side.length).toBeGreaterThan(0);
          expect(side.length).toBeLessThanOrEqual(SELECTORS_MAX);
          for (const [i, one] of side.entries())
            for (const [j, other] of side.entries())
              if (i !== j)
                expect(packets.every((p) => !lets([one], p) || lets([other], p)) && packets.some((p) => lets([one], p))).toBe(
                  false,
                );
        }
      }),
      fixed,
    );
  });

  it('narrow again to themselves: a rekey with what was agreed always succeeds', () => {
    fc.assert(
      fc.property(selectors, selectors, policies, assigned, options, (TSi, TSr, phase2, leases, opts) => {
        const first = narrow({ TSi, TSr }, phase2, leases, opts);
        if (first === undefined) return;
        const old = { TSi: first.TSi, TSr: first.TSr };
        const again = narrow({ ...old, old }, [first.phase2], leases, opts);
        expect(again && { TSi: again.TSi, TSr: again.TSr }).toEqual(old);
        const superset = narrow({ TSi, TSr, old }, [first.phase2], leases, opts);
        expect(superset && { TSi: superset.TSi, TSr: superset.TSr }).toEqual(old);
      }),
      fixed,
    );
  });
});
