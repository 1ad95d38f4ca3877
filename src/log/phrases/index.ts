/** Every debug line, as a function: the only maker of Phrase. Pure. */
export * from './auth.ts';
export * from './child.ts';
export * from './init.ts';
export type { Phrase, Scope } from './phrase.ts';
