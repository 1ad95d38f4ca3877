import { describe, expect, it } from 'vitest';
import { type Option, portOf, readOptions } from '../../../src/cli/options.ts';

const table: readonly Option[] = [
  { name: 'config', value: 'FILE', required: true, help: '' },
  { name: 'listen', value: 'ADDR', many: true, help: '' },
  { name: 'ike-port', value: 'N', help: '' },
  { name: 'debug', value: 'ike', choices: ['ike'], help: '' },
  { name: 'quick', help: '' },
];
const values = (...words: string[]) => {
  const read = readOptions(words, table);
  if (read.kind !== 'values') throw new Error(JSON.stringify(read));
  return read.values;
};
const why = (...words: string[]) => {
  const read = readOptions(words, table);
  return read.kind === 'refused' ? read.why : read.kind;
};

describe('the command line', () => {
  it('gives values by name, repeated ones in order, switches as present', () => {
    const v = values('--config', 'a.conf', '--listen', '::1', '--listen=10.0.0.1', '--quick');
    expect([v.one('config'), v.all('listen'), v.one('quick'), v.one('debug'), v.all('debug')]).toEqual([
      'a.conf',
      ['::1', '10.0.0.1'],
      '',
      undefined,
      [],
    ]);
  });

  it.each([
    [['--confg', 'a'], 'unknown option --confg; did you mean --config?'],
    [['--config', 'a', '--ikeport', '1'], 'unknown option --ikeport; did you mean --ike-port?'],
    [['--config', 'a', '--zebra'], 'unknown option --zebra'],
    [['-x'], 'unknown option -x'],
    [['--config', 'a', 'extra'], "'extra' is one word too many"],
    [['--config', 'a', '--', 'extra'], "'extra' is one word too many"],
    [['--config', 'a', '--config', 'b'], '--config is given twice'],
    [['--config'], '--config needs a value: --config FILE'],
    [['--config', '--quick'], '--config needs a value: --config FILE'],
    [['--config='], '--config needs a value: --config FILE'],
    [['--config', 'a', '--quick=1'], '--quick takes no value'],
    [['--config', 'a', '--debug', 'esp'], "--debug knows 'ike', not 'esp'"],
    [[], '--config FILE is missing'],
  ])('%j is refused: %s', (words, expected) => expect(why(...words)).toBe(expected));

  it('a value that begins with a dash is taken when it is tied to its flag', () => {
    expect(values('--config=-odd').one('config')).toBe('-odd');
  });

  it('words of its own are named by their places', () => {
    const read = (...words: string[]) => readOptions(words, [{ name: 'far', value: 'KM', help: '' }], ['UID', 'TAG', '[MORE]']);
    const given = read('U1', '--far', '3', 'a tag');
    if (given.kind !== 'values') throw new Error(given.kind);
    const { values } = given;
    expect([values.word('UID'), values.word('TAG'), values.word('MORE'), values.word('NONE'), values.one('far')]).toEqual([
      'U1',
      'a tag',
      undefined,
      undefined,
      '3',
    ]);
    expect(read('U1', 'b', 'c')).toMatchObject({ kind: 'values' });
    expect(read('U1')).toEqual({ kind: 'refused', why: 'TAG is missing' });
    expect(read('a', 'b', 'c', 'd')).toEqual({ kind: 'refused', why: "'d' is one word too many" });
  });

  it.each([['--help'], ['-h']])('%s wins over what is missing', (flag) => expect(why(flag)).toBe('help'));

  it.each([
    ['0', { port: 0 }],
    ['65535', { port: 65535 }],
    ['65536', { why: "--ike-port takes a port number, 0 to 65535, not '65536'" }],
    ['5e2', { why: "--ike-port takes a port number, 0 to 65535, not '5e2'" }],
  ])('port %s', (text, expected) => expect(portOf(values('--config', 'a', '--ike-port', text), 'ike-port')).toEqual(expected));

  it('a port that was not given is nobody’s', () =>
    expect(portOf(values('--config', 'a'), 'ike-port')).toEqual({ port: undefined }));
});
