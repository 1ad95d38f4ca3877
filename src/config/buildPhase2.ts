/** `vpn ipsec phase2-interface` → Phase2, filed under the phase 1 it belongs to. */
import type { EspProposal, UnservedWord } from '../../crypto/index.ts';
import { compareOctets } from '../wire/index.ts';
import { rangeOf } from './address.ts';
import { resolve } from './buildAddress.ts';
import type { Findings } from './findings.ts';
import { entriesOf, type Store } from './interpret.ts';
import type { Phase2, Range, SelectorRange } from './model.ts';
import { phase2 } from './schemaPhase2.ts';
import { shown } from './setting.ts';
import { type Entry, get, isGarbled, placeOf } from './table.ts';

type Phase2Entry = Entry<(typeof phase2)['words']>;
type Place = ReturnType<typeof placeOf>;

/** @param known names of all phase1-interfaces, also of those that are left out */
export function phase2sByPhase1(
  store: Store,
  findings: Findings,
  known: ReadonlySet<string>,
): ReadonlyMap<string, readonly Phase2Entry[]> {
  const out = new Map<string, Phase2Entry[]>();
  for (const entry of entriesOf(store, phase2)) {
    const name = get(entry, 'phase1name');
    if (name === '' && isGarbled(entry, 'phase1name')) continue;
    if (name === '')
      findings.error(
        'missing',
        entry.key,
        `phase2-interface ${shown(entry.key.text)} belongs to no phase 1: set phase1name "NAME"`,
      );
    else if (!known.has(name))
      findings.error(
        'reference',
        placeOf(entry, 'phase1name'),
        `phase1-interface ${shown(name)} of phase2-interface ${shown(entry.key.text)} is not defined`,
      );
    const siblings = out.get(name) ?? [];
    siblings.push(entry);
    out.set(name, siblings);
  }
  return out;
}

/**
 * Undefined when its selectors cannot be told; that has been said.
 *
 * @param phase1 what it inherits
 */
export function buildPhase2(
  entry: Phase2Entry,
  phase1: Pick<Phase2, 'addRoute'>,
  context: { readonly store: Store; readonly findings: Findings },
): Phase2 | undefined {
  const { findings } = context;
  const name = entry.key.text;
  const what = `phase2-interface ${shown(name)}`;
  const proposals = servedProposals(get(entry, 'proposal'), (i) => placeOf(entry, 'proposal', i), what, findings);
  const groups = get(entry, 'pfs') ? servedGroups(get(entry, 'dhgrp'), (i) => placeOf(entry, 'dhgrp', i), what, findings) : [];
  const [src, dst] = [selectorsOf(entry, 'src', context), selectorsOf(entry, 'dst', context)];
  if (src === undefined || dst === undefined) return undefined;
  if (src[0] !== undefined && dst[0] !== undefined && src[0].start.length !== dst[0].start.length)
    findings.error(
      'conflict',
      placeOf(entry, 'dst-addr-type'),
      `${what} has IPv4 on one side and IPv6 on the other: make one phase 2 for each`,
    );
  return {
    name,
    proposals,
    pfs: get(entry, 'pfs'),
    groups,
    keylife: get(entry, 'keylifeseconds'),
    keylifeKb: get(entry, 'keylife-type') === 'seconds' ? undefined : get(entry, 'keylifekbs'),
    replay: get(entry, 'replay'),
    transport: get(entry, 'encapsulation') === 'transport-mode',
    addRoute: get(entry, 'add-route') === 'phase1' ? phase1.addRoute : get(entry, 'add-route') === 'enable',
    src,
    dst,
    line: entry.key.line,
  };
}

function selectorsOf(
  entry: Phase2Entry,
  side: 'src' | 'dst',
  context: { readonly store: Store; readonly findings: Findings },
): readonly SelectorRange[] | undefined {
  const port = get(entry, `${side}-port`);
  const ports = port === 0 ? { startPort: 0, endPort: 65535 } : { startPort: port, endPort: port };
  return rangesOf(entry, side, context)?.map(({ start, end }) => ({ start, end, protocol: get(entry, 'protocol'), ...ports }));
}

