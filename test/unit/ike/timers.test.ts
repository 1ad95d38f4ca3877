import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Timed, Timers } from '../../../src/ike/timers.ts';

type Entry = Timed & { readonly name: number };
const entry = (name: number): Entry => ({ name, due: Number.POSITIVE_INFINITY, heapIndex: -1 });

describe('timers', () => {
  it('gives what is due in order of its moment, and nothing before it', () => {
    const timers = new Timers<Entry>();
    const [a, b, c] = [entry(1), entry(2), entry(3)];
    timers.set(a, 30);
    timers.set(b, 10);
    timers.set(c, 20);
    expect(timers.next).toBe(10);
    expect(timers.due(9)).toBeUndefined();
    expect([timers.due(30), timers.due(30), timers.due(30), timers.due(30)]).toEqual([b, c, a, undefined]);
  });

  it('behaves like a sorted list under any order of setting, moving and removing', () => {
    const step = fc.record({ who: fc.integer({ min: 0, max: 9 }), due: fc.option(fc.integer({ min: 0, max: 50 })) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const timers = new Timers<Entry>();
        const entries = Array.from({ length: 10 }, (_, i) => entry(i));
        const model = new Map<number, number>();
        for (const { who, due } of steps) {
          const e = entries[who] ?? entry(who);
          timers.set(e, due ?? Number.POSITIVE_INFINITY);
          if (due === null) model.delete(who);
          else model.set(who, due);
          expect(timers.size).toBe(model.size);
          expect(timers.next).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
        }
        const order: number[] = [];
        for (let e = timers.due(50); e !== undefined; e = timers.due(50)) order.push(model.get(e.name) ?? -1);
        expect(order).toEqual([...model.values()].sort((x, y) => x - y));
      }),
      { seed: 1 },
    );
  });
});
