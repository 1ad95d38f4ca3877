import { describe, expect, it } from 'vitest';
import {
  type Assigned,
  narrow,
  SELECTORS_MAX,
  type SelectorPolicy,
  type SelectorRange,
  within,
} from '../../../src/ike/selectors.ts';
import { addressOctets, addressText, type TrafficSelector } from '../../../src/wire/index.ts';
import { timed } from '../../support/cpu.ts';

const octets = (address: string): Uint8Array => addressOctets(address) ?? new Uint8Array(0);

/** '10.0.0.0-10.0.0.255', '10.0.0.1', with ' tcp 80-90' or ' opaque' behind; 'all4', 'all6' */
function range(text: string): SelectorRange {
  const [addresses = '', protocol, ports] = text
    .replace('all4', '0.0.0.0-255.255.255.255')
    .replace('all6', `::-${'ffff:'.repeat(7)}ffff`)
    .split(' ');
  const [start = '', end = start] = addresses.split('-');
  const [startPort, endPort] =
    protocol === 'opaque' || ports === 'opaque' ? [65535, 0] : (ports ?? '0-65535').split('-').map(Number);
  return {
    start: octets(start),
    end: octets(end),
    protocol: protocol === 'tcp' ? 6 : protocol === 'udp' ? 17 : 0,
    startPort: startPort ?? 0,
    endPort: endPort ?? startPort ?? 0,
  };
}
function ts(text: string): TrafficSelector {
  const one = range(text);
  return { type: one.start.length === 4 ? 7 : 8, ...one };
}
function text(selector: TrafficSelector): string {
  if (selector.type === 'other') return `other ${selector.number}`;
  const { start, end, protocol, startPort, endPort } = selector;
  const addresses = addressText(start) === addressText(end) ? addressText(start) : `${addressText(start)}-${addressText(end)}`;
  const ports = startPort === 0 && endPort === 65535 ? '' : startPort > endPort ? ' opaque' : ` ${startPort}-${endPort}`;
  return `${addresses}${protocol === 0 ? (ports === '' ? '' : ' any') : ` ${protocol === 6 ? 'tcp' : 'udp'}`}${ports}`;
}

const policy = (dst: readonly string[], src: readonly string[], name = 'DY'): SelectorPolicy => ({
  name,
  dst: dst.map(range),
  src: src.map(range),
});
const lease = (ipv4?: string, ipv6?: string): Assigned => ({
  ipv4: ipv4 === undefined ? undefined : octets(ipv4),
  ipv6: ipv6 === undefined ? undefined : octets(ipv6),
});
const offer = (TSi: readonly string[], TSr: readonly string[]) => ({ TSi: TSi.map(ts), TSr: TSr.map(ts) });
const withLease = { modeCfg: true, allowClientSelector: false };
const plain = { modeCfg: false, allowClientSelector: false };

/** [client side, our side] in short, or undefined */
function cut(
  offered: ReturnType<typeof offer> & { readonly old?: ReturnType<typeof offer> },
  policies: readonly SelectorPolicy[],
  assigned: Assigned = lease(),
  options: { readonly modeCfg: boolean; readonly allowClientSelector: boolean } = assigned.ipv4 || assigned.ipv6
    ? withLease
    : plain,
): readonly (readonly string[])[] | undefined {
  const narrowed = narrow(offered, policies, assigned, options);
  return narrowed && [narrowed.TSi.map(text), narrowed.TSr.map(text)];
}

const LAST6 = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
const ALL4 = '0.0.0.0-255.255.255.255';
const everything = policy(['all4', 'all6'], ['all4', 'all6']);

