/**
 * What holds for leases whatever clients do (RFC 7296 §2.19): an address has one holder, is in the pool it was asked of, and is
 * refused only when nothing is free for that identity. Judged by a model that knows every address.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Lease, Leases } from '../../src/ike/leases.ts';

const LINGER = 5;
const SPACE = 12;

type Pool = { readonly name: string; readonly ranges: readonly Span[]; readonly exclude: readonly Span[] };
type Span = readonly [from: number, to: number];
type Act =
  | { readonly do: 'take'; readonly pool: number; readonly who: string }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'wait'; readonly seconds: number };

const span: fc.Arbitrary<Span> = fc.tuple(fc.nat(SPACE - 1), fc.nat(SPACE - 1)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
const pools: fc.Arbitrary<readonly Pool[]> = fc
  .array(fc.record({ ranges: fc.array(span, { minLength: 1, maxLength: 3 }), exclude: fc.array(span, { maxLength: 1 }) }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((all) => all.map((pool, i) => ({ ...pool, name: `p${i}` })));
const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('take' as const), pool: fc.nat(2), who: fc.constantFrom('anna', 'bert', 'carl') }),
    fc.record({ do: fc.constant('release' as const), which: fc.nat(20) }),
    fc.record({ do: fc.constant('wait' as const), seconds: fc.nat(4) }),
  ),
  { maxLength: 60 },
);

const octets = (n: number): Uint8Array => Uint8Array.of(10, 0, 0, n);
const asRange = ([from, to]: Span) => ({ start: octets(from), end: octets(to) });
const asProfile = ({ name, ranges, exclude }: Pool) => ({
  name,
  modeCfg: { ipv4: { ranges: ranges.map(asRange), exclude: exclude.map(asRange) }, ipv6: undefined },
});
const holds = (list: readonly Span[], n: number) => list.some(([from, to]) => from <= n && n <= to);
const members = ({ ranges, exclude }: Pool) =>
  Array.from({ length: SPACE }, (_, n) => n).filter((n) => holds(ranges, n) && !holds(exclude, n));

type Model = {
  now: number;
  readonly live: { readonly lease: Lease; readonly at: number; readonly who: string }[];
  /** Address → who gave it back last, and when its linger ends. */
  readonly left: Map<number, { readonly who: string; readonly until: number }>;
};

/** True when nobody holds that address; `kept`: and it does not linger for somebody else. */
function isFree(model: Model, at: number, who: string, kept: boolean): boolean {
  const left = model.left.get(at);
  const lingers = left !== undefined && left.who !== who && left.until > model.now;
  return !model.live.some((one) => one.at === at) && !(kept && lingers);
}

function take(leases: Leases, model: Model, pool: Pool, who: string): void {
  const lease = leases.take(pool.name, 4, who, model.now);
  const free = members(pool).filter((at) => isFree(model, at, who, false));
  if (lease === undefined) return expect(free).toEqual([]);
  const at = lease.address[3] ?? -1;
  const kept = free.filter((one) => isFree(model, one, who, true));
  expect(kept.length > 0 ? kept : free).toContain(at); // somebody's lingering address only when there is no other
  model.left.delete(at);
  model.live.push({ lease, at, who });
}

function release(leases: Leases, model: Model, which: number): void {
  const [gone] = model.live.splice(which % Math.max(1, model.live.length), 1);
  if (gone === undefined) return;
  leases.release(gone.lease, model.now);
  leases.release(gone.lease, model.now + 1);
  model.left.set(gone.at, { who: gone.who, until: model.now + LINGER * 1000 });
}

describe('leases of pools that may overlap', () => {
  it('have one holder, lie in their pool, and run out only when nothing is free for that identity', () => {
    fc.assert(
      fc.property(pools, acts, (configured, script) => {
        const leases = new Leases(configured.map(asProfile), LINGER);
        const model: Model = { now: 0, live: [], left: new Map() };
        for (const act of script) {
          const pool = configured[act.do === 'take' ? act.pool % configured.length : 0];
          if (act.do === 'take' && pool !== undefined) take(leases, model, pool, act.who);
          if (act.do === 'release') release(leases, model, act.which);
          if (act.do === 'wait') model.now += act.seconds * 1000;
          for (const each of configured) {
            const inPool = new Set(members(each));
            expect(leases.used(each.name, 4)).toBe(model.live.filter(({ at }) => inPool.has(at)).length);
            expect(leases.size(each.name, 4)).toBe(inPool.size);
          }
        }
      }),
      { seed: 7296, numRuns: 500 },
    );
  });

  it('of an identity that was alone are the same again', () => {
    fc.assert(
      fc.property(pools, fc.array(fc.nat(4), { minLength: 1, maxLength: 10 }), (configured, waits) => {
        const leases = new Leases(configured.map(asProfile), LINGER);
        let now = 0;
        const seen = waits.map((seconds) => {
          now += seconds * 1000;
          const lease = leases.take('p0', 4, 'anna', now);
          if (lease) leases.release(lease, now);
          return lease?.address[3];
        });
        expect(new Set(seen).size).toBe(1);
      }),
      { seed: 7296, numRuns: 100 },
    );
  });
});
