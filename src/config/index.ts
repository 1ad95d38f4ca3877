/** The door of the configuration: FortiOS CLI text → Config with findings, and back to text. Pure: a text in, values out. */
import { buildConfig } from './build.ts';
import { Findings } from './findings.ts';
import { interpret, type Store } from './interpret.ts';
import type { Config, Finding } from './model.ts';
import { type ShowOptions, showStore } from './show.ts';
import { parseTree } from './syntax.ts';
import { unwrapVdoms } from './vdom.ts';

export { isWhole, overlap, rangeOf } from './address.ts';
export { byPlace } from './findings.ts';
export type * from './model.ts';
export { nearest } from './nearest.ts';
export { reference } from './reference.ts';
export { renderFinding, renderFindings } from './render.ts';

/** What has been read, for `show`. */
export type Loaded = {
  /** Usable only when no finding is an error. */
  readonly config: Config;
  /** In the order of the text. */
  readonly findings: readonly Finding[];
  readonly store: Store;
};

/** Reads a configuration: pasted blocks, scripts and whole backups. Never throws; everything wrong is told at once. */
export function loadConfig(text: string): Loaded {
  const findings = new Findings();
  const store = interpret(unwrapVdoms(parseTree(text, findings), findings), findings);
  const config = buildConfig(store, findings);
  return { config, findings: findings.list(), store };
}

/** `show`: what differs from the defaults, in FortiOS' layout; secrets are masked unless asked for. */
export const showConfig = ({ store }: Pick<Loaded, 'store'>, options?: ShowOptions): string => showStore(store, options);