describe('narrowing to a lease (RFC 7296 §2.9, §2.19)', () => {
  it('cuts everything to the lease and leaves our side as offered', () => {
    expect(cut(offer(['all4'], ['all4']), [everything], lease('10.10.1.1'))).toEqual([['10.10.1.1'], [ALL4]]);
  });

  it("cuts Windows' supersets of both families to the lease's family on both sides", () => {
    const windows = offer(['all4', 'all6'], ['all4', 'all6']);
    expect(cut(windows, [everything], lease('10.10.1.1'))).toEqual([['10.10.1.1'], [ALL4]]);
    expect(cut(windows, [everything], lease(undefined, '2001:db8::5'))).toEqual([['2001:db8::5'], [`::-${LAST6}`]]);
    expect(cut(windows, [everything], lease('10.10.1.1', '2001:db8::5'))).toEqual([
      ['10.10.1.1', '2001:db8::5'],
      [ALL4, `::-${LAST6}`],
    ]);
  });

  it('takes the lease itself, offered as such, with the protocol and ports of the offer', () => {
    expect(cut(offer(['10.10.1.1'], ['all4']), [everything], lease('10.10.1.1'))).toEqual([['10.10.1.1'], [ALL4]]);
    expect(cut(offer(['10.10.1.1 tcp 1000-2000'], ['all4 tcp 443']), [everything], lease('10.10.1.1'))).toEqual([
      ['10.10.1.1 tcp 1000-2000'],
      [`${ALL4} tcp 443-443`],
    ]);
  });

  it('has no answer for a client side without the lease: the source would be an address that is not its own', () => {
    expect(cut(offer(['192.168.1.7'], ['all4']), [everything], lease('10.10.1.1'))).toBeUndefined();
    expect(cut(offer(['10.10.1.2-10.10.1.9'], ['all4']), [everything], lease('10.10.1.1'))).toBeUndefined();
    expect(cut(offer(['all6'], ['all6']), [everything], lease('10.10.1.1'))).toBeUndefined();
  });

  it('has no answer when nothing was leased', () => {
    expect(cut(offer(['all4'], ['all4']), [everything], lease(), withLease)).toBeUndefined();
  });

  it('has no answer when the phase 2 does not hold the lease', () => {
    expect(cut(offer(['all4'], ['all4']), [policy(['10.20.0.0-10.20.255.255'], ['all4'])], lease('10.10.1.1'))).toBeUndefined();
  });

  it('merges the selector of the packet that set it off (§2.9) into the wider one behind it', () => {
    const triggered = offer(['10.10.1.1 tcp 50000', 'all4'], ['10.0.0.5 tcp 443', 'all4']);
    expect(cut(triggered, [everything], lease('10.10.1.1'))).toEqual([['10.10.1.1'], [ALL4]]);
    const narrowed = narrow(triggered, [everything], lease('10.10.1.1'), withLease);
    expect(narrowed).toMatchObject({ rule: 'subset', rfcRule: 3 });
  });

  it("cuts our side to the phase 2's, and not to the split-include of mode-cfg", () => {
    const lan = policy(['all4'], ['192.168.30.0-192.168.30.255', '10.0.0.0-10.0.0.255']);
    expect(cut(offer(['all4'], ['all4']), [lan], lease('10.10.1.1'))).toEqual([
      ['10.10.1.1'],
      ['192.168.30.0-192.168.30.255', '10.0.0.0-10.0.0.255'],
    ]);
    expect(cut(offer(['all4'], ['10.0.0.5', '172.16.0.1']), [lan], lease('10.10.1.1'))).toEqual([['10.10.1.1'], ['10.0.0.5']]);
  });

  it('does not keep the datagram alive through the addresses of an answer', () => {
    const datagram = new Uint8Array(2000);
    const start = datagram.subarray(100, 104);
    const end = datagram.subarray(104, 108).fill(9);
    const narrowed = narrow(
      { TSi: [ts('all4')], TSr: [{ type: 7, protocol: 0, startPort: 0, endPort: 65535, start, end }] },
      [policy(['all4'], ['0.0.0.0-255.255.255.0'])],
      lease('10.10.1.1'),
      withLease,
    );
    for (const { start: s, end: e } of [...(narrowed?.TSi ?? []), ...(narrowed?.TSr ?? [])])
      for (const kept of [s, e]) expect(kept.buffer).not.toBe(datagram.buffer);
    expect(narrowed?.TSr.map(text)).toEqual(['0.0.0.0-9.9.9.9']);
  });
});

