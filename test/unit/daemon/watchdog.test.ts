/** When a worker is given up, in virtual time. */
import { describe, expect, it } from 'vitest';
import { LOOK, PATIENCE, Watchdog } from '../../../src/daemon/watchdog.ts';

/** Looks every so many ms for as long as nothing is found, two hours at most; `beats` counts the looks from 1. Gives when. */
function watch(beats: (look: number) => number, o: { readonly every?: (look: number) => number; readonly ready?: boolean } = {}) {
  const { every = () => LOOK, ready = true } = o;
  const dog = new Watchdog(0, PATIENCE);
  let now = 0;
  for (let look = 1; now < 7_200_000; look++) {
    now += every(look);
    const found = dog.look(now, beats(look), ready);
    if (found !== undefined) return { found, at: now };
  }
  return undefined;
}

const once = () => 1;
const never = () => 0;
const always = (look: number) => look;

describe('a worker', () => {
  it('that beats is let alone', () => expect(watch(always)).toBeUndefined());
  it('that beats just often enough is, too', () => expect(watch((look) => Math.ceil(look / 9))).toBeUndefined());
  it('that beats no more is found within ten seconds', () =>
    expect(watch((look) => Math.min(look, 100))).toEqual({ found: 'hung', at: 109_000 }));
  it('whose counter goes over the top is let alone', () => expect(watch((look) => (look + 0x7fff_fff0) | 0)).toBeUndefined());
});

describe('a start', () => {
  const ready = false;
  it('has a minute to be ready, whether it beats', () => expect(watch(always, { ready })).toEqual({ found: 'slow', at: 60_000 }));
  it('or still loads its program', () => expect(watch(never, { ready })).toEqual({ found: 'slow', at: 60_000 }));
  it('that has beaten and beats no more hangs', () => expect(watch(once, { ready })).toEqual({ found: 'hung', at: 10_000 }));
});

describe('a daemon that is late itself', () => {
  it('after a stop of the whole machine is as patient as before', () =>
    expect(watch(once, { every: (look) => (look === 5 ? 3_600_000 : LOOK) })?.at).toBe(3_600_000 + 10 * LOOK));
  it('by the half waits four times as long', () =>
    expect(watch(once, { every: () => 2 * LOOK })).toEqual({ found: 'hung', at: 38_000 }));
  it('makes up for nothing by looking twice at once', () =>
    expect(watch(once, { every: (look) => (look % 2 === 0 ? 1900 : 100) })?.at).toBeGreaterThan(10_000));
  it('of a moment is nothing', () => expect(watch(once, { every: () => LOOK + 1 })?.at).toBe(11 * (LOOK + 1)));
});
