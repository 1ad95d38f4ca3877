import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, begin, newWindow, remember } from '../../../src/ike/window.ts';

const octets = (n: number) => [new Uint8Array([n])];

describe('message-ID window (RFC 7296 §2.1-2.3)', () => {
  it('takes the next request once; while it is worked on its retransmission is busy, afterwards it is answered again', () => {
    const window = newWindow(1);
    expect(admit(window, 1)).toBe('fresh');
    begin(window);
    expect(admit(window, 1)).toBe('busy');
    remember(window, octets(1));
    expect(admit(window, 1)).toBe('again');
    expect(window.response).toEqual(octets(1));
    expect(admit(window, 2)).toBe('fresh');
  });

  it('takes nothing new before the answer to the last one is out: the window size is 1', () => {
    const window = newWindow(1);
    begin(window);
    expect(admit(window, 2)).toBe('ahead');
  });

  it('forgets the answer to an older request', () => {
    const window = newWindow(1);
    for (const n of [1, 2]) {
      begin(window);
      remember(window, octets(n));
    }
    expect(admit(window, 1)).toBe('old');
    expect(window.response).toEqual(octets(2));
  });

  it('answers each request exactly once and in order, whatever is reordered or duplicated', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 60 }), (arrivals) => {
        const window = newWindow(0);
        const served: number[] = [];
        for (const id of arrivals) {
          const verdict = admit(window, id);
          if (verdict === 'fresh') {
            begin(window);
            served.push(id);
            remember(window, octets(id));
          } else if (verdict === 'again') expect(window.response).toEqual(octets(id));
        }
        expect(served).toEqual(served.map((_, i) => i));
      }),
      { seed: 7296 },
    );
  });
});
