/** Both ends of a tunnel held against each other: whoever has other keys, selectors or addresses than the other end is wrong. */
import { expect } from 'vitest';
import type { LabClient } from '../../../src/lab/index.ts';
import { addressText, type TrafficSelector } from '../../../src/wire/index.ts';
import type { Gateway } from '../../support/gateway.ts';

/**
 * The IKE SA with its keys, every child with both directions of its KEYMAT and its selectors, the inner addresses, and the valve:
 * the same at both ends.
 */
export function expectAgreement(gateway: Gateway, client: LabClient): void {
  const { keys, SPIi, SPIr, children, assigned } = client.status;
  const view = gateway.views.find((v) => v.SPIi === SPIi && v.SPIr === SPIr);
  expect(view?.at).toBe('established');
  const table = gateway.keys.find((t) => t.SPIi === SPIi && t.SPIr === SPIr);
  expect({ ...keys }).toMatchObject({ SK_ei: table?.SK_ei, SK_er: table?.SK_er, SK_ai: table?.SK_ai, SK_ar: table?.SK_ar });

  expect([view?.assigned4, view?.assigned6].filter((a) => a !== undefined)).toEqual(assigned);
  expect(view?.children.map((c) => [c.spiIn, c.spiOut]).sort()).toEqual(children.map((c) => [c.spiOut, c.spiIn]).sort());
  for (const child of children) {
    const there = gateway.installed.get(child.spiOut);
    expect(there?.material).toEqual({
      encrIn: child.keys.out.encr,
      integIn: child.keys.out.integ,
      encrOut: child.keys.in.encr,
      integOut: child.keys.in.integ,
    });
    expect(there?.child.spiOut).toBe(child.spiIn);
    expect(there?.child.TSi.map(ends)).toEqual(child.TSi.map(ends));
    expect(there?.child.TSr.map(ends)).toEqual(child.TSr.map(ends));
    expect(gateway.opened.has(child.spiOut)).toBe(true);
  }
}

const ends = (ts: TrafficSelector): string =>
  ts.type === 'other'
    ? `type ${ts.number}`
    : `${ts.protocol} ${addressText(ts.start)}-${addressText(ts.end)} ${ts.startPort}-${ts.endPort}`;
