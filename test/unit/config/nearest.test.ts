import { describe, expect, it } from 'vitest';
import { nearest } from '../../../src/config/nearest.ts';

const words = ['dhgrp', 'psksecret', 'psksecret-remote', 'peertype', 'peerid', 'keylife', 'keylifekbs', 'mode-cfg', 'authusrgrp'];

describe('did you mean', () => {
  it.each([
    ['dhgroup', 'dhgrp'],
    ['dh-grp', 'dhgrp'],
    ['DHGRP', 'dhgrp'],
    ['psk-secret', 'psksecret'],
    ['pskscret', 'psksecret'],
    ['peretype', 'peertype'],
    ['modecfg', 'mode-cfg'],
    ['mode_cfg', 'mode-cfg'],
    ['authusergroup', 'authusrgrp'],
    ['authusr', 'authusrgrp'],
  ])('%s → %s', (typed, meant) => {
    expect(nearest(typed, words)).toBe(meant);
  });
  it.each([
    ['rnu', 'run'],
    ['chek', 'check'],
    ['LAB', 'lab'],
    ['captrue-keys', 'capture-keys'],
  ])('serves the command line as well: %s → %s', (typed, meant) =>
    expect(nearest(typed, ['run', 'check', 'lab', 'capture', 'capture-keys', 'listen'])).toBe(meant),
  );
  it('says nothing when nothing is near', () => {
    expect(nearest('interface', words)).toBeUndefined();
    expect(nearest('x', words)).toBeUndefined();
    expect(nearest('', words)).toBeUndefined();
  });
  it('says nothing when a beginning fits several words', () => {
    expect(nearest('pee', words)).toBeUndefined();
  });
  it('does not work on what is too long to be a word', () => {
    expect(nearest('a'.repeat(100_000), words)).toBeUndefined();
  });
});