describe('selectors of the client with mode-cfg-allow-client-selector', () => {
  const custom = { modeCfg: true, allowClientSelector: true };

  it('are taken as far as the phase 2 has them, beside the lease', () => {
    const narrowDst = policy(['10.10.0.0-10.10.255.255', '192.168.50.0-192.168.50.255'], ['all4']);
    const asked = offer(['10.10.1.1', '192.168.50.0-192.168.51.255', '172.16.0.0-172.16.0.255'], ['all4']);
    expect(cut(asked, [narrowDst], lease('10.10.1.1'), custom)?.[0]).toEqual(['10.10.1.1', '192.168.50.0-192.168.50.255']);
    expect(cut(asked, [narrowDst], lease('10.10.1.1'), withLease)?.[0]).toEqual(['10.10.1.1']);
  });

  it('are the lease all the same when they are everything', () => {
    expect(cut(offer(['all4', 'all6'], ['all4']), [everything], lease('10.10.1.1'), custom)?.[0]).toEqual(['10.10.1.1']);
    expect(cut(offer(['all4 tcp 80'], ['all4']), [everything], lease('10.10.1.1'), custom)?.[0]).toEqual(['10.10.1.1 tcp 80-80']);
  });
});

describe('narrowing to a phase 2 without mode-cfg (RFC 7296 §2.9)', () => {
  const branch = policy(['192.168.7.0-192.168.7.255'], ['10.0.0.0-10.0.255.255']);

  it('takes what lies in it as it is', () => {
    const narrowed = narrow(offer(['192.168.7.0-192.168.7.15'], ['10.0.3.0-10.0.3.255']), [branch], lease(), plain);
    expect(narrowed).toMatchObject({ phase2: branch, rule: 'subset', rfcRule: 2, additional: false });
    expect(narrowed && [...narrowed.TSi, ...narrowed.TSr].map(text)).toEqual(['192.168.7.0-192.168.7.15', '10.0.3.0-10.0.3.255']);
  });

  it('cuts what is wider', () => {
    const narrowed = narrow(offer(['all4'], ['10.0.0.0-10.255.255.255']), [branch], lease(), plain);
    expect(narrowed).toMatchObject({ rule: 'intersection', rfcRule: 4 });
    expect(narrowed && [...narrowed.TSi, ...narrowed.TSr].map(text)).toEqual([
      '192.168.7.0-192.168.7.255',
      '10.0.0.0-10.0.255.255',
    ]);
  });

  it('says that a part with the first selectors in it was taken', () => {
    const narrowed = narrow(offer(['192.168.7.9', 'all4'], ['10.0.3.4', 'all4']), [branch], lease(), plain);
    expect(narrowed).toMatchObject({ rule: 'intersection', rfcRule: 3 });
  });

  it('takes selectors in pieces when they lie across the policy', () => {
    expect(cut(offer(['192.168.7.200-192.168.8.20'], ['9.255.0.0-10.0.0.9', '10.0.255.250-10.1.0.0']), [branch])).toEqual([
      ['192.168.7.200-192.168.7.255'],
      ['10.0.0.0-10.0.0.9', '10.0.255.250-10.0.255.255'],
    ]);
  });

  it('has no answer without common addresses on either side', () => {
    expect(cut(offer(['192.168.8.1'], ['all4']), [branch])).toBeUndefined();
    expect(cut(offer(['all4'], ['10.1.0.0']), [branch])).toBeUndefined();
    expect(cut(offer(['all6'], ['all6']), [branch])).toBeUndefined();
    expect(cut(offer(['all4'], ['all6']), [everything])).toBeUndefined();
  });

  it.each([
    { theirs: 'all4', ours: 'all4 tcp 443', is: `${ALL4} tcp 443-443` },
    { theirs: 'all4 tcp 80', ours: 'all4', is: `${ALL4} tcp 80-80` },
    { theirs: 'all4 tcp 80-443', ours: 'all4 tcp 100-1000', is: `${ALL4} tcp 100-443` },
    { theirs: 'all4 udp', ours: 'all4 tcp', is: undefined },
    { theirs: 'all4 tcp 80', ours: 'all4 tcp 81', is: undefined },
    { theirs: 'all4 tcp opaque', ours: 'all4 tcp', is: `${ALL4} tcp opaque` },
    { theirs: 'all4 tcp', ours: 'all4 tcp opaque', is: `${ALL4} tcp opaque` },
    { theirs: 'all4 tcp opaque', ours: 'all4 tcp 80', is: undefined },
    { theirs: 'all4 tcp 80', ours: 'all4 tcp opaque', is: undefined },
    { theirs: 'all4 tcp 90-80', ours: 'all4', is: undefined },
  ])('of protocol and ports $theirs and $ours gives $is', ({ theirs, ours, is }) => {
    expect(cut(offer(['all4'], [theirs]), [policy(['all4'], [ours])])?.[1]).toEqual(is === undefined ? undefined : [is]);
  });

  it('goes through the phase 2 in order, and prefers one that takes the first selectors (§2.9)', () => {
    const [a, b] = [policy(['all4'], ['10.1.0.0-10.1.255.255'], 'a'), policy(['all4'], ['10.2.0.0-10.2.255.255'], 'b')];
    expect(narrow(offer(['all4'], ['all4']), [a, b], lease(), plain)).toMatchObject({ phase2: a, additional: true });
    expect(narrow(offer(['all4'], ['10.2.3.4', 'all4']), [a, b], lease(), plain)).toMatchObject({ phase2: b, additional: true });
    expect(narrow(offer(['all4'], ['10.2.3.4']), [a, b], lease(), plain)).toMatchObject({ phase2: b, additional: false });
    expect(narrow(offer(['all4'], ['10.1.0.0-10.1.0.9']), [a, a], lease(), plain)).toMatchObject({ additional: false });
  });
});

