/**
 * Backups of a FortiGate with virtual domains wrap everything in `config global` and `config vdom / edit NAME`. One
 * virtual domain is served: the wrappers are taken off, and the others are named.
 */
import type { Findings } from './findings.ts';
import type { Word } from './lexer.ts';
import { type Edit, printable, type Statement } from './syntax.ts';

export const pathOf = (path: readonly Word[]): string => path.map(({ text }) => text).join(' ');

type Domain = { readonly edit: Edit; readonly body: Statement[] };

/** The statements of the whole text with the wrappers taken off. */
export function unwrapVdoms(statements: readonly Statement[], findings: Findings): readonly Statement[] {
  const domains = new Map<string, Domain>();
  const out: Statement[] = [];
  for (const statement of statements) {
    const path = statement.kind === 'config' ? pathOf(statement.path) : '';
    if (statement.kind === 'config' && path === 'vdom') collect(statement.body, domains);
    else if (statement.kind === 'config' && path === 'global') for (const inner of statement.body) out.push(inner);
    else out.push(statement);
  }
  const filled = [...domains.values()].filter(({ body }) => body.some(({ kind }) => kind === 'config'));
  const chosen =
    filled.find(({ body }) => body.some(isGateway)) ?? filled.find(({ edit }) => edit.name.text === 'root') ?? filled[0];
  for (const domain of filled) {
    if (domain === chosen || chosen === undefined) continue;
    const [name, other] = [chosen.edit.name.text, domain.edit.name.text].map(printable);
    findings.warn('later', domain.edit.name, `virtual domain '${other}' is not loaded: one is served, and that is '${name}'`);
  }
  return chosen === undefined ? out : [...out, ...chosen.body];
}

function collect(statements: readonly Statement[], domains: Map<string, Domain>): void {
  for (const edit of statements) {
    if (edit.kind !== 'edit') continue;
    const domain = domains.get(edit.name.text) ?? { edit, body: [] };
    for (const inner of edit.body) domain.body.push(inner);
    domains.set(edit.name.text, domain);
  }
}

const isGateway = (statement: Statement): boolean =>
  statement.kind === 'config' && pathOf(statement.path) === 'vpn ipsec phase1-interface';
