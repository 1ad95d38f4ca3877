/** `postern ems tag`: one tag of one device. */
import type { EmsTagType } from '../../lab/index.ts';
import type { Option, Values } from '../options.ts';
import type { Verb } from '../verb.ts';
import { ask, never, STATE, uids } from './ask.ts';
import { standing } from './endpoint.ts';

const TYPES: readonly EmsTagType[] = ['zero_trust', 'classification', 'outbreak', 'fabric'];
const KIND: readonly Option[] = [
  { name: 'class', help: 'a classification tag (the same as --type classification)' },
  { name: 'type', value: 'TYPE', choices: TYPES, help: 'zero_trust (default), classification, outbreak, fabric' },
];

const add: Verb = {
  name: 'add',
  summary: 'give a device a tag',
  text: ['Gives a device a tag; gateways hear of it at once. TAG is the bare name: `a`, not `EMS1_ZTNA_a`.'],
  words: ['UID', 'TAG'],
  options: [...KIND, STATE],
  run: (values, terminal) => {
    const [uid, name] = namesOf(values);
    const takes = { uid, tag: { name, type: typeOf(values) ?? 'zero_trust' } };
    return ask({ verb: 'tag add', values, terminal, name: 'tag-add', takes, guess: guessOf(values) }, (record) => [
      `${record.uid}: ${standing(record)}`,
    ]);
  },
};

const remove: Verb = {
  name: 'remove',
  summary: 'take a tag from a device',
  text: ['Takes a tag from a device, of whatever type; with --class or --type only of that one.'],
  words: ['UID', 'TAG'],
  options: [...KIND, STATE],
  run: (values, terminal) => {
    const [uid, name] = namesOf(values);
    const type = typeOf(values);
    const takes = { uid, name, ...(type === undefined ? {} : { type }) };
    return ask({ verb: 'tag remove', values, terminal, name: 'tag-remove', takes, guess: guessOf(values) }, (record) => [
      `${record.uid}: ${standing(record)}`,
    ]);
  },
};

export const tag: Verb = {
  name: 'tag',
  summary: 'the tags of a device: add, remove',
  text: ['The tags of a device, one at a time.'],
  options: [],
  verbs: [add, remove],
  run: never,
};

const namesOf = (values: Values): readonly [uid: string, name: string] => [values.word('UID') ?? '', values.word('TAG') ?? ''];
const guessOf = (values: Values) => ({ word: values.word('UID') ?? '', among: () => uids(values) });

function typeOf(values: Values): EmsTagType | undefined {
  if (values.one('class') !== undefined) return 'classification';
  return TYPES.find((type) => type === values.one('type'));
}
