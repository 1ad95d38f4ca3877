import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { gateway, places, profileOf, told, users } from './text.ts';

describe('a configuration about which there is nothing to say', () => {
  it('has no finding', () => expect(told(gateway())).toEqual([]));
  it('may be empty', () => expect(told('')).toEqual([]));
  it('has defaults for everything', () => {
    const { config } = loadConfig('');
    expect(config.profiles).toEqual([]);
    expect(config.system).toEqual({
      hostname: 'postern',
      version: expect.stringMatching(/^Postern v\d+\.\d+\.\d+$/),
      ikePort: 500,
      nattPort: 4500,
    });
  });
});

describe('words', () => {
  it('that a table does not have are errors with place and suggestion', () => {
    expect(loadConfig(gateway(['set dhgroup 20'])).findings).toEqual([
      {
        level: 'error',
        code: 'unknown-word',
        line: 13,
        column: 13,
        word: 'dhgroup',
        message: "vpn ipsec phase1-interface has no setting 'dhgroup'",
        suggestion: 'dhgrp',
      },
    ]);
  });
  it('of another table are told to be of that', () => {
    expect(told(gateway(['set phase1name "dialup"']))).toEqual([
      "error unknown-word: vpn ipsec phase1-interface has no setting 'phase1name'; vpn ipsec phase2-interface has",
    ]);
  });
  it('that are tables are told to be one', () => {
    expect(told(gateway(['set ipv4-exclude-range 10.0.0.1']))).toEqual([
      "error unknown-word: 'ipv4-exclude-range' is a table: write 'config ipv4-exclude-range', its objects, and 'end'",
    ]);
  });
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is no word', (word) => {
    expect(told(gateway([`set ${word} x`, `unset ${word}`, `append ${word} x`]))).toEqual(
      Array(3).fill(`error unknown-word: vpn ipsec phase1-interface has no setting '${word}'`),
    );
  });
  it('with a wrong value are told at the value, and the default stands in', () => {
    const text = gateway(['set keylife 60']);
    expect(told(text)).toEqual(["error value: keylife: '60' is not allowed: a number, 120-172800"]);
    expect(places(text)).toEqual(['13:21 60']);
    expect(loadConfig(text).config.profiles[0]?.keylife).toBe(86400);
  });
  it('with the placeholder of a manual are told so', () => {
    expect(told(gateway(['set remote-gw-match {any | ipmask | ztna}']))).toEqual([
      "error value: remote-gw-match: '{any' is a placeholder: put in its place any, ipmask, iprange, geography or ztna",
    ]);
  });
  it('are all told at once, in the order of the text', () => {
    expect(places(gateway(['set nattraversal yes', 'set foo bar', 'set dpd often']))).toEqual([
      '13:26 yes',
      '14:13 foo',
      '15:17 often',
    ]);
  });
});

describe('the same object again', () => {
  it('continues it', () => {
    const more = 'config vpn ipsec phase1-interface\nedit "dialup"\nset keylife 3600\nnext\nend\n';
    expect(profileOf(gateway() + more)).toMatchObject({ keylife: 3600, interface: 'wan1' });
  });
  it('continues it also when the continuation comes first', () => {
    const more = 'config vpn ipsec phase1-interface\nedit "dialup"\nset keylife 3600\nnext\nend\n';
    expect(profileOf(gateway([], more))).toMatchObject({ keylife: 3600, interface: 'wan1' });
  });
  it('with a word set twice has the later value', () => {
    expect(profileOf(gateway(['set keylife 3600', 'set keylife 7200'])).keylife).toBe(7200);
  });
});

describe('unset and append', () => {
  it('unset brings the default back', () => {
    expect(profileOf(gateway(['set keylife 3600', 'unset keylife'])).keylife).toBe(86400);
    expect(profileOf(gateway(['set dhgrp 31', 'append dhgrp 19', 'unset dhgrp'])).groups).toEqual([20]);
  });
  it('append lengthens a list, set begins it anew', () => {
    expect(profileOf(gateway(['set dhgrp 31', 'append dhgrp 19 20', 'append dhgrp 31'])).groups).toEqual([31, 19, 20]);
    expect(profileOf(gateway(['append dhgrp 31', 'set dhgrp 14'])).groups).toEqual([14]);
  });
  it('append to nothing begins a list', () => expect(profileOf(gateway(['append dhgrp 31'])).groups).toEqual([31]));
  it('append to what is no list is an error', () => {
    expect(told(gateway(['append keylife 3600']))).toEqual([
      "error value: 'keylife' holds one value: 'set' replaces it, 'append' is for lists",
    ]);
  });
  it('a wrong value that is appended does not spoil the list', () => {
    const { config } = loadConfig(gateway(['set dhgrp 31', 'append dhgrp 99', 'append dhgrp 19']));
    expect(config.profiles[0]?.groups).toEqual([31, 19]);
  });
});

describe('names', () => {
  it('of a phase 1 have at most 15 characters, since an instance is called NAME_1', () => {
    expect(told('config vpn ipsec phase1-interface\nedit "sixteen-letters-"\nnext\nend')[0]).toBe(
      "error value: the name of an object of vpn ipsec phase1-interface has 1 to 15 characters, 'sixteen-letters-' has 16",
    );
  });
  it('of a policy are numbers', () => {
    expect(told('config firewall policy\nedit "web"\nnext\nend')).toContain(
      "error value: objects of firewall policy are numbers: 'web' is none",
    );
  });
  it('edit 0 takes the next free number', () => {
    const { config } = loadConfig('config firewall policy\nedit 7\nnext\nedit 0\nset name "x"\nnext\nedit 0\nnext\nend');
    expect(config.policies.map(({ id, name }) => [id, name])).toEqual([
      [7, ''],
      [8, 'x'],
      [9, ''],
    ]);
  });
});