describe('selectors in a rekey (RFC 7296 §2.9.2)', () => {
  const old = offer(['10.10.1.1'], ['192.168.30.0-192.168.30.255']);
  const lan = policy(['all4'], ['192.168.30.0-192.168.30.255']);

  it('come out the same from the same offer and from a superset', () => {
    for (const again of [old, offer(['all4', 'all6'], ['all4', 'all6'])])
      expect(cut({ ...again, old }, [lan], lease('10.10.1.1'))).toEqual([['10.10.1.1'], ['192.168.30.0-192.168.30.255']]);
  });

  it('may come out wider, never narrower', () => {
    expect(cut({ ...offer(['all4'], ['all4']), old }, [everything], lease('10.10.1.1'))).toEqual([['10.10.1.1'], [ALL4]]);
    expect(cut({ ...offer(['all4'], ['192.168.30.1']), old }, [lan], lease('10.10.1.1'))).toBeUndefined();
    expect(cut({ ...offer(['all4'], ['all4']), old }, [lan], lease('10.10.1.2'))).toBeUndefined();
    expect(cut({ ...offer(['all4 tcp'], ['all4']), old }, [lan], lease('10.10.1.1'))).toBeUndefined();
  });
});

describe('one list of selectors within another', () => {
  const inside = (inner: readonly string[], outer: readonly string[]) => within(inner.map(ts), outer.map(ts));

  it('when each lies in one of the other', () => {
    expect(inside(['10.0.0.1', '10.0.0.9-10.0.0.12'], ['10.0.0.0-10.0.0.255'])).toBe(true);
    expect(inside(['10.0.0.1 tcp 80'], ['10.0.0.1'])).toBe(true);
    expect(inside(['10.0.0.1 tcp opaque'], ['10.0.0.1 tcp'])).toBe(true);
    expect(inside([], ['10.0.0.1'])).toBe(true);
  });

  it('not when one is wider in address, protocol, port or family', () => {
    expect(inside(['10.0.0.1', '10.0.1.0'], ['10.0.0.0-10.0.0.255'])).toBe(false);
    expect(inside(['10.0.0.0-10.0.1.0'], ['10.0.0.0-10.0.0.255'])).toBe(false);
    expect(inside(['10.0.0.1'], ['10.0.0.1 tcp'])).toBe(false);
    expect(inside(['10.0.0.1 tcp'], ['10.0.0.1 udp'])).toBe(false);
    expect(inside(['10.0.0.1 tcp 80-81'], ['10.0.0.1 tcp 80'])).toBe(false);
    expect(inside(['10.0.0.1 tcp 80'], ['10.0.0.1 tcp opaque'])).toBe(false);
    expect(inside(['::a00:1'], ['all4'])).toBe(false);
    expect(within([{ type: 'other', number: 9, protocol: 0, data: new Uint8Array(4) }], [ts('all4')])).toBe(false);
  });
});

