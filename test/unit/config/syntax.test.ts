import { describe, expect, it } from 'vitest';
import { Findings } from '../../../src/config/findings.ts';
import { MAX_NESTING, MAX_TEXT, parseTree, printTree, type Statement } from '../../../src/config/syntax.ts';

function parse(text: string) {
  const findings = new Findings();
  return { tree: parseTree(text, findings), findings: findings.list() };
}
const faults = (text: string) => parse(text).findings.map(({ line, column, message }) => `${line}:${column} ${message}`);

/** A tree without places. */
const bare = (statement: Statement): unknown => {
  switch (statement.kind) {
    case 'comment':
      return statement.text;
    case 'config':
      return { config: statement.path.map(({ text }) => text).join(' '), body: statement.body.map(bare) };
    case 'edit':
      return { edit: statement.name.text, body: statement.body.map(bare) };
    default:
      return [statement.kind, statement.keyword.text, ...statement.values.map(({ text }) => text)];
  }
};

const nested = `# a comment
config firewall access-proxy
    edit "a b"
        set vip "v"
        config api-gateway
            edit 1
                append url-map / x
                unset service
            next
        end
    next
end
config system global
    set hostname gw
end
`;

describe('the tree', () => {
  it('holds blocks in objects in blocks, comments too', () => {
    const { tree, findings } = parse(nested);
    expect(findings).toEqual([]);
    expect(tree.map(bare)).toEqual([
      '# a comment',
      {
        config: 'firewall access-proxy',
        body: [
          {
            edit: 'a b',
            body: [
              ['set', 'vip', 'v'],
              {
                config: 'api-gateway',
                body: [
                  {
                    edit: '1',
                    body: [
                      ['append', 'url-map', '/', 'x'],
                      ['unset', 'service'],
                    ],
                  },
                ],
              },
            ],
          },
        ],
      },
      { config: 'system global', body: [['set', 'hostname', 'gw']] },
    ]);
  });
  it('prints to a text that reads back the same', () => {
    const { tree } = parse(nested);
    expect(printTree(tree)).toBe(nested);
  });
  it('does not depend on margins, line ends or a byte order mark', () => {
    const flat = `\uFEFF${nested.replace(/^ +/gm, '').replaceAll('\n', '\r\n')}`;
    expect(parse(flat).tree.map(bare)).toEqual(parse(nested).tree.map(bare));
    expect(parse(flat).findings).toEqual([]);
  });
  it("takes 'end' within an object as the end of object and table", () => {
    expect(parse('config a\nedit b\nset c d\nend').findings).toEqual([]);
    expect(parse('config a\nedit b\nset c d\nend\nconfig e\nend').tree).toHaveLength(2);
  });
  it('keeps a line break in quotes', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
    expect(parse(`config a\nset ca "${pem}"\nend`).tree.map(bare)).toEqual([{ config: 'a', body: [['set', 'ca', pem]] }]);
  });
});

describe('what cannot be read is told, and the rest is read', () => {
  it.each([
    [
      'a block that is not closed',
      'config user local\nedit a\nnext',
      ["1:1 'config user local' is not closed: 'end' is missing"],
    ],
    [
      'an object that is not closed',
      'config user local\nedit a',
      ["1:1 'config user local' is not closed: 'end' is missing", "2:1 'edit a' is not closed: 'next' is missing"],
    ],
    ["'end' too often", 'config a\nend\nend', ["3:1 'end' closes a 'config', and none is open here"]],
    ["'next' without 'edit'", 'config a\nnext\nend', ["2:1 'next' closes an 'edit', and none is open here"]],
    [
      "'edit' without 'next' before it",
      'config a\nedit b\nedit c\nend',
      ["3:1 'next' is missing before this 'edit': 'edit b' of line 2 is still open"],
    ],
    ["'edit' outside", 'edit b\nnext', ["1:1 'edit' stands outside of any table: 'config …' is missing before it"]],
    ["'set' outside", 'set a b', ["1:1 'set a' stands outside of any block: 'config …' is missing before it"]],
    ["'set' without a value", 'config a\nset b\nend', ["2:5 'set b' has no value: give one, or write 'unset b'"]],
    ["'set' without anything", 'config a\nset\nend', ["2:1 'set' needs the name of a setting"]],
    ["'unset' with a value", 'config a\nunset b c\nend', ["2:7 'unset b' takes no value"]],
    ["'config' without a path", 'config\nend', ["1:1 'config' needs the name of a table, for example 'config user local'"]],
    [
      "'edit' without a name",
      'config a\nedit\nnext\nend',
      ["2:1 'edit' needs the name of an object, for example 'edit \"dialup\"'"],
    ],
    [
      "'edit' with a name in two words",
      'config a\nedit b c\nnext\nend',
      ["2:8 'edit' takes one name: write a name with blanks in quotes, 'edit \"b c\"'"],
    ],
    ["something after 'end'", 'config a\nend x', ["2:5 nothing may follow 'end' on its line"]],
    [
      'a command of the console',
      'config a\nshow\nend',
      ["2:1 'show' is a command for the console, not for a configuration file: leave the line out"],
    ],
    ['a mistyped command', 'config a\nste b c\nend', ["2:1 'ste' is no command"]],
  ])('%s', (_, text, expected) => {
    expect(faults(text)).toEqual(expected);
  });
  it('a mistyped command gets a suggestion', () => {
    expect(parse('config a\nste b c\nend').findings).toMatchObject([{ suggestion: 'set' }]);
  });
  it('a run of strange lines is one mistake, and is not repeated: it may be a key', () => {
    const { findings } = parse('config a\nset private-key -----BEGIN\nMIIEvQIBADANBgkqhkiG\nAoIBAQDVw7Yk\n-----END\nend');
    expect(findings).toHaveLength(1);
    expect(JSON.stringify(findings)).not.toContain('MIIE');
  });
});

describe('bounds', () => {
  it(`nesting beyond ${MAX_NESTING} is told and passed over, and what follows is read`, () => {
    const deep = `${'config a\nedit b\n'.repeat(12)}set x y\n${'next\nend\n'.repeat(12)}config c\nend\n`;
    const { tree, findings } = parse(deep);
    expect(findings).toMatchObject([{ code: 'limit', line: MAX_NESTING + 1 }]);
    expect(tree).toHaveLength(2);
  });
  it(`a text beyond ${MAX_TEXT} characters is not read`, () => {
    const { tree, findings } = parse('#'.repeat(MAX_TEXT + 1));
    expect(tree).toEqual([]);
    expect(findings).toMatchObject([{ level: 'error', code: 'limit' }]);
  });
});
