/** The running daemon as `run` and `lab` show it: what it says on stdout, and how it ends. */
import type { Config } from '../config/index.ts';
import { chooseCrypto, type Daemon, type InsideWish, type Reread, selfCheck, startDaemon, untilSignal } from '../daemon.ts';
import { type DebugFilter, type Journal, lineWriter } from '../log/index.ts';
import { codeOf, type Listener } from '../net/index.ts';
import { say, type Terminal } from './exit.ts';
import { takeState } from './state.ts';

/** `--inner`: where packets of clients go. */
export const INNER = ['tun', 'lab', 'off'] as const;
export type Inner = (typeof INNER)[number];
export const innerOf = (word: string | undefined, standard: Inner): Inner => INNER.find((one) => one === word) ?? standard;

export type ServeOptions = {
  readonly config: Config;
  /** Its text, for several workers. */
  readonly source?: string | undefined;
  readonly workers?: number | undefined;
  readonly listen: readonly string[];
  readonly ikePort: number;
  readonly nattPort: number;
  readonly state: string | undefined;
  /** The ike debug stream on stdout. */
  readonly debug: DebugFilter | undefined;
  readonly capture: string | undefined;
  readonly captureKeys: string | undefined;
  /** Carry packets to a TUN device, or to a host in this process that answers echo. */
  readonly inner: Inner;
  /** Where that host answers; without any, where the configuration says. */
  readonly labNets?: readonly { readonly start: Uint8Array; readonly end: Uint8Array }[];
  /** Reads the configuration again. */
  readonly reread: () => Promise<Reread>;
  /** Said once it listens, before the debug stream begins. */
  readonly onReady?: (daemon: Daemon) => void;
};

function insideOf({ inner, labNets }: ServeOptions): InsideWish | undefined {
  if (inner === 'off') return undefined;
  return inner === 'tun' ? { kind: 'tun' } : { kind: 'lab', ...(labNets === undefined ? {} : { nets: labNets }) };
}

/**
 * Runs the gateway until a signal ends it; gives the exit code.
 *
 * @throws EnvironmentRefused when the machine does not allow it
 */
export async function serve(o: ServeOptions, journal: Journal, { stdout, process }: Terminal): Promise<number> {
  selfCheck(journal);
  await chooseCrypto(journal);
  const state = o.state === undefined ? undefined : await takeState(o.state);
  let daemon: Daemon;
  try {
    daemon = await startDaemon({ ...o, inner: insideOf(o), journal });
  } catch (error) {
    await state?.release();
    throw error;
  }
  const code = untilSignal(
    process,
    journal,
    () => daemon.stop(),
    () => void daemon.reload(),
  );
  await state?.listening(daemon.listening).catch((error: unknown) => {
    journal.note('error', `the state directory cannot be written: ${codeOf(error)}`);
  });
  const words = lineWriter(stdout, 'ike debug', {
    onGone: () => {
      leave();
      journal.note('warn', 'nobody reads stdout any more: the debug stream ends, the gateway goes on');
    },
  });
  words.write('postern: ready');
  words.write(`postern: listening on ${places(daemon.listening)}`);
  journal.note('info', 'ready', { listening: places(daemon.listening) });
  o.onReady?.(daemon);
  const unsubscribe = o.debug === undefined ? undefined : daemon.debug.subscribe(words.write, o.debug);
  const leave = () => unsubscribe?.();
  const exit = await code;
  leave();
  journal.note('info', 'stopped', { ...(await daemon.counters()), debugLinesDropped: words.dropped });
  journal.flush();
  await state?.release().catch(() => undefined); // the next daemon sees that we are gone
  if (exit === 0) say(stdout, 'postern: stopped');
  return exit;
}

/** '192.0.2.1:500, 192.0.2.1:4500 (NAT-T), [::1]:500 …' */
function places(listening: readonly Listener[]): string {
  return listening
    .map(({ address, port, natt }) => `${address.includes(':') ? `[${address}]` : address}:${port}${natt ? ' (NAT-T)' : ''}`)
    .join(', ');
}
