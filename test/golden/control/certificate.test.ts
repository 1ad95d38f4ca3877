/**
 * A certificate as `execute fctems verify` shows it, next to the expected text. The certificates are made here, octet by octet,
 * and are signed by nobody: what is shown is looked at by a person, not believed.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bitString, context, contextPrimitive, der, integer, octetString, oid, sequence, Tag } from '../../../crypto/asn1.ts';
import { certificateText } from '../../../src/ems/certificateText.ts';

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const utf8 = (text: string): Uint8Array => der(Tag.utf8String, new TextEncoder().encode(text));
const TRUE = Uint8Array.of(Tag.boolean, 1, 0xff);

const ids = { C: '2.5.4.6', ST: '2.5.4.8', O: '2.5.4.10', OU: '2.5.4.11', CN: '2.5.4.3', email: '1.2.840.113549.1.9.1' } as const;
const name = (...pairs: readonly (readonly [type: keyof typeof ids, value: string])[]): Uint8Array =>
  sequence(...pairs.map(([type, value]) => der(Tag.set, sequence(oid(ids[type]), utf8(value)))));

type Wish = {
  readonly subject?: Uint8Array;
  readonly issuer?: Uint8Array;
  readonly serial?: string;
  readonly version?: 1 | 3;
  readonly extensions?: readonly (readonly [id: string, critical: boolean, value: Uint8Array])[];
};
const subject = name(
  ['C', 'NZ'],
  ['ST', 'Otago'],
  ['O', 'Example'],
  ['OU', 'EMS'],
  ['CN', 'ems.example'],
  ['email', 'ems@x.example'],
);
const authority = name(['C', 'NZ'], ['O', 'Example'], ['CN', 'Example Root']);

function certificate(wish: Wish): Uint8Array {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const extensions = (wish.extensions ?? []).map(([id, critical, value]) =>
    sequence(oid(id), ...(critical ? [TRUE] : []), octetString(value)),
  );
  const tbs = sequence(
    ...(wish.version === 1 ? [] : [der(context(0), integer(2))]),
    der(Tag.integer, bytes(wish.serial ?? '02b1c7')),
    algorithm,
    wish.issuer ?? authority,
    sequence(der(Tag.utcTime, ascii('210314150926Z')), der(Tag.generalizedTime, ascii('20510228235959Z'))),
    wish.subject ?? subject,
    sequence(algorithm, bitString(bytes('04'))),
    ...(extensions.length === 0 ? [] : [der(context(3), sequence(...extensions))]),
  );
  return sequence(tbs, algorithm, bitString(bytes('00')));
}

const keyId = bytes('0a1b2c3d4e5f60718293a4b5c6d7e8f901122334');
const ext = {
  noCa: ['2.5.29.19', true, sequence()],
  ca: ['2.5.29.19', true, sequence(TRUE, integer(1))],
  ski: ['2.5.29.14', false, octetString(keyId)],
  aki: [
    '2.5.29.35',
    false,
    sequence(
      der(contextPrimitive(0), bytes('f00fe11ed22dc33cb44ba55a96698778e1d2c3b4')),
      der(context(1), der(0xa4, authority)),
      der(contextPrimitive(2), bytes('00f1b1c8')),
    ),
  ],
  san: ['2.5.29.17', false, sequence(der(0x82, ascii('ems.example')))],
  usage: ['2.5.29.15', false, der(Tag.bitString, bytes('07ff80'))],
  eku: ['2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'), oid('1.2.3.4'))],
} as const satisfies Record<string, readonly [string, boolean, Uint8Array]>;

describe('a certificate', () => {
  it('is shown in the layout of execute fctems verify', () => {
    const octets = certificate({ extensions: [ext.noCa, ext.ski, ext.aki, ext.san, ext.usage, ext.eku] });
    expect(certificateText(octets)).toBe(read('certificate.txt'));
  });

  it('of every other kind of name and extension', () => {
    const names = sequence(
      der(0x82, ascii('*.ems.example')),
      der(0x81, ascii('ems@x.example')),
      der(0x86, ascii('https://ems.example/a')),
      der(0x87, bytes('c0000201')),
      der(0x87, bytes('20010db8000000000000000000000001')),
      der(0x88, oid('1.2.3.4').subarray(2)),
      der(0xa4, name(['O', 'A/B'], ['CN', 'x'])),
      der(0xa0, sequence()),
    );
    const url = (text: string) => der(0x86, ascii(text));
    const octets = certificate({
      subject: authority,
      serial: '00f9a6b2b7c8d9e0',
      extensions: [
        ext.ca,
        ['2.5.29.17', true, names],
        ['1.3.6.1.5.5.7.1.1', false, sequence(sequence(oid('1.3.6.1.5.5.7.48.1'), url('http://o.example')))],
        ['2.5.29.31', false, sequence(sequence(der(context(0), der(context(0), url('http://c.example/a.crl')))))],
        ['2.5.29.32', false, sequence(sequence(oid('2.23.140.1.2.1')), sequence(oid('1.2.3'), sequence()))],
        ['1.2.3.4.5.6', false, bytes('0402beef')],
      ],
    });
    expect(certificateText(octets)).toBe(read('certificateOther.txt'));
  });

  it('that is broken inside is shown as it stands, and gives no orders to the terminal', () => {
    const octets = certificate({
      subject: name(['CN', 'a\u001b[2J\u202e, O = "Example"']),
      version: 1,
      extensions: [
        ['2.5.29.17', false, sequence(der(0x82, ascii('a, DNS:b\n\u001b[2J"')))],
        ['2.5.29.19', true, bytes('ffff')],
        ['2.5.29.15', false, sequence()],
        ['2.16.840.1.113730.1.13', false, der(Tag.ia5String, ascii('CA:TRUE'))],
        ['1.2.3', false, new Uint8Array(600)],
        ['2.5.29.37', false, new Uint8Array(0)],
      ],
    });
    const text = certificateText(octets);
    expect(text).toBe(read('certificateBroken.txt'));
    expect(text).toMatch(/^[ -~…\n]*$/);
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['text', ascii('-----BEGIN CERTIFICATE-----')],
    ['half of one', certificate({}).subarray(0, 100)],
  ])('%s is none', (_, octets) => {
    expect(() => certificateText(octets)).toThrow(Error);
  });

  it('without extensions, or cut anywhere, never hangs and never prints a control character', () => {
    const whole = certificate({ extensions: [ext.noCa, ext.aki, ext.san] });
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x55;
      let text = '';
      try {
        text = certificateText(damaged);
      } catch {
        // It is none any more.
      }
      expect(text).not.toMatch(/[^\P{C}\n]/u);
    }
  });
});
