/** The life of one connection of `postern client`: up, fresh tokens in time, down. */
import type { Dial } from '../../lab/index.ts';
import { printable } from '../../wire/index.ts';
import { EXIT, say, type Terminal } from '../exit.ts';

export type Attempt = {
  /** Says the first word; a text says why there is none. */
  readonly dial: () => Promise<Dial | string>;
  readonly token: string | undefined;
  readonly next: (() => Promise<string>) | undefined;
};

/** A token is sent again so many seconds before the old one ends, or at half of its time when that is short. */
const AHEAD = 60;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Connects and stays until a signal or the gateway ends it; gives the exit code. */
export async function stay({ dial: start, token, next }: Attempt, { stdout, stderr, process }: Terminal): Promise<number> {
  const note = (line: string) => say(stdout, `postern client: ${printable(line, 2000)}`);
  const dial = await start();
  if (typeof dial === 'string') {
    say(stderr, `postern client: ${dial}`, 'See `postern help client`.');
    return EXIT.usage;
  }
  let hangUp = false;
  const { promise: ended, resolve: over } = Promise.withResolvers<void>();
  const stop = () => {
    hangUp = true;
    over();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([dial.connected(), ended]);
    for (const notify of dial.status.notifyNames) note(`the gateway sent ${notify}`);
    if (dial.client.at !== 'established') {
      note(hangUp ? 'not connected' : `not connected: ${dial.status.why || 'no answer'}`);
      return EXIT.refused;
    }
    const { assigned, gatewayProof, path, children } = dial.status;
    note(`connected to ${path.remote.address}:${path.remote.port}; the gateway proved itself by ${gatewayProof}`);
    note(`address ${assigned.join(' ') || 'none'}, ${children.length} child SA; Ctrl-C hangs up`);
    const renew = (old: string | undefined) => {
      const wait = waitOf(old, Date.now() / 1000);
      if (next === undefined || wait === undefined) return;
      timer = setTimeout(async () => {
        const fresh = await next().catch((error: unknown) => {
          note(`no fresh token: ${error instanceof Error ? error.message : 'unknown'}`);
          return undefined;
        });
        if (fresh !== undefined && fresh !== old && dial.client.at === 'established') {
          dial.client.sendToken(performance.now(), fresh);
          dial.pump();
          note('a fresh token was sent');
        }
        renew(fresh === undefined || fresh === old ? undefined : fresh);
      }, wait * 1000);
    };
    renew(token);
    await Promise.race([dial.until(() => dial.client.at !== 'established', MOST), ended]);
    if (hangUp) {
      await dial.hangUp();
      note('hung up');
      return EXIT.ok;
    }
    note(`the gateway has ended it${dial.status.why === '' ? '' : `: ${dial.status.why}`}`);
    return EXIT.refused;
  } finally {
    clearTimeout(timer);
    for (const signal of SIGNALS) process.off(signal, stop);
    dial.close();
  }
}

/** ms; a timer cannot wait longer. */
const MOST = 2 ** 31 - 1;
/** Seconds after which a token source that had nothing new is asked again. */
const AGAIN = 10;

/** Seconds until the next token is wanted; undefined for one that tells no end. */
function waitOf(token: string | undefined, now: number): number | undefined {
  if (token === undefined) return AGAIN;
  const exp = endOf(token);
  if (exp === undefined) return undefined;
  const left = Math.max(0, exp - now);
  return Math.min(Math.max(1, left > 2 * AHEAD ? left - AHEAD : left / 2), MOST / 1000);
}

/** `exp` of our own token; nobody verifies it here. */
function endOf(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return typeof claims === 'object' && claims !== null && 'exp' in claims && typeof claims.exp === 'number'
      ? claims.exp
      : undefined;
  } catch {
    return undefined;
  }
}
