import { describe, expect, it } from 'vitest';
import { answerConfig, type ConfigSource, type Note, noteText } from '../../../src/ike/modecfg.ts';
import { addressOctets, type CfgValue, hex, unhex } from '../../../src/wire/index.ts';

const octets = (address: string): Uint8Array => addressOctets(address) ?? new Uint8Array(0);
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const VERSION = 'Postern v0.1.0';

const bare: ConfigSource = {
  ipv4: { prefix: 32 },
  ipv6: undefined,
  dns4: [],
  dns6: [],
  wins4: [],
  splitInclude4: undefined,
  splitInclude6: undefined,
  domains: [],
  defaultDomain: undefined,
  banner: undefined,
  savePassword: false,
  autoNegotiate: false,
  keepAlive: false,
  unity: true,
  includeLocalLan: false,
};
const ask = (...types: readonly number[]): readonly CfgValue[] => types.map((type) => ({ type, value: new Uint8Array(0) }));
const FORTICLIENT_742 = [
  { type: 7, value: ascii('FCT8001662904256') },
  ...ask(1, 2, 3, 4, 13, 25, 8, 15, 10, 11, 28673, 21514, 21515, 28672, 28678, 25),
];
const FORTICLIENT_748 = ask(1, 2, 7, 3, 4, 13, 8, 10, 11, 15, 25, 21516, 28678, 21514, 21515, 28673);

const four = { ipv4: octets('10.10.1.1'), ipv6: undefined };
const both = { ipv4: octets('10.10.1.1'), ipv6: octets('2001:db8::5') };

/** 'type=hex' of each attribute */
function reply(
  request: readonly CfgValue[],
  source: Partial<ConfigSource> = {},
  assigned: { ipv4: Uint8Array | undefined; ipv6: Uint8Array | undefined } = four,
) {
  return answerConfig(request, { ...bare, ...source }, assigned, VERSION).attributes.map(
    ({ type, value }) => `${type}=${hex(value)}`,
  );
}
const notes = (request: readonly CfgValue[], source: Partial<ConfigSource> = {}, assigned = four): readonly Note[] =>
  answerConfig(request, { ...bare, ...source }, assigned, VERSION).notes;
const lines = (request: readonly CfgValue[], source: Partial<ConfigSource> = {}, when: Note['when'] = 'reply') =>
  notes(request, source)
    .filter((note) => note.when === when)
    .map(noteText);

describe('the answer to a CFG_REQUEST (RFC 7296 §3.15)', () => {
  it('is what a FortiGate answers FortiClient for a full tunnel', () => {
    const source = { dns4: [octets('192.168.113.192'), octets('192.168.113.193')], savePassword: true };
    expect(reply(FORTICLIENT_742, source)).toEqual([
      '1=0a0a0101',
      '2=ffffffff',
      '13=0000000000000000',
      '3=c0a871c0',
      '3=c0a871c1',
      `15=${'00'.repeat(17)}`,
      `7=${hex(ascii(VERSION))}`,
      '28673=0001',
    ]);
  });

  it('is what a FortiGate answers FortiClient for a split tunnel', () => {
    const source = { splitInclude4: [{ address: octets('192.168.30.0'), length: 24 }], savePassword: true };
    expect(reply(FORTICLIENT_748, source)).toEqual([
      '1=0a0a0101',
      '2=ffffffff',
      '13=c0a81e00ffffff00',
      `15=${'00'.repeat(17)}`,
      `7=${hex(ascii(VERSION))}`,
      '28673=0001',
    ]);
  });

  it('has nothing that was not asked for', () => {
    const all: Partial<ConfigSource> = {
      dns4: [octets('10.0.0.53')],
      dns6: [octets('2001:db8::53')],
      wins4: [octets('10.0.0.9')],
      domains: ['corp.example'],
      defaultDomain: 'corp.example',
      banner: 'hello',
      savePassword: true,
      autoNegotiate: true,
      keepAlive: true,
      includeLocalLan: true,
    };
    expect(reply([], all, both)).toEqual([]);
    expect(reply(ask(1), all, both)).toEqual(['1=0a0a0101']);
    expect(reply(ask(3, 10), all, both)).toEqual(['3=0a000035', `10=${hex(octets('2001:db8::53'))}`]);
  });

  it('has one attribute per split-include prefix, host bits cleared', () => {
    const splitInclude4 = [
      { address: octets('192.168.30.77'), length: 24 },
      { address: octets('10.0.0.0'), length: 9 },
      { address: octets('10.1.1.1'), length: 32 },
      { address: octets('0.0.0.0'), length: 0 },
    ];
    expect(reply(ask(13), { splitInclude4 })).toEqual([
      '13=c0a81e00ffffff00',
      '13=0a000000ff800000',
      '13=0a010101ffffffff',
      '13=0000000000000000',
    ]);
    const splitInclude6 = [
      { address: octets('2001:db8::'), length: 32 },
      { address: octets('fd00::'), length: 8 },
    ];
    expect(reply(ask(15), { splitInclude6 })).toEqual([`15=${hex(octets('2001:db8::'))}20`, `15=${hex(octets('fd00::'))}08`]);
  });

  it('has no subnet for a split-include that is empty, which is not a full tunnel', () => {
    expect(reply(ask(13, 15), { splitInclude4: [], splitInclude6: [] })).toEqual([]);
  });

  it('gives an IPv6 address as 17 octets with the length of its prefix, and the mask of the IPv4 pool', () => {
    const source = { ipv4: { prefix: 20 }, ipv6: { prefix: 64 } };
    expect(reply(ask(8, 1, 2), source, both)).toEqual(['1=0a0a0101', '2=fffff000', `8=${hex(octets('2001:db8::5'))}40`]);
  });

  it('has no mask without an IPv4 address (§3.15.1)', () => {
    expect(reply(ask(1, 2, 8), {}, { ipv4: undefined, ipv6: octets('2001:db8::5') })).toEqual([
      `8=${hex(octets('2001:db8::5'))}80`,
    ]);
  });

  it('answers what is asked twice once, and wishes with what there is', () => {
    expect(reply([...ask(3, 3), { type: 1, value: octets('10.9.9.9') }, ...ask(1)], { dns4: [octets('10.0.0.53')] })).toEqual([
      '1=0a0a0101',
      '3=0a000035',
    ]);
  });

  it('sends up to three servers of each kind, in their order', () => {
    const dns4 = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(octets);
    expect(reply(ask(3, 4), { dns4, wins4: dns4.slice(0, 2) })).toEqual([
      '3=0a000001',
      '3=0a000002',
      '3=0a000003',
      '4=0a000001',
      '4=0a000002',
    ]);
  });

  it('sends toggles as 0001 when enabled, and not at all when disabled', () => {
    expect(reply(ask(28673, 21514, 21515), { savePassword: true, autoNegotiate: true, keepAlive: true })).toEqual([
      '28673=0001',
      '21514=0001',
      '21515=0001',
    ]);
    expect(reply(ask(28673, 21514, 21515))).toEqual([]);
  });

  it('passes over what is not known and what has no meaning here', () => {
    expect(reply(ask(5, 6, 9, 11, 12, 16, 17, 18, 26, 21516, 23456, 28675, 32767), { unity: true })).toEqual([]);
  });

  it('tells which attributes it supports (§3.15.1)', () => {
    expect(reply(ask(14))).toEqual(['14=00010002000300040007' + '0008000a000d000e000f0019']);
  });
});

