import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { told, users } from './text.ts';

const find = (text: string, name: string, ...groups: string[]) => loadConfig(text).config.users.find(name, groups);
const user = (...lines: string[]) => `config user local\nedit "eve"\n${lines.join('\n')}\nnext\nend\n`;
const group = (...members: string[]) =>
  `config user group\nedit "guests"\nset member ${members.map((one) => `"${one}"`).join(' ')}\nnext\nend\n`;

describe('users', () => {
  it('are found by name in a group that holds them', () => {
    const alice = find(users, 'alice', 'staff');
    expect(alice).toMatchObject({ name: 'alice', group: 'staff' });
    expect(alice?.password.equals(new TextEncoder().encode('wonderland'))).toBe(true);
  });
  it('are not found in a group that does not, nor without a group', () => {
    expect(find(users, 'bob', 'staff')).toBeUndefined();
    expect(find(users, 'alice')).toBeUndefined();
    expect(find(users, 'alice', 'nobody')).toBeUndefined();
  });
  it('are found in the first of several groups', () => {
    const both = `${users}config user group\nedit "all"\nset member "alice" "bob"\nnext\nend\n`;
    expect(find(both, 'alice', 'all', 'staff')?.group).toBe('all');
    expect(find(both, 'alice', 'staff', 'all')?.group).toBe('staff');
    expect(find(both, 'bob', 'staff', 'all')?.group).toBe('all');
  });
  it('are told apart by case', () => expect(find(users, 'Alice', 'staff')).toBeUndefined());
  it.each(['__proto__', 'constructor', ''])('%j is nobody', (name) => expect(find(users, name, 'staff')).toBeUndefined());
  it('that are disabled are not found, without a word', () => {
    const text = user('set passwd "secret"', 'set status disable') + group('eve');
    expect(find(text, 'eve', 'guests')).toBeUndefined();
    expect(told(text)).toEqual([]);
  });
});

describe('users who cannot log in', () => {
  it('for want of a password are an error', () => {
    expect(told(user())).toEqual([`error missing: the user 'eve' has no password: set passwd "..."`]);
  });
  it('for an encrypted password are an error', () => {
    expect(told(user('set passwd ENC abc'))).toEqual([
      expect.stringMatching(/^error encrypted: passwd is encrypted \(ENC\).*paste the clear text secret$/),
    ]);
  });
  it.each(['ldap', 'radius', 'tacacs+'])('for a server of type %s are told', (type) => {
    const text = user(`set type ${type}`, 'set passwd "secret"') + group('eve');
    expect(told(text)).toEqual([`warning later: the user 'eve' cannot log in: type ${type} is not served yet`]);
    expect(find(text, 'eve', 'guests')).toBeUndefined();
  });
  it('for a second factor are told: it is not left out', () => {
    const text = user('set passwd "secret"', 'set two-factor fortitoken') + group('eve');
    expect(told(text)).toEqual([
      "warning later: the user 'eve' cannot log in: the second factor (fortitoken) is not served yet, and it is not left out",
    ]);
    expect(find(text, 'eve', 'guests')).toBeUndefined();
  });
});

describe('groups', () => {
  it('with members that are not defined are told', () => {
    expect(told(group('eve'))).toEqual([
      "warning reference: the user 'eve' of group 'guests' is not defined: add it under 'config user local'",
    ]);
  });
  it('with servers are told to wait', () => {
    expect(told(`config user ldap\nedit "ad"\nset server "10.0.0.1"\nnext\nend\n${group('ad')}`)).toContain(
      "warning later: the server 'ad' of group 'guests' is not asked: 'user ldap' is not served yet",
    );
  });
  it('of other types are not served', () => {
    const text = 'config user group\nedit "sso"\nset group-type fsso-service\nnext\nend\n';
    expect(told(text)).toEqual(["warning later: the group 'sso' is not served: only groups of type firewall are"]);
    expect(loadConfig(text).config.users.groups.has('sso')).toBe(false);
  });
  it('are given by name', () =>
    expect(loadConfig(users).config.users.groups.get('staff')).toEqual({ name: 'staff', members: ['alice'] }));
});
