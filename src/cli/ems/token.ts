/** `postern ems token` and `postern ems rotate-key`: zero-trust tokens and the key that signs them. */
import { EXIT, say } from '../exit.ts';
import type { Verb } from '../verb.ts';
import { ask, STATE, uids } from './ask.ts';

export const token: Verb = {
  name: 'token',
  summary: 'sign the zero-trust token of a device and print it',
  text: [
    'Prints the token (a JWT) that the EMS would give to the device now, with its tags as they are. Who has it is the device.',
  ],
  words: ['UID'],
  options: [
    { name: 'lifetime', value: 'S', help: 'seconds that it lives (3600); --lifetime=-5 for one that is dead already' },
    STATE,
  ],
  run: (values, terminal) => {
    const lifetime = values.one('lifetime');
    if (lifetime !== undefined && !/^-?\d{1,9}$/.test(lifetime)) {
      say(terminal.stderr, `postern ems token: --lifetime takes seconds, not '${lifetime}'`);
      return Promise.resolve(EXIT.usage);
    }
    const uid = values.word('UID') ?? '';
    const takes = { uid, ...(lifetime === undefined ? {} : { lifetime: Number(lifetime) }) };
    const guess = { word: uid, among: () => uids(values) };
    return ask({ verb: 'token', values, terminal, name: 'token', takes, guess }, (jwt) => [jwt]);
  },
};

export const rotateKey: Verb = {
  name: 'rotate-key',
  summary: 'sign tokens with a new key from now on',
  text: ['Makes a new token key and tells the gateways. The old one is told to them until its last token has ended.'],
  options: [STATE],
  run: (values, terminal) =>
    ask({ verb: 'rotate-key', values, terminal, name: 'rotate-key', takes: {} }, () => ['a new key signs tokens from now on']),
};