function rangesOf(
  entry: Phase2Entry,
  side: 'src' | 'dst',
  context: { readonly store: Store; readonly findings: Findings },
): readonly Range[] | undefined {
  const type = get(entry, `${side}-addr-type`);
  switch (type) {
    case 'subnet':
      return [rangeOf(get(entry, `${side}-subnet`))];
    case 'subnet6':
      return [rangeOf(get(entry, `${side}-subnet6`))];
    case 'ip':
      return [{ start: get(entry, `${side}-start-ip`), end: get(entry, `${side}-start-ip`) }];
    case 'ip6':
      return [{ start: get(entry, `${side}-start-ip6`), end: get(entry, `${side}-start-ip6`) }];
    case 'range':
      return span(
        get(entry, `${side}-start-ip`),
        get(entry, `${side}-end-ip`),
        placeOf(entry, `${side}-end-ip`),
        entry,
        context.findings,
      );
    case 'range6':
      return span(
        get(entry, `${side}-start-ip6`),
        get(entry, `${side}-end-ip6`),
        placeOf(entry, `${side}-end-ip6`),
        entry,
        context.findings,
      );
    case 'name':
      return named(entry, `${side}-name`, 4, context);
    case 'name6':
      return named(entry, `${side}-name6`, 6, context);
  }
}

function span(
  start: Uint8Array,
  end: Uint8Array,
  place: Place,
  entry: Phase2Entry,
  findings: Findings,
): readonly Range[] | undefined {
  if (compareOctets(start, end) <= 0) return [{ start, end }];
  findings.error('value', place, `a selector of phase2-interface ${shown(entry.key.text)} ends before it begins`);
  return undefined;
}

function named(
  entry: Phase2Entry,
  word: 'src-name' | 'dst-name' | 'src-name6' | 'dst-name6',
  family: 4 | 6,
  context: { readonly store: Store; readonly findings: Findings },
): readonly Range[] | undefined {
  const name = get(entry, word);
  if (name === '' && isGarbled(entry, word)) return undefined;
  if (name === '') {
    context.findings.error(
      'missing',
      placeOf(entry, word),
      `phase2-interface ${shown(entry.key.text)} gives a side by name and has no ${word}: set ${word} "NAME"`,
    );
    return undefined;
  }
  const ranges = resolve(context, name, family, placeOf(entry, word), `${word} of ${entry.key.text}`);
  if (ranges?.length === 0)
    context.findings.error('value', placeOf(entry, word), `${word} of ${shown(entry.key.text)}: ${shown(name)} holds no address`);
  return ranges?.length === 0 ? undefined : ranges;
}

/** The proposals that are served; those that are not are told, and none left is an error. */
export function servedProposals<P extends { readonly word: string } | EspProposal>(
  words: readonly (P | UnservedWord)[],
  placeAt: (index: number) => Place,
  what: string,
  findings: Findings,
): readonly P[] {
  const served: P[] = [];
  for (const [i, word] of words.entries()) {
    if ('unserved' in word) findings.warn('weak', placeAt(i), `proposal ${word.word} of ${what} is left out: ${word.unserved}`);
    else {
      if (isOurs(word.word))
        findings.warn('ours', placeAt(i), `proposal ${word.word} of ${what} is ours: a FortiGate does not have it`);
      if (word.word.startsWith('null-'))
        findings.warn('weak', placeAt(i), `proposal ${word.word} of ${what} does not encrypt: everybody on the way can read`);
      served.push(word);
    }
  }
  if (served.length === 0)
    findings.error('value', placeAt(0), `${what} has no proposal that is served: add for example aes256-sha256`);
  return served;
}

/** FortiOS has AES-GCM with 128 and 256 bits only. */
const isOurs = (word: string): boolean => word.startsWith('aes192gcm');

const WEAK = new Map([
  ['1', '768-bit MODP'],
  ['2', '1024-bit MODP'],
  ['5', '1536-bit MODP'],
]);
const UNSERVED = new Map([['27', 'brainpoolP224r1 is too short']]);
const FORTIOS_GROUPS = 3;

/** The groups that are served, in order; weak and surplus ones are told. */
export function servedGroups(
  words: readonly string[],
  placeAt: (index: number) => Place,
  what: string,
  findings: Findings,
): readonly number[] {
  const served: number[] = [];
  for (const [i, word] of words.entries()) {
    const [weak, unserved] = [WEAK.get(word), UNSERVED.get(word)];
    if (weak !== undefined)
      findings.warn('weak', placeAt(i), `dhgrp ${word} of ${what} (${weak}) can be broken: use 14 or above, best 31, 19 or 20`);
    if (unserved === undefined) served.push(Number(word));
    else findings.warn('weak', placeAt(i), `dhgrp ${word} of ${what} is left out: ${unserved}`);
  }
  if (words.length > FORTIOS_GROUPS)
    findings.warn(
      'ours',
      placeAt(FORTIOS_GROUPS),
      `${what} has ${words.length} groups, which is ours: a FortiGate takes ${FORTIOS_GROUPS}`,
    );
  if (served.length === 0) findings.error('value', placeAt(0), `${what} has no group that is served: set dhgrp 20`);
  return served;
}
