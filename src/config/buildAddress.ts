/** Address objects and groups by name → ranges. Only ipmask and iprange (of IPv6: ipprefix and iprange) tell addresses. */

import { compareOctets } from '../wire/index.ts';
import { isZero, rangeOf } from './address.ts';
import type { Findings } from './findings.ts';
import { entriesOf, entryAt, type Store } from './interpret.ts';
import type { Word } from './lexer.ts';
import type { Prefix, Range } from './model.ts';
import { address, address6, addrgrp, addrgrp6 } from './schemaFirewall.ts';
import { shown } from './setting.ts';
import { get, isSet, placeOf } from './table.ts';

export type Family = 4 | 6;

/** Objects that one name may lead to. */
const MAX_OBJECTS = 4096;

/** An object's addresses; `network` when it is written as one. */
export type Named = Range & { readonly network: boolean };

/** What an address object says: its addresses, or why there are none to be had. */
type Spoken = { readonly range: Named | undefined } | { readonly why: string };

export function wholeRange(family: Family): Range {
  const octets = family === 4 ? 4 : 16;
  return { start: new Uint8Array(octets), end: new Uint8Array(octets).fill(255) };
}

/**
 * The addresses behind a name: of the object, or of all members of the group, each object once.
 *
 * @param place where the name stands, for findings
 * @param purpose what wants them: 'ipv4-name of dialup'
 * @returns undefined when a name is not defined, which has been told as an error
 */
export function resolve(
  { store, findings }: { readonly store: Store; readonly findings: Findings },
  name: string,
  family: Family,
  place: Word,
  purpose: string,
): readonly Named[] | undefined {
  const out: Named[] = [];
  const seen = new Set<string>();
  const waiting = [{ name, place }];
  let missing = false;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next.name)) continue;
    seen.add(next.name);
    if (seen.size > MAX_OBJECTS) {
      findings.error('limit', place, `${purpose}: the group ${shown(name)} has more than ${MAX_OBJECTS} members`);
      return undefined;
    }
    const group = entryAt(store, family === 4 ? addrgrp : addrgrp6, next.name);
    if (group !== undefined) {
      for (const [i, member] of get(group, 'member').entries())
        waiting.push({ name: member, place: placeOf(group, 'member', i) });
      continue;
    }
    const spoken = family === 4 ? spoken4(store, next.name) : spoken6(store, next.name);
    if (spoken === undefined) {
      missing = true;
      const table = family === 4 ? 'address' : 'address6';
      findings.error(
        'reference',
        next.place,
        `${purpose}: the address ${shown(next.name)} is not defined: add it under 'config firewall ${table}'`,
      );
    } else if ('why' in spoken)
      findings.warn('later', next.place, `${purpose}: the address ${shown(next.name)} is left out: ${spoken.why}`);
    else if (spoken.range !== undefined) out.push(spoken.range);
  }
  return missing ? undefined : out;
}

export const isAddress = (store: Store, name: string, family: Family): boolean =>
  name === 'all' ||
  name === 'none' ||
  (family === 4
    ? entryAt(store, address, name) !== undefined || entryAt(store, addrgrp, name) !== undefined
    : entryAt(store, address6, name) !== undefined || entryAt(store, addrgrp6, name) !== undefined);

/** Ranges that run backwards, which no use of them could mend. */
export function checkAddresses(store: Store, findings: Findings): void {
  for (const entry of entriesOf(store, address))
    if (get(entry, 'type') === 'iprange' && compareOctets(get(entry, 'start-ip'), get(entry, 'end-ip')) > 0)
      findings.error(
        'value',
        placeOf(entry, 'end-ip'),
        `the address ${shown(entry.key.text)} ends before it begins: end-ip comes before start-ip`,
      );
  for (const entry of entriesOf(store, address6))
    if (get(entry, 'type') === 'iprange' && compareOctets(get(entry, 'start-ip'), get(entry, 'end-ip')) > 0)
      findings.error(
        'value',
        placeOf(entry, 'end-ip'),
        `the address ${shown(entry.key.text)} ends before it begins: end-ip comes before start-ip`,
      );
}

function spoken4(store: Store, name: string): Spoken | undefined {
  const entry = entryAt(store, address, name);
  if (entry === undefined) return builtIn(name, 4);
  const type = get(entry, 'type');
  if (type === 'iprange') return span(get(entry, 'start-ip'), get(entry, 'end-ip'));
  if (type !== 'ipmask') return { why: `type ${type} is not served here yet` };
  return name === 'none' && !isSet(entry, 'subnet') ? builtIn(name, 4) : network(get(entry, 'subnet'));
}

function spoken6(store: Store, name: string): Spoken | undefined {
  const entry = entryAt(store, address6, name);
  if (entry === undefined) return builtIn(name, 6);
  const type = get(entry, 'type');
  if (type === 'iprange') return span(get(entry, 'start-ip'), get(entry, 'end-ip'));
  return type === 'ipprefix' ? network(get(entry, 'ip6')) : { why: `type ${type} is not served here yet` };
}

function builtIn(name: string, family: Family): Spoken | undefined {
  if (name === 'all') return { range: { ...wholeRange(family), network: true } };
  return name === 'none' ? { range: undefined } : undefined;
}

function span(start: Uint8Array, end: Uint8Array): Spoken {
  const backwards = compareOctets(start, end) > 0; // told by checkAddresses
  return { range: backwards ? undefined : { start, end, network: false } };
}

/** FortiOS' own object `none` is 0.0.0.0/32: no address at all. */
const network = (prefix: Prefix): Spoken => ({
  range:
    isZero(prefix.address) && prefix.length === 8 * prefix.address.length ? undefined : { ...rangeOf(prefix), network: true },
});
