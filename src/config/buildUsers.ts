/**
 * `user local` and `user group` → who may log in. A user whose second factor or whose server we cannot ask is not found
 * at all.
 */
import type { Secret } from '../../crypto/index.ts';
import type { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store } from './interpret.ts';
import type { UserGroup, Users } from './model.ts';
import { userGroup, userLocal } from './schemaUser.ts';
import { shown } from './setting.ts';
import { tellEncrypted } from './statuses.ts';
import { type Entry, get, isGarbled, placeOf } from './table.ts';

const SERVERS = ['user ldap', 'user radius', 'user tacacs+', 'user saml', 'user fsso', 'user pop3', 'user krb-keytab'];

export function buildUsers(store: Store, findings: Findings): Users {
  const passwords = new Map<string, Secret>();
  for (const entry of entriesOf(store, userLocal)) {
    const password = passwordOf(entry, findings);
    if (password !== undefined) passwords.set(entry.key.text, password);
  }
  const groups = new Map<string, UserGroup>();
  const members = new Map<string, ReadonlySet<string>>();
  for (const entry of entriesOf(store, userGroup)) {
    checkMembers(entry, store, findings);
    if (get(entry, 'group-type') !== 'firewall') {
      findings.warn(
        'later',
        placeOf(entry, 'group-type'),
        `the group ${shown(entry.key.text)} is not served: only groups of type firewall are`,
      );
      continue;
    }
    groups.set(entry.key.text, { name: entry.key.text, members: get(entry, 'member') });
    members.set(entry.key.text, new Set(get(entry, 'member')));
  }
  return {
    groups,
    find(name, wanted) {
      const password = passwords.get(name);
      const group = wanted.find((one) => members.get(one)?.has(name) === true);
      return password === undefined || group === undefined ? undefined : { name, password, group };
    },
  };
}

/** The password of a user who may log in; undefined otherwise, told unless the user is disabled. */
function passwordOf(entry: Entry<(typeof userLocal)['words']>, findings: Findings): Secret | undefined {
  tellEncrypted(entry, findings);
  const name = shown(entry.key.text);
  const type = get(entry, 'type');
  if (type !== 'password') {
    findings.warn('later', placeOf(entry, 'type'), `the user ${name} cannot log in: type ${type} is not served yet`);
    return undefined;
  }
  const factor = get(entry, 'two-factor');
  if (factor !== 'disable') {
    findings.warn(
      'later',
      placeOf(entry, 'two-factor'),
      `the user ${name} cannot log in: the second factor (${factor}) is not served yet, and it is not left out`,
    );
    return undefined;
  }
  const password = get(entry, 'passwd');
  if (password.kind === 'none' && !isGarbled(entry, 'passwd'))
    findings.error('missing', entry.key, `the user ${name} has no password: set passwd "..."`);
  return password.kind === 'clear' && get(entry, 'status') ? password.value : undefined;
}

function checkMembers(entry: Entry<(typeof userGroup)['words']>, store: Store, findings: Findings): void {
  const group = shown(entry.key.text);
  for (const [i, member] of get(entry, 'member').entries()) {
    if (entryAt(store, userLocal, member) !== undefined) continue;
    const place = placeOf(entry, 'member', i);
    const server = SERVERS.find((path) => store.unknownNames.get(path)?.has(member) === true);
    if (server === undefined)
      findings.warn(
        'reference',
        place,
        `the user ${shown(member)} of group ${group} is not defined: add it under 'config user local'`,
      );
    else
      findings.warn('later', place, `the server ${shown(member)} of group ${group} is not asked: '${server}' is not served yet`);
  }
}
