import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REPLAYED, ReplayWindow, TOO_OLD } from '../../../src/esp/replay.ts';

const HALF = 2 ** 32;
const take = (w: ReplayWindow, number: number): number => {
  const high = w.look(number % HALF);
  if (high >= 0) w.mark(number % HALF, high);
  return high;
};

describe('the window against replays (RFC 6479)', () => {
  it('takes each number once', () => {
    const w = new ReplayWindow(64, false, true);
    expect([take(w, 1), take(w, 1), take(w, 3), take(w, 2), take(w, 2)]).toEqual([0, REPLAYED, 0, 0, REPLAYED]);
  });
  it('has no number 0, and nothing behind its edge', () => {
    const w = new ReplayWindow(64, false, true);
    expect(take(w, 0)).toBe(TOO_OLD);
    take(w, 100);
    expect([take(w, 37), take(w, 36)]).toEqual([0, TOO_OLD]);
  });
  it('a look changes nothing', () => {
    const w = new ReplayWindow(64, false, true);
    w.look(1000);
    expect([w.top, take(w, 1)]).toEqual([0, 0]);
  });
  it('lets replays pass when it is told to', () => {
    const w = new ReplayWindow(64, false, false);
    expect([take(w, 5), take(w, 5)]).toEqual([0, 0]);
  });

  it.each([32, 64, 100, 2048])('agrees with a plain set, size %i, any order and repetition', (size) => {
    const step = fc.oneof(fc.integer({ min: -2 * size, max: 40 }), fc.integer({ min: 1, max: 5 * size }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => agree(new ReplayWindow(size, false, true), size, 0, steps)),
      { numRuns: 100 },
    );
  });
  it.each([32, 64, 2048])('and so it does with ESN across the wrap of the lower half, size %i', (size) => {
    // What lies behind the window is taken for a number of the next 2^32, which authentication would refuse: not tried here.
    const step = fc.integer({ min: 1 - size, max: 3 * size });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const start = HALF - 2 * size;
        const w = new ReplayWindow(size, true, true);
        w.mark(start, 0);
        agree(w, size, start, steps);
      }),
      { numRuns: 100 },
    );
  });
  it('with ESN a low number from behind the window belongs to the next 2^32', () => {
    const w = new ReplayWindow(64, true, true);
    w.mark(1000, 0);
    expect([w.look(936), w.look(937)]).toEqual([1, 0]);
    w.mark(10, 1);
    expect([w.look(HALF - 50), w.look(HALF - 60)]).toEqual([0, 1]);
  });
});

/** Numbers relative to the highest so far. */
function agree(w: ReplayWindow, size: number, start: number, steps: readonly number[]): void {
  const seen = new Set([start]);
  let top = start;
  for (const s of steps) {
    const number = Math.max(1, top + s);
    const high = Math.floor(number / HALF);
    const expected = top - number >= size ? TOO_OLD : seen.has(number) ? REPLAYED : high;
    expect(take(w, number)).toBe(expected);
    if (expected === high) seen.add(number);
    if (expected === high) top = Math.max(top, number);
    expect(w.top).toBe(top);
  }
}
