import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Evidence, judge, type PostureTag } from '../../../src/posture/index.ts';

const NOW = 1_000_000;
const tag = (name: string, ems = 1, type: PostureTag['type'] = 'ZTNA'): PostureTag => ({ ems, type, name });
const held = (names: readonly PostureTag[], from = NOW - 100, until = NOW + 100) => ({ tags: names, from, until });
const ems = (...tags: PostureTag[]): Evidence['ems'] => ({ kind: 'tags', ...held(tags) });
const silent: Evidence['ems'] = { kind: 'silent', why: 'connection refused' };
const none: Evidence['token'] = { kind: 'none' };
const token = (...tags: PostureTag[]): Evidence['token'] => ({ kind: 'valid', ...held(tags) });
const [a, b] = [tag('a'), tag('b')];

describe('posture gate', () => {
  it('clears a profile without a tag rule as not required, for ever', () => {
    expect(judge(undefined, { ems: silent, token: none }, NOW)).toMatchObject({
      kind: 'clear',
      source: 'not-required',
      until: Number.POSITIVE_INFINITY,
    });
  });

  it('denies when nothing is known: missing data never passes', () => {
    expect(judge([a], { ems: silent, token: none }, NOW)).toEqual({
      kind: 'deny',
      why: 'EMS silent: connection refused; no token',
    });
    expect(judge([], { ems: ems(a), token: token(a) }, NOW)).toEqual({ kind: 'deny', why: 'no tag matches' });
  });

  it('takes the first configured tag that the device holds', () => {
    expect(judge([b, a], { ems: ems(a, b), token: none }, NOW)).toMatchObject({ kind: 'clear', source: 'ems', tag: b });
  });

  it('does not take another EMS or another type of tag for the wanted one', () => {
    expect(judge([tag('a', 3)], { ems: ems(tag('a', 1)), token: none }, NOW).kind).toBe('deny');
    expect(judge([tag('a', 1, 'CLASS')], { ems: ems(a), token: none }, NOW).kind).toBe('deny');
  });

  it('hears the token when EMS is silent, and until the token ends', () => {
    expect(judge([a], { ems: silent, token: token(a) }, NOW)).toMatchObject({ kind: 'clear', source: 'token', until: NOW + 100 });
    expect(judge([a], { ems: silent, token: token(b) }, NOW).kind).toBe('deny');
  });

  it('holds that a token at its expiry is dead', () => {
    const at = (now: number) => judge([a], { ems: silent, token: token(a) }, now).kind;
    expect([at(NOW + 99), at(NOW + 100)]).toEqual(['clear', 'deny']);
  });

  it('treats a report at its age limit as silence', () => {
    const stale: Evidence = { ems: { kind: 'tags', ...held([a], NOW - 100, NOW) }, token: none };
    expect(judge([a], stale, NOW)).toEqual({ kind: 'deny', why: 'EMS report is stale; no token' });
  });

  it('does not let a token overrule what EMS changed after it was issued', () => {
    const evidence: Evidence = {
      ems: { kind: 'tags', ...held([], NOW - 10, NOW) },
      token: { kind: 'valid', ...held([a], NOW - 11) },
    };
    expect(judge([a], evidence, NOW)).toEqual({ kind: 'deny', why: "EMS report is stale; token is older than EMS' last change" });
  });

  it('names what is wrong with a bad token', () => {
    expect(judge([a], { ems: silent, token: { kind: 'bad', why: 'signature' } }, NOW)).toEqual({
      kind: 'deny',
      why: 'EMS silent: connection refused; token bad: signature',
    });
  });

  it('puts a client on probation for an announced token, until its time is up', () => {
    const announced = (by: number): Evidence => ({ ems: silent, token: { kind: 'announced', by } });
    expect(judge([a], announced(NOW + 10), NOW)).toMatchObject({ kind: 'probation', until: NOW + 10 });
    expect(judge([a], announced(NOW), NOW).kind).toBe('deny');
  });

  it('lets no token change the verdict while EMS answers', () => {
    const anyTag = fc.constantFrom(a, b, tag('a', 2), tag('a', 1, 'CLASS'));
    const anyHeld = fc.record({
      tags: fc.array(anyTag),
      from: fc.integer({ min: NOW - 200, max: NOW }),
      until: fc.integer({ min: NOW - 50, max: NOW + 50 }),
    });
    const anyToken = fc.oneof(
      anyHeld.map((h): Evidence['token'] => ({ kind: 'valid', ...h })),
      fc.constant<Evidence['token']>({ kind: 'announced', by: NOW + 10 }),
      fc.constant<Evidence['token']>({ kind: 'bad', why: 'x' }),
      fc.constant(none),
    );
    fc.assert(
      fc.property(fc.array(anyTag), fc.array(anyTag), anyToken, (wanted, tags, presented) => {
        expect(judge(wanted, { ems: ems(...tags), token: presented }, NOW)).toEqual(
          judge(wanted, { ems: ems(...tags), token: none }, NOW),
        );
      }),
      { seed: 2 },
    );
  });
});
