/** The words of the control socket, and what the commands make of a view. */
import { describe, expect, it } from 'vitest';
import { commandList, controlCommands } from '../../../src/control/index.ts';
import { type Told, view } from './view.ts';

async function typed(words: readonly string[], told: Told = {}) {
  const heard: string[] = [];
  const io = {
    signal: new AbortController().signal,
    out: (text: string) => Promise.resolve(void heard.push(text)),
    ask: () => Promise.resolve(false),
  };
  const code = await controlCommands(view(told))(words, io);
  return { code, text: heard.join('') };
}

describe('words', () => {
  it.each([
    [['diagnos', 'vpn'], 'postern diagnose vpn: a word is missing'],
    [['diagnose', 'vpn', 'ike', 'gatway', 'list'], "postern diagnose vpn ike: there is no 'gatway'; did you mean 'gateway'?"],
    [['xyzzy'], "postern: there is no 'xyzzy'"],
    [['execute', 'fctems', 'ver\u001b[2J'], "there is no 'ver\\x1b[2J'"],
    [['execute', 'fctems', 'constructor', 'x'], "there is no 'constructor'"],
    [['execute', 'fctems', ''], "there is no ''"],
    [['diagnose', 'test', 'application', 'fcnacd', '3'], "there is no '3'"],
    [['execute', 'fctems', 'verify'], 'Usage: execute fctems verify NAME'],
    [['execute', 'fctems', 'verify', 'a', 'b'], 'Usage: execute fctems verify NAME'],
    [['get', 'vpn', 'ike', 'gateway', 'list', 'nme', 'x'], "'nme' is not understood"],
    [['get', 'vpn', 'ike', 'gateway', 'list', 'name'], "'name' is not understood"],
    [[], '  diagnose vpn ike gateway list [name X]'],
  ])('%j: 2, and said why', async (words, expected) => {
    expect(await typed(words)).toEqual({ code: 2, text: expect.stringContaining(expected) });
  });

  it('may be shortened while only one fits', async () => {
    expect((await typed(['diag', 'fire', 'dyn', 'l'])).code).toBe(0);
    expect((await typed(['g', 'v', 'ik', 'g', 'l'])).code).toBe(0);
  });

  it.each([[['?']], [['diagnose', '?']], [['diagnose', 'vpn', 'help']]])('%j lists what there is', async (words) => {
    expect(await typed(words)).toEqual({ code: 0, text: expect.stringContaining('diagnose vpn ike gateway list [name X]') });
  });

  it('are listed for help without a daemon', () => {
    expect(commandList('execute')).toEqual([
      '  execute reload',
      '  execute fctems verify NAME',
      '  execute fctems unverify NAME',
      '  execute fctems is-verified NAME',
    ]);
    expect(commandList('nothing')).toEqual([]);
  });
});

describe('execute fctems', () => {
  it.each(['lab', 'first', '1'])('finds an EMS as %s', async (name) => {
    expect(await typed(['execute', 'fctems', 'verify', name])).toEqual({ code: 0, text: 'verify first\n' });
    expect(await typed(['execute', 'fctems', 'is', name])).toEqual({ code: 1, text: 'isVerified first\n' });
    expect(await typed(['execute', 'fctems', 'unverify', name])).toEqual({ code: 0, text: 'unverify first\n' });
  });

  it('a name goes before another one’s number', async () => {
    expect((await typed(['execute', 'fctems', 'verify', '2'], { names: ['2', 'b'] })).text).toBe('verify first\n');
  });

  it('says which there are when this is none', async () => {
    const { code, text } = await typed(['execute', 'fctems', 'verify', 'lan']);
    expect([code, text]).toEqual([2, "There is no EMS 'lan'; did you mean 'lab'?\nConfigured are: lab, spare.\n"]);
    expect((await typed(['execute', 'fctems', 'verify', 'lab'], { names: [] })).text).toContain('No EMS is configured.');
  });
});