describe('domains (RFC 8598)', () => {
  const domains = ['corp.example', 'lab.example'];
  const dns4 = [octets('10.0.0.53')];
  const sent = domains.map((name) => `25=${hex(ascii(name))}`);

  it('are one attribute each, asked for once or twice', () => {
    const splitInclude4 = [{ address: octets('10.0.0.0'), length: 8 }];
    expect(reply(ask(25, 3, 25), { domains, dns4, splitInclude4 }).slice(1)).toEqual(sent);
  });

  it('go only with a DNS server in the same answer, of either family (§3.2)', () => {
    expect(reply(ask(25), { domains, dns4 })).toEqual([]);
    expect(reply(ask(25, 3), { domains })).toEqual([]);
    expect(reply(ask(25, 10), { domains, dns6: [octets('2001:db8::53')] }).slice(1)).toEqual(sent);
  });

  it('go into a full tunnel, too', () => {
    expect(reply(ask(25, 3), { domains, dns4 }).slice(1)).toEqual(sent);
  });

  it('say why they do not go', () => {
    const splitInclude4 = [{ address: octets('10.0.0.0'), length: 8 }];
    expect(lines(ask(25))).toEqual(['split DNS domain ignored, split tunnel not found']);
    expect(lines(ask(25), { splitInclude4 })).toEqual(['split DNS domain ignored, no DNS servers found']);
    expect(lines(ask(25), { domains })).toEqual(['split DNS domain ignored, no DNS servers found']);
    expect(lines(ask(3, 25), { dns4, splitInclude4 }).at(-1)).toBe('split DNS domain ignored, no domains configured');
    expect(lines(ask(3, 25), { dns4, domains }).slice(1)).toEqual([
      "send (25) INTERNAL_DNS_DOMAIN 'corp.example'",
      "send (25) INTERNAL_DNS_DOMAIN 'lab.example'",
    ]);
  });
});

