import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { gateway } from '../config/text.ts';
import { echo, ip4, udp, v4 } from './packets.ts';
import { clearance, client, path, World } from './world.ts';

const lan = `config firewall address
edit "lan"
set subnet 10.9.0.0 255.255.255.0
next
end
config firewall service custom
edit "app"
set tcp-portrange 8000-8100
set udp-portrange 5000:1000-2000
next
end
`;
/** Policies in the order given; what they leave out is everything. */
const policies = (...all: readonly Readonly<Record<string, string>>[]): string =>
  `${lan}config firewall policy\n${all
    .map((words, i) => {
      const base = {
        srcintf: '"dial"',
        dstintf: '"port1"',
        srcaddr: '"all"',
        dstaddr: '"all"',
        service: '"ALL"',
        schedule: '"always"',
      };
      const lines = Object.entries({ ...base, action: 'accept', ...words }).map(([word, value]) => `set ${word} ${value}`);
      return `edit ${i + 1}\n${lines.join('\n')}\nnext`;
    })
    .join('\n')}\nend\n`;
const rules = (...all: readonly Readonly<Record<string, string>>[]) => loadConfig(gateway([], policies(...all))).config.rules;

const to = (port: number, host = '10.9.0.2', frame = {}) => ip4('10.0.0.1', host, 17, udp(1500, port), frame);
const from = (port: number, host = '10.9.0.2', frame = {}) => ip4(host, '10.0.0.1', 17, udp(port, 1500), frame);

function world(...all: readonly Readonly<Record<string, string>>[]) {
  const w = new World(rules(...all));
  const [one, two] = [client(1), client(2)];
  w.connect(one, two);
  return { w, one, two };
}

describe('policies', () => {
  it('none that names the profile: open to and from the inside, not from client to client', () => {
    const { w, one } = world();
    expect([w.in(one.seal(to(5000))), w.out(from(9))]).toEqual([undefined, undefined]);
    expect(w.in(one.seal(ip4('10.0.0.1', '10.0.0.2', 17, udp(1, 2))))).toBe('firewall');
  });
  it('the first that matches decides, none is no', () => {
    const { w, one } = world({ dstaddr: '"lan"', action: 'deny', service: '"DNS"' }, { dstaddr: '"lan"' });
    expect([w.in(one.seal(to(53))), w.in(one.seal(to(54))), w.in(one.seal(to(54, '10.8.0.1')))]).toEqual([
      'firewall',
      undefined,
      'firewall',
    ]);
  });
  it('services have ports, source ports and ICMP types', () => {
    const { w, one } = world({ service: '"app" "PING"' });
    const ping = (type: 0 | 8) => one.seal(ip4('10.0.0.1', '10.9.0.2', 1, echo(type, 77)));
    expect([w.in(one.seal(to(5000))), w.in(one.seal(to(5001))), w.in(ping(8))]).toEqual([undefined, 'firewall', undefined]);
    expect(w.in(one.seal(ip4('10.0.0.1', '10.9.0.2', 17, udp(2001, 5000))))).toBe('firewall');
    expect(w.out(ip4('10.9.0.2', '10.0.0.1', 1, echo(0, 77)))).toBeUndefined();
    expect(w.out(ip4('10.9.0.2', '10.0.0.1', 1, echo(0, 78)))).toBe('firewall');
  });
  it('answers to an accepted flow pass until it has been idle; a new flow to the client needs a policy', () => {
    const { w, one } = world({});
    expect(w.out(from(5000))).toBe('firewall');
    w.in(one.seal(to(5000)));
    expect([w.out(from(5000)), w.out(from(5001))]).toEqual([undefined, 'firewall']);
    w.now = 179_999;
    expect(w.out(from(5000))).toBeUndefined();
    w.now = 360_000;
    expect(w.out(from(5000))).toBe('firewall');
    const other = world({}, { srcintf: '"port1"', dstintf: '"dial"' });
    expect(other.w.out(from(5001))).toBeUndefined();
  });
  it('an ICMP complaint passes with the flow that it is about, and with no other', () => {
    const { w, one } = world({});
    const complaint = (about: Uint8Array) =>
      ip4('10.9.0.254', '10.0.0.1', 1, Uint8Array.from([3, 4, 0, 0, 0, 0, 5, 0, ...about]));
    expect(w.out(complaint(to(5000)))).toBe('firewall');
    w.in(one.seal(to(5000)));
    expect([w.out(complaint(to(5000))), w.out(complaint(to(5001)))]).toEqual([undefined, 'firewall']);
    expect(w.out(complaint(ip4('10.0.0.2', '10.9.0.2', 17, udp(1500, 5000))))).toBe('firewall');
  });
  it('a later fragment shares the fate of its first', () => {
    const { w, one } = world({ service: '"app"' });
    const later = (id: number) => one.seal(to(0, '10.9.0.2', { id, offset: 64 }));
    expect(w.in(later(9))).toBe('fragment');
    expect(w.in(one.seal(to(53, '10.9.0.2', { id: 9, more: true })))).toBe('firewall');
    expect(w.in(later(9))).toBe('fragment');
    expect(w.in(one.seal(to(5000, '10.9.0.2', { id: 10, more: true })))).toBeUndefined();
    expect([w.in(later(10)), w.in(later(11))]).toEqual([undefined, 'fragment']);
  });
  it('from client to client both interfaces are the tunnel; it is a hop', () => {
    const { w, one, two } = world({ dstintf: '"dial"' });
    const packet = ip4('10.0.0.1', '10.0.0.2', 17, udp(1500, 9));
    expect(w.in(one.seal(packet))).toBeUndefined();
    expect(w.inside).toEqual([]);
    const got = two.open(w.outside[0]?.octets ?? packet);
    expect([got[8], got.slice(20)]).toEqual([63, packet.slice(20)]);
    expect(w.in(two.seal(ip4('10.0.0.2', '10.0.0.1', 17, udp(9, 1500))))).toBeUndefined();
    expect(w.in(one.seal(to(5000)))).toBe('firewall');
    expect(w.in(one.seal(ip4('10.0.0.1', '10.0.0.2', 17, udp(1500, 9), { ttl: 1 })))).toBe('ttl');
  });
  it('a client that is too big for another is told through its own tunnel', () => {
    const { w, one } = world({ dstintf: '"dial"' });
    w.plane.move(1002, path('2001:db8::7'));
    const mtu = w.plane.snapshot().sas[1]?.mtu ?? 0;
    const packet = ip4('10.0.0.1', '10.0.0.2', 17, udp(1, 2, mtu - 27), { df: true });
    expect(w.in(one.seal(packet))).toBe('too-big');
    expect([w.inside.length, w.outside.length]).toEqual([0, 1]);
    const told = one.open(w.outside[0]?.octets ?? packet);
    expect([...told.subarray(12, 22)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1, 3, 4]);
    expect(new DataView(told.buffer).getUint16(26)).toBe(mtu);
    expect(told.slice(40, 56)).toEqual(packet.slice(12, 28));
  });
  it('a tag must be held, and flows are judged again when it is not any more', () => {
    const { w, one } = world({ 'ztna-ems-tag': '"EMS1_ZTNA_a" "EMS1_ZTNA_b"' });
    expect(w.in(one.seal(to(5000)))).toBe('firewall');
    w.plane.open(1001, { ...clearance, held: [{ ems: 2, type: 'ZTNA', name: 'a' }] });
    expect(w.in(one.seal(to(5000)))).toBe('firewall');
    w.plane.open(1001, { ...clearance, held: [{ ems: 1, type: 'ZTNA', name: 'b' }] });
    expect([w.in(one.seal(to(5000))), w.out(from(5000))]).toEqual([undefined, undefined]);
    w.plane.open(1001, { ...clearance, held: [] });
    expect([w.in(one.seal(to(5000))), w.out(from(5000))]).toEqual(['firewall', 'firewall']);
  });
  it('a user group is the speaker’s', () => {
    const w = new World(rules({ groups: '"staff"' }));
    const [in_, out] = [client(1, undefined, { groups: ['staff'] }), client(2)];
    w.connect(in_, out);
    expect(w.in(in_.seal(to(5000)))).toBeUndefined();
    expect(w.in(out.seal(ip4('10.0.0.2', '10.9.0.2', 17, udp(1, 2))))).toBe('firewall');
  });
  it('flows of one client are nothing to the next holder of its lease', () => {
    const { w, one } = world({});
    w.in(one.seal(to(5000)));
    w.plane.remove(1001);
    w.connect(client(3, undefined, { leases: [v4('10.0.0.1')] }));
    expect(w.out(from(5000))).not.toBeUndefined();
  });
  it('the table of flows is bounded', () => {
    const w = new World(rules({}), { flows: 32 });
    const one = client(1);
    w.connect(one);
    for (let port = 1; port < 500; port += 1) w.in(one.seal(to(port)));
    expect(w.plane.snapshot().flows).toBe(32);
  });
});