describe('execute reload', () => {
  it('says what came of it, and whether it was taken', async () => {
    expect(await typed(['execute', 'reload'])).toEqual({ code: 0, text: 'gw.conf: no findings\nin force\n' });
    expect((await typed(['execute', 'reload'], { names: [] })).code).toBe(1);
  });
});

describe('tunnels', () => {
  it('one by its name, and its own first line', async () => {
    const { text } = await typed(['diagnose', 'vpn', 'tunnel', 'list', 'name', 'dialup_0']);
    expect(text).toMatch(/^list ipsec tunnel by names in vd 0\n-+\nname=dialup_0 /);
    expect(text.match(/^name=\S+/gm)).toEqual(['name=dialup_0']);
    expect((await typed(['diagnose', 'vpn', 'tunnel', 'list', 'nme', 'x'])).code).toBe(2);
  });

  it('while nothing is carried they are shown without counts, and that is said', async () => {
    const off = { traffic: undefined, off: { why: 'No right.', fix: 'Be \u001b[2Jroot.' } };
    expect((await typed(['get', 'vpn', 'ipsec', 'tunnel', 'summary'], off)).text).toContain(
      "'dialup_0' 198.51.100.7:55846  selectors(total,up): 1/1  rx(pkt,err): 0/0  tx(pkt,err): 0/0\n",
    );
    expect(await typed(['diagnose', 'postern', 'traffic'], off)).toEqual({
      code: 1,
      text: 'Traffic is off: no packet is carried.\nWhy: No right.\nFix: Be \\x1b[2Jroot.\n',
    });
    expect(await typed(['diagnose', 'postern', 'traffic'], { traffic: undefined })).toEqual({
      code: 1,
      text: expect.stringContaining('try again'),
    });
  });
});

describe('filters', () => {
  const records = async (...filters: string[]) => {
    const { text } = await typed(['diagnose', 'endpoint', 'ec-shm', 'list', ...filters]);
    return [...text.matchAll(/IP Address = (.*)/g)].map(([, address]) => address);
  };
  it('restrict devices by address, MAC address, EMS and tenant', async () => {
    const all = await records();
    expect(all).toEqual(['172.16.7.3', '10.0.3.2', '172.16.7.3']);
    expect(await records('10.0.3.2')).toEqual(['10.0.3.2']);
    expect(await records('02:09:0F:00:03:04')).toEqual(['172.16.7.3', '172.16.7.3']);
    expect(await records('172.16.7.3', 'FCTEMS0000000002')).toEqual(['172.16.7.3']);
    expect(await records('0'.repeat(32))).toEqual(['172.16.7.3', '10.0.3.2', '172.16.7.3']);
    expect(await records('192.0.2.1')).toEqual([]);
  });

  it('restrict tags to one, with its number in the list of all', async () => {
    const { text } = await typed(['diagnose', 'firewall', 'dynamic', 'list', 'EMS1_ZTNA_Telemetry Connected']);
    expect(text).toMatch(/^CMDB name: EMS1_ZTNA_Telemetry Connected\n/);
    const { text: all } = await typed(['diagnose', 'firewall', 'dynamic', 'list']);
    expect(all).toContain(text);
    expect(await typed(['diagnose', 'firewall', 'dynamic', 'list', 'EMS1_ZTNA_Telemetry Conected'])).toEqual({
      code: 1,
      text: "No device holds the tag 'EMS1_ZTNA_Telemetry Conected'; did you mean 'EMS1_ZTNA_Telemetry Connected'?\n",
    });
  });

  it('restrict gateways by name', async () => {
    const { text } = await typed(['get', 'vpn', 'ike', 'gateway', 'list', 'name', 'dialup_1']);
    expect(text.match(/^name: .*$/gm)).toEqual(['name: dialup_1']);
    expect(await typed(['get', 'vpn', 'ike', 'gateway', 'list', 'name', 'dialup_9'])).toEqual({ code: 0, text: '' });
  });
});