describe('hostile selectors', () => {
  const other: TrafficSelector = { type: 'other', number: 241, protocol: 0, data: new Uint8Array(40) };

  it('of unknown types are passed over, and nothing is left of nothing else (§2.9)', () => {
    expect(cut({ TSi: [other, ts('all4')], TSr: [other, ts('all4')] }, [everything], lease('10.10.1.1'))).toEqual([
      ['10.10.1.1'],
      [ALL4],
    ]);
    expect(cut({ TSi: [other], TSr: [other] }, [everything], lease('10.10.1.1'))).toBeUndefined();
    expect(cut({ TSi: [], TSr: [] }, [everything], lease('10.10.1.1'))).toBeUndefined();
  });

  it('that end before they start hold nothing', () => {
    expect(cut(offer(['255.255.255.255-0.0.0.0'], ['all4']), [everything], lease('10.10.1.1'))).toBeUndefined();
    expect(cut(offer(['all4'], ['10.0.0.9-10.0.0.1']), [everything], lease('10.10.1.1'))).toBeUndefined();
    expect(within([ts('10.0.0.5')], [ts('10.0.0.9-10.0.0.1')])).toBe(false);
  });

  it('with addresses of a wrong length for their type are passed over', () => {
    const odd: TrafficSelector = {
      type: 7,
      protocol: 0,
      startPort: 0,
      endPort: 65535,
      start: new Uint8Array(16),
      end: new Uint8Array(16).fill(255),
    };
    expect(cut({ TSi: [odd], TSr: [ts('all6')] }, [everything], lease(undefined, '2001:db8::5'))).toBeUndefined();
  });

  it('in their greatest number give a bounded answer that still holds the first of them', () => {
    const many = Array.from({ length: 255 }, (_, i) => ts(`10.0.${i}.0-10.0.${i}.9 tcp`));
    const ranges = Array.from({ length: 50 }, (_, i) => range(`10.0.0.${i}-10.0.255.255 tcp ${i}-${1000 + i}`));
    const policy = [{ name: 'DY', src: ranges, dst: ranges }];
    const { value: narrowed, ms } = timed(() => narrow({ TSi: many, TSr: many }, policy, lease(), plain));
    expect(ms).toBeLessThan(4000);
    expect(narrowed?.TSi.length).toBe(SELECTORS_MAX);
    expect(narrowed).toMatchObject({ additional: true });
    expect(narrowed?.TSr.some((one) => text(one).startsWith('10.0.0.0-10.0.0.9'))).toBe(true);
  });
});