describe('blocks', () => {
  it('that are not known are one warning, however much they hold', () => {
    const admin = 'edit a\nset password ENC x\nconfig b\nedit c\nset d e\nnext\nend\nnext\n';
    const text = `config system admin\n${admin.repeat(5)}end\n${gateway()}`;
    expect(told(text)).toEqual(["warning unknown-block: 'config system admin' is not known here and is passed over as a whole"]);
    expect(places(text)).toEqual(['1:8 system']);
  });
  it('that are nearly known get a suggestion', () => {
    expect(loadConfig('config vpn ipsec phase1-interfaces\nend').findings).toMatchObject([
      { code: 'unknown-block', suggestion: 'vpn ipsec phase1-interface' },
    ]);
  });
  it("whose 'end' is missing are told, and what follows is read all the same", () => {
    const text = `config user local\nedit "alice"\nset passwd "x"\nnext\n${users.slice(users.indexOf('config user group'))}`;
    const { config, findings } = loadConfig(text);
    expect(findings[0]).toMatchObject({ line: 1, message: "'config user local' is not closed: 'end' is missing" });
    expect(findings[1]).toMatchObject({
      line: 5,
      message: "'config' stands between the objects of user local: 'end' is missing before it",
    });
    expect(config.users.find('alice', ['staff'])).toBeDefined();
  });
  it('of an object that it does not have are errors', () => {
    expect(told(gateway(['config ipv4-exclude-ranges', 'end']))).toEqual([
      "error unknown-word: vpn ipsec phase1-interface has no table 'ipv4-exclude-ranges'",
    ]);
  });
  it('without objects have no edit', () => {
    expect(told('config system global\nedit 1\nset hostname x\nnext\nend')).toEqual([
      "error syntax: system global has no objects of its own: 'edit' does not belong here",
    ]);
  });
  it('with objects have no bare set', () => {
    expect(told('config user local\nset passwd x\nend')).toEqual([
      "error syntax: 'set' stands outside of any object of user local: 'edit' is missing before it",
    ]);
  });
});

describe('what does nothing here', () => {
  it('is told with the reason, once, when it is not the default', () => {
    expect(told(gateway(['set npu-offload disable']))).toEqual([
      "warning inert: 'npu-offload' does nothing here: there is no such hardware here",
    ]);
    expect(told(gateway(['set npu-offload enable']))).toEqual([]);
  });
  it('is told with what it waits for, when it is not served yet', () => {
    expect(told(gateway(['set client-resume enable']))).toEqual([
      "warning later: 'client-resume' is not served yet: session resumption (RFC 5723)",
    ]);
    expect(told(gateway(['set client-resume disable', 'set client-resume-interval 7200']))).toEqual([]);
  });
  it('is told once for a table, with how often it stands there', () => {
    const user = (name: string) => `edit "${name}"\nset passwd "secret"\nset authtimeout 5\nnext\n`;
    expect(told(`config user local\n${user('a')}${user('b')}end`)).toEqual([
      "warning inert: 'authtimeout' does nothing here: a setting of the captive portal (set 2 times)",
    ]);
  });
  it('of the many words that matter to other parts of a FortiGate is one warning a table', () => {
    expect(told('config system global\nset admin-sport 8443\nset admintimeout 30\nset gui-theme jade\nend')).toEqual([
      'warning inert: these settings of system global do nothing here: admin-sport, admintimeout, gui-theme',
    ]);
    expect(told('config system interface\nedit "wan1"\nset allowaccess ping https\nnext\nend')).toEqual([
      "warning inert: 'allowaccess' of system interface does nothing here",
    ]);
  });
  it('notes for people are not worth a word', () => {
    expect(told(gateway(['set comments "for the staff"', 'set wizard-type dialup-forticlient']))).toEqual([]);
  });
});

describe('backups', () => {
  const backup = `#config-version=FGVM64-7.6.5-FW-build3651-251218:opmode=0:vdom=1:user=admin
#conf_file_ver=123
config vdom
edit root
next
edit branch
next
end

config global
config system global
    set hostname "gate"
end
end

config vdom
edit root
${gateway()}
end

config vdom
edit branch
config system settings
    set ike-port 5500
end
end
`;
  it('with virtual domains are read as the one that has the gateway', () => {
    const { config, findings } = loadConfig(backup);
    expect(config.system).toMatchObject({ hostname: 'gate', ikePort: 500 });
    expect(config.profiles.map(({ name }) => name)).toEqual(['dialup']);
    expect(findings).toMatchObject([
      {
        level: 'warning',
        code: 'later',
        word: 'branch',
        message: "virtual domain 'branch' is not loaded: one is served, and that is 'root'",
      },
    ]);
  });
});

describe('findings', () => {
  it('are bounded, and the last says how many more there are', () => {
    const { findings } = loadConfig(gateway(Array.from({ length: 3000 }, (_, i) => `set foo${i} bar`)));
    expect(findings).toHaveLength(1001);
    expect(findings.at(-1)).toMatchObject({ code: 'limit', message: '2000 more findings are not listed: mend these first' });
  });
});