describe('Unity attributes', () => {
  const source = { banner: 'hello', defaultDomain: 'corp.example', includeLocalLan: true, savePassword: true };
  const splitInclude4 = [
    { address: octets('10.0.0.0'), length: 8 },
    { address: octets('192.168.30.0'), length: 24 },
  ];
  const all = ask(28672, 28673, 28674, 28676, 28678);

  it('are sent as configured', () => {
    expect(reply(all, { ...source, splitInclude4 })).toEqual([
      '28673=0001',
      `28672=${hex(ascii('hello'))}`,
      `28674=${hex(ascii('corp.example'))}`,
      '28676=0a000000ff000000000000000000' + 'c0a81e00ffffff00000000000000',
      '28678=0001',
    ]);
    expect(reply(all)).toEqual([]);
  });

  it('are not sent with unity-support disabled; the two of FortiClient are', () => {
    expect(reply([...all, ...ask(21514)], { ...source, splitInclude4, unity: false, autoNegotiate: true })).toEqual([
      '21514=0001',
    ]);
  });

  it('hold no octet that could break a terminal', () => {
    expect(reply(ask(28672), { banner: 'a\u001b[2J\u0000\u00e4\n' })).toEqual([`28672=${hex(ascii('a?[2J???'))}`]);
  });

  it('hold no more split-include entries than an attribute has room for', () => {
    const many = Array.from({ length: 5000 }, (_, i) => ({ address: Uint8Array.of(10, i >> 8, i & 255, 0), length: 24 }));
    const [only] = answerConfig(ask(28676), { ...bare, splitInclude4: many }, four, VERSION).attributes;
    expect(only?.value.length).toBe(Math.floor(65_535 / 14) * 14);
  });
});

describe("the story of a configuration payload, in FortiOS' words", () => {
  it('of the request, attribute by attribute', () => {
    expect(lines(FORTICLIENT_742, {}, 'request')).toEqual([
      "type 7 request 16:'46435438303031363632393034323536'",
      "received APPLICATION_VERSION 'FCT8001662904256'",
      "type 1 request 0:''",
      "type 2 request 0:''",
      "type 3 request 0:''",
      "type 4 request 0:''",
      'WINS ignored, no WINS servers configured',
      "type 13 request 0:''",
      "type 25 request 0:''",
      "type 8 request 0:''",
      "type 15 request 0:''",
      "type 10 request 0:''",
      'type 11 not supported, ignoring',
      'UNITY type 28673 requested',
      'type 21514 requested',
      'type 21515 requested',
      'UNITY type 28672 requested',
      'no banner configured, ignoring',
      'UNITY type 28678 requested',
      "type 25 request 0:''",
    ]);
  });

  it('of what others ask for', () => {
    expect(lines(ask(23456, 28675, 21516), {}, 'request')).toEqual([
      'attribute type 23456 not supported, ignoring',
      'UNITY type 28675 not supported, ignoring',
      'attribute type 21516 not supported, ignoring',
    ]);
    expect(lines(ask(28673), { unity: false }, 'request')).toEqual(['UNITY type 28673 not supported, ignoring']);
  });

  it('of the answer, in its order', () => {
    expect(lines(FORTICLIENT_742, { dns4: [octets('192.168.113.192')], savePassword: true })).toEqual([
      'assigned (1) IPv4 address 10.10.1.1',
      'assigned (2) IPv4 netmask 255.255.255.255',
      'send (13) 0:0.0.0.0/0.0.0.0:0',
      'send (3) IPv4 DNS(1) 192.168.113.192',
      'send INTERNAL_IP6_SUBNET',
      'IPv6 DNS ignored, no IPv6 DNS servers found',
      "send APPLICATION_VERSION 'Postern v0.1.0'",
      'send (28673) UNITY_SAVE_PASSWD',
      'client auto-negotiate is disabled',
      'client-keep-alive is disabled',
      'split DNS domain ignored, split tunnel not found',
    ]);
  });

  it('of an answer with everything in it', () => {
    const source: Partial<ConfigSource> = {
      ipv6: { prefix: 64 },
      dns4: [octets('10.0.0.1'), octets('10.0.0.2')],
      dns6: [octets('2001:db8::53')],
      wins4: [octets('10.0.0.9')],
      autoNegotiate: true,
      keepAlive: true,
      banner: 'hello',
    };
    const told = answerConfig(ask(8, 3, 4, 10, 14, 21514, 21515, 28672, 28673), { ...bare, ...source }, both, VERSION).notes;
    expect(told.filter(({ when }) => when === 'reply').map(noteText)).toEqual([
      'assigned (8) IPv6 address 2001:db8::5/64',
      'send (3) IPv4 DNS(1) 10.0.0.1',
      'send (3) IPv4 DNS(2) 10.0.0.2',
      'send (4) WINS(1) 10.0.0.9',
      'send (10) IPv6 DNS(1) 2001:db8::53',
      'save-password is disabled',
      'send (21514) client auto-negotiate',
      'send (21515) client-keep-alive',
      'send (28672) UNITY_BANNER',
      'send SUPPORTED_ATTRIBUTES',
    ]);
  });

  it('stays short and printable whatever is sent', () => {
    const told = lines([{ type: 7, value: unhex(`1b5b324a00${'41'.repeat(5000)}`) }], {}, 'request');
    expect(told.every((line) => line.length < 250 && !/\p{C}/u.test(line))).toBe(true);
    expect(told[0]).toContain("request 5005:'1B5B324A00");
  });
});
