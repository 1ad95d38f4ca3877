/** Query parameters of calls: one value each, inside its range. All of these throw EmsRefused for what is not. */
import { EmsRefused, isUid } from './record.ts';

export type WalkParameters = {
  readonly since: number | undefined;
  readonly after: string | undefined;
  readonly limit: number;
};

/** The three parameters of a walk, by the names they have in this shape. */
export function walkParameters(
  query: URLSearchParams,
  names: { readonly since: string; readonly limit: string },
): WalkParameters {
  const after = only(query, 'after');
  if (after !== undefined && !isUid(after)) throw new EmsRefused('bad-request', 'after is no UID');
  return { since: sinceOf(query, names.since), after, limit: number(query, names.limit, 1, 1000) ?? 1000 };
}

export function sinceOf(query: URLSearchParams, name: string): number | undefined {
  return number(query, name, 0, Number.MAX_SAFE_INTEGER);
}

/** The one value, if there is one. */
export function only(query: URLSearchParams, name: string): string | undefined {
  const [value, second] = query.getAll(name);
  if (second !== undefined) throw new EmsRefused('bad-request', `${name} is given twice`);
  return value;
}

function number(query: URLSearchParams, name: string, least: number, most: number): number | undefined {
  const text = only(query, name);
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new EmsRefused('bad-request', `${name} is a number from ${least} to ${most}`);
}
