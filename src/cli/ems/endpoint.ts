/** `postern ems endpoint`: the devices that the emulated EMS knows. */
import type { EmsEndpoint, EmsEndpointFields, EmsTag } from '../../lab/index.ts';
import { printable } from '../../wire/index.ts';
import { say } from '../exit.ts';
import type { Option, Values } from '../options.ts';
import type { Verb } from '../verb.ts';
import { ask, never, STATE, table, uids } from './ask.ts';

const YES_NO = ['yes', 'no'] as const;
const FIELDS: readonly Option[] = [
  { name: 'hostname', value: 'NAME', help: 'computer name' },
  { name: 'user', value: 'NAME', help: 'who is logged on' },
  { name: 'address', value: 'ADDR', many: true, help: "the device's own address, IPv4 or IPv6" },
  { name: 'mac', value: 'MAC', many: true, help: 'MAC address, aa:bb:cc:dd:ee:ff' },
  { name: 'tag', value: 'NAME', many: true, help: 'zero-trust (security posture) tag, without EMSn_ZTNA_' },
  { name: 'class', value: 'NAME', many: true, help: 'classification tag' },
  { name: 'cert-sn', value: 'HEX', help: 'serial number of its ZTNA certificate' },
  { name: 'public-ip', value: 'ADDR', help: 'address it is seen with from outside' },
  { name: 'version', value: 'N.N.N.N', help: "FortiClient's version" },
  { name: 'tenant', value: 'HEX', help: 'tenant, 32 hexadecimal digits' },
  { name: 'quarantined', value: 'yes|no', choices: YES_NO, help: 'locked out by the administrator (no)' },
  { name: 'online', value: 'yes|no', choices: YES_NO, help: 'connected to the EMS now (yes)' },
  { name: 'registered', value: 'yes|no', choices: YES_NO, help: 'managed by this EMS (yes)' },
  { name: 'on-net', value: 'yes|no', choices: YES_NO, help: "on the company's network (no)" },
];

const add: Verb = {
  name: 'add',
  summary: 'make a device known',
  text: ['Adds a device. UID is the FortiClient UID that the client will tell the gateway, usually 32 hexadecimal digits.'],
  words: ['UID'],
  options: [...FIELDS, STATE],
  run: (values, terminal) => {
    const takes = { uid: uidOf(values), fields: fieldsOf(values) };
    return ask({ verb: 'endpoint add', values, terminal, name: 'endpoint-add', takes }, (record) => [
      `added ${record.uid}: ${standing(record)}`,
    ]);
  },
};

const set: Verb = {
  name: 'set',
  summary: 'change what is known of a device',
  text: [
    'Changes what is named, and only that; gateways hear of it at once. Of an option that can be repeated, all values are',
    'replaced by the ones given; --tag and --class together replace all tags. The value `none` empties.',
    '`postern ems tag` changes one tag.',
  ],
  words: ['UID'],
  options: [...FIELDS, STATE],
  run: (values, terminal) => {
    const fields = fieldsOf(values);
    if (Object.keys(fields).length === 0) {
      say(terminal.stderr, 'postern ems endpoint set: nothing to change', 'See `postern help ems endpoint set`.');
      return Promise.resolve(2);
    }
    const takes = { uid: uidOf(values), fields };
    const guess = { word: takes.uid, among: () => uids(values) };
    return ask({ verb: 'endpoint set', values, terminal, name: 'endpoint-set', takes, guess }, (record) => [
      `${record.uid}: ${standing(record)}`,
    ]);
  },
};

const remove: Verb = {
  name: 'remove',
  summary: 'forget a device',
  text: ['Removes a device: the EMS then answers that it does not know it.'],
  words: ['UID'],
  options: [STATE],
  run: (values, terminal) => {
    const takes = { uid: uidOf(values) };
    const guess = { word: takes.uid, among: () => uids(values) };
    return ask({ verb: 'endpoint remove', values, terminal, name: 'endpoint-remove', takes, guess }, () => [
      `removed ${takes.uid}`,
    ]);
  },
};

const list: Verb = {
  name: 'list',
  summary: 'show the devices',
  text: ['Shows the devices by UID.'],
  options: [{ name: 'json', help: 'the whole records, as gateways get them' }, STATE],
  run: (values, terminal) =>
    ask({ verb: 'endpoint list', values, terminal, name: 'endpoint-list', takes: {} }, (records) => {
      if (values.one('json') !== undefined) return [JSON.stringify(records, undefined, 2)];
      if (records.length === 0) return ['no devices: `postern ems endpoint add UID`'];
      const rows = records.map((r) =>
        [r.uid, r.hostname, r.user, r.addresses.join(' '), standing(r)].map((cell) => printable(cell, 200)),
      );
      return table(['UID', 'HOSTNAME', 'USER', 'ADDRESSES', 'STANDING'], rows);
    }),
};

export const endpoint: Verb = {
  name: 'endpoint',
  summary: 'the devices: add, set, remove, list',
  text: ['The devices that the EMS knows.'],
  options: [],
  verbs: [add, set, remove, list],
  run: never,
};

const uidOf = (values: Values): string => values.word('UID') ?? '';

/** 'registered, online; tags a, Low (classification)' */
export function standing({ registered, quarantined, online, tags }: EmsEndpoint): string {
  const words = [
    registered ? 'registered' : 'not registered',
    ...(quarantined ? ['quarantined'] : []),
    online ? 'online' : 'offline',
  ];
  return `${words.join(', ')}; ${tags.length === 0 ? 'no tags' : `tags ${tags.map(tagText).join(', ')}`}`;
}

const tagText = ({ name, type }: EmsTag): string => `${printable(name, 128)}${type === 'zero_trust' ? '' : ` (${type})`}`;

/** What the options name; nothing else. */
function fieldsOf(values: Values): EmsEndpointFields {
  const text = (option: string) => {
    const value = values.one(option);
    return value === 'none' ? '' : value;
  };
  const texts = (option: string) => {
    const given = values.all(option);
    return given.length === 0 ? undefined : given.length === 1 && given[0] === 'none' ? [] : given;
  };
  const flag = (option: string) => {
    const value = values.one(option);
    return value === undefined ? undefined : value === 'yes';
  };
  const [zeroTrust, classes] = [texts('tag'), texts('class')];
  const tags: readonly EmsTag[] | undefined =
    zeroTrust === undefined && classes === undefined
      ? undefined
      : [
          ...(zeroTrust ?? []).map((name) => ({ name, type: 'zero_trust' }) as const),
          ...(classes ?? []).map((name) => ({ name, type: 'classification' }) as const),
        ];
  return given({
    hostname: text('hostname'),
    user: text('user'),
    addresses: texts('address'),
    macs: texts('mac'),
    tags,
    certSn: text('cert-sn'),
    publicIp: text('public-ip'),
    version: text('version'),
    tenant: values.one('tenant'),
    quarantined: flag('quarantined'),
    online: flag('online'),
    registered: flag('registered'),
    onNet: flag('on-net'),
  });
}

function given(fields: { readonly [Name in keyof EmsEndpointFields]: EmsEndpointFields[Name] | undefined }): EmsEndpointFields {
  // Only the members that are undefined are left out, so what remains has the types that it had.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as EmsEndpointFields;
}
