import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FlowKey, Flows } from '../../../src/esp/flows.ts';

const key = (n: number): FlowKey => ({ owner: 1, kind: 6, ports: n, a0: 0, a1: 0, a2: 0, a3: n % 3, b0: 0, b1: 0, b2: 0, b3: 9 });

describe('the table of flows', () => {
  it('is bounded, and the one used longest ago gives way', () => {
    const flows = new Flows(4);
    for (let n = 1; n <= 4; n += 1) flows.add(key(n), 0, 100);
    expect(flows.touch(key(1), 1, 100)).toBe(true);
    flows.add(key(5), 2, 100);
    expect([1, 2, 3, 4, 5].map((n) => flows.touch(key(n), 3, 100))).toEqual([true, false, true, true, true]);
    expect(flows.count).toBe(4);
  });
  it('forgets what was idle for too long', () => {
    const flows = new Flows(4);
    flows.add(key(1), 0, 100);
    expect([flows.touch(key(1), 99, 100), flows.touch(key(1), 198, 100), flows.touch(key(1), 298, 100)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(flows.count).toBe(0);
  });
  it('agrees with a map in order of use', () => {
    const step = fc.record({ add: fc.boolean(), n: fc.integer({ min: 0, max: 30 }), wait: fc.integer({ min: 0, max: 20 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const flows = new Flows(8);
        const model = new Map<number, number>();
        let now = 0;
        for (const { add, n, wait } of steps) {
          now += wait;
          const live = (model.get(n) ?? 0) > now;
          if (!live) model.delete(n);
          if (add) {
            flows.add(key(n), now, 100);
            if (!live && model.size === 8) model.delete([...model.keys()][0] ?? -1);
          } else expect(flows.touch(key(n), now, 100)).toBe(live);
          if (add || live) {
            model.delete(n);
            model.set(n, now + 100);
          }
          expect(flows.count).toBe(model.size);
        }
        flows.clear();
        expect(flows.count).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
