import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { tokenText } from '../../../src/ike/tokenText.ts';

const octets = (text: string) => new TextEncoder().encode(text);
const b64 = (text: string) => Buffer.from(text).toString('base64url');
const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

describe('a token in the debug log', () => {
  it('is its claims, and a hash to tell two apart', () => {
    const token = `${b64('{"alg":"RS256"}')}.${b64('{"exp":1,"name":"Gerät"}')}.c2lnbmF0dXJl\0`;
    expect(tokenText(octets(token))).toBe(`{"exp":1,"name":"Gerät"} sha256 ${digest(token)}`);
  });
  it('never holds the signature, nor anything to be sent again', () => {
    const token = `${b64('{}')}.${b64('{"exp":1}')}.U0VDUkVUU0VDUkVUU0VDUkVU`;
    expect(tokenText(octets(token))).not.toMatch(/U0VDUkVU|SECRET/);
    expect(tokenText(octets(token))).not.toContain(b64('{"exp":1}'));
  });
  it('is one short line whatever the claims hold', () => {
    const nasty = `{"name":"a\nike V=root:0: forged\r\u001b[2J\0\u202e\u2028${'x'.repeat(9000)}"}`;
    const line = tokenText(octets(`e.${b64(nasty)}.s`));
    expect(line).toMatch(/^\P{C}+$/u);
    expect(line).not.toMatch(/\p{Zl}|\p{Zp}/u);
    expect(line.length).toBeLessThanOrEqual(512 + ' sha256 '.length + 16);
  });
  it.each(['', '.', '...', 'no token', 'a.***.b', 'a.A.b', `a.${'A'.repeat(65_000)}`, '\0\0'])('never throws: %j', (text) => {
    expect(tokenText(octets(text))).toMatch(new RegExp(` sha256 ${digest(text)}$`));
  });
});
