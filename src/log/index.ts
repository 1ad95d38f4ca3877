/** What may be told, and to whom: debug lines, events, the journal. */
export { type DebugFilter, type DebugSink, DebugStream } from './debug.ts';
export type { Event, Reason, Subject } from './events.ts';
export { type Journal, type JournalFields, type JournalLevel, openJournal } from './journal.ts';
export { type LineStream, type LineWriter, lineWriter } from './lines.ts';
export type { Phrase, Scope } from './phrases/index.ts';