describe('policies that cannot be resolved never widen what passes', () => {
  it.each([
    { service: '"nosuch"' },
    { schedule: '"weekdays"' },
    { dstaddr: '"nosuch"' },
    { 'srcaddr-negate': 'enable' },
    { 'internet-service': 'enable' },
    { 'ztna-ems-tag': '"MAC_EMS1_ZTNA_x"' },
  ])('%o', (words) => {
    const grant = { accept: false, nat: false, from: [], to: [], services: [] };
    expect(rules({ ...words, nat: 'enable' })).toMatchObject([grant]);
    const { w, one } = world(words);
    expect([w.in(one.seal(to(5000))), w.out(from(9))]).toEqual(['firewall', 'firewall']);
    const [denial] = rules({ ...words, action: 'deny', groups: '"staff"' });
    expect(denial).toMatchObject({ accept: false, groups: [], tags: [] });
    expect([denial?.from.length, denial?.to.length, denial?.services.length]).toEqual([2, 2, 1]);
  });
  it('a policy that is switched off grants and refuses nothing; the tunnel that it names is no open one', () => {
    for (const action of ['accept', 'deny']) {
      const { w, one } = world({ status: 'disable', action });
      expect([w.in(one.seal(to(5000))), w.out(from(9))]).toEqual(['firewall', 'firewall']);
      const two = world({ status: 'disable', action }, {});
      expect(two.w.in(two.one.seal(to(5000)))).toBeUndefined();
    }
    const { w, one } = world({ status: 'disable', srcintf: '"other"' });
    expect(w.in(one.seal(to(5000)))).toBeUndefined();
  });
  it('tags may be wanted all, and some of a second list too', () => {
    const words = { 'ztna-ems-tag': '"EMS1_ZTNA_a" "EMS1_ZTNA_b"', 'ztna-ems-tag-secondary': '"EMS2_CLASS_c"' };
    const named = (sets: (typeof found)[number]['tags']) => sets.map((set) => set.map(({ name }) => name).join(' '));
    const found = rules(words, { ...words, 'ztna-tags-match-logic': 'and' });
    expect(found.map(({ tags }) => named(tags))).toEqual([
      ['a b', 'c'],
      ['a', 'b', 'c'],
    ]);
  });
});
