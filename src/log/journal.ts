/**
 * The operator's journal: one JSON object a line on stderr (pino). It takes the closed union of events and our own notes;
 * values are strings, numbers and booleans, nothing else, and a redaction list stands behind that as a second line of defence.
 */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Event } from './events.ts';

export type JournalLevel = 'info' | 'warn' | 'error' | 'fatal';
export type JournalFields = Readonly<Record<string, string | number | boolean | undefined>>;

export type Journal = {
  /** Writes an event; floods of one kind are thinned out, and the next line says how many were left out. */
  event(event: Event): void;
  /** Something of the daemon itself: started, listening, a fault outside any SA. */
  note(level: JournalLevel, message: string, fields?: JournalFields): void;
  /** Puts everything on the stream, at once: before the process ends. */
  flush(): void;
  readonly counters: { readonly lines: number; readonly thinned: number; readonly dropped: number };
};

/** Octets that may wait for a slow reader of stderr; then lines are dropped and counted. */
const BOUND = 1024 * 1024;
/** How often the last flush waits 0.1 s for a reader: the process must end even when nobody reads. */
const LAST_TRIES = 5;
/** Lines of one noisy kind: a burst, then so many a second. Anybody on the Internet can cause these. */
const BURST = 50;
const RATE = 10;

/**
 * Opens the journal.
 *
 * @param o.stream where lines go; stderr without one
 * @param o.file a private file instead, replaced
 * @param o.now a monotonic clock in ms, for the thinning
 */
export function openJournal(
  o: { readonly stream?: DestinationStream; readonly file?: string; readonly now?: () => number } = {},
): Journal {
  const now = o.now ?? (() => performance.now());
  const count = { lines: 0, thinned: 0, dropped: 0 };
  let lastTries = Number.POSITIVE_INFINITY;
  const own = o.stream === undefined ? ownStream(o.file, () => lastTries-- > 0) : undefined;
  own?.on('drop', () => {
    count.dropped += 1;
  });
  own?.on('error', () => {
    count.dropped += 1; // nobody reads any more, or the disk is full: the gateway goes on
  });
  const log = logger(o.stream ?? own);
  const buckets = new Map<string, Bucket>();

  const admit = (kind: string): Bucket | undefined => {
    const at = now();
    const bucket = buckets.get(kind) ?? { tokens: BURST, at, left: 0 };
    buckets.set(kind, bucket);
    bucket.tokens = Math.min(BURST, bucket.tokens + ((at - bucket.at) / 1000) * RATE);
    bucket.at = at;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return bucket;
    }
    bucket.left += 1;
    count.thinned += 1;
    return undefined;
  };

  return {
    event(event) {
      const { kind, ...fields } = event;
      const bucket = NOISY.has(kind) ? admit(kind) : undefined;
      if (NOISY.has(kind) && bucket === undefined) return;
      const left = bucket?.left ?? 0;
      if (bucket !== undefined) bucket.left = 0;
      count.lines += 1;
      log[levelOf(event)]({ event: kind, ...printable(fields), ...(left === 0 ? {} : { leftOut: left }) }, kind);
    },
    note(level, message, fields = {}) {
      count.lines += 1;
      log[level](printable(fields), message);
    },
    flush() {
      lastTries = LAST_TRIES;
      try {
        own?.flushSync();
      } catch {
        count.dropped += 1; // a full or closed pipe at the very end: there is nobody left to tell
      }
    },
    counters: count,
  };
}

const ownStream = (file: string | undefined, retryEAGAIN: () => boolean) =>
  destination({
    ...(file === undefined ? { dest: 2 } : { dest: file, append: false, mode: 0o600 }),
    sync: false,
    maxLength: BOUND,
    retryEAGAIN,
  });

type Bucket = { tokens: number; at: number; left: number };

const NOISY: ReadonlySet<Event['kind']> = new Set([
  'init-refused',
  'negotiation-failed',
  'child-refused',
  'fault',
  'pool-empty',
  'moved',
]);

function levelOf(event: Event): 'info' | 'warn' | 'error' {
  switch (event.kind) {
    case 'fault':
      return 'error';
    case 'init-refused':
    case 'negotiation-failed':
    case 'child-refused':
    case 'pool-empty':
    case 'posture-warning':
    case 'posture-restrained':
      return 'warn';
    case 'posture':
      return event.verdict === 'deny' ? 'warn' : 'info';
    case 'ems-state':
      return event.fix === '' ? 'info' : 'warn';
    case 'closed':
      return event.reason === 'fault' ? 'error' : 'info';
    case 'established':
    case 'child-up':
    case 'child-down':
    case 'ike-rekeyed':
    case 'child-rekeyed':
    case 'moved':
    case 'token-number':
      return 'info';
  }
}

/** Fields as they may be written: what is no text, number or truth value is a mistake of ours and stays here. */
function printable(fields: object): Record<string, string | number | boolean> {
  const safe: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields) as [string, unknown][]) {
    if (value === undefined) continue;
    if (typeof value === 'string') safe[name] = value.length > 4096 ? `${value.slice(0, 4096)}…` : value;
    else if (typeof value === 'number' || typeof value === 'boolean') safe[name] = value;
    else safe[name] = '[not printable]';
  }
  return safe;
}

function logger(stream: DestinationStream | undefined): Logger {
  const options = {
    base: { pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: [...REDACTED], censor: '[redacted]' },
  };
  return stream === undefined ? pino(options) : pino(options, stream);
}

/** Names that no event has. Should one ever get such a field, its value does not reach the stream. */
const REDACTED = [
  ...['psk', 'psksecret', 'passwd', 'password', 'secret', 'token', 'jwt', 'msk', 'privateKey', 'passphrase', 'ntHash'],
  ...['SKEYSEED', 'SK_d', 'SK_ei', 'SK_er', 'SK_ai', 'SK_ar', 'SK_pi', 'SK_pr', 'key', 'keys'],
] as const;
