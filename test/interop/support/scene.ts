/**
 * A scene for a group of tests: the net, our gateway in it, and the strongSwan clients that tests start. It ends with the
 * rules that hold for every test: exit code 0 after SIGTERM, no fault in the journal, no secret in anything it said.
 */
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { secrets } from './config.ts';
import { type Gateway, type JournalLine, startGateway } from './gateway.ts';
import { addresses, layNet, type Net } from './namespaces.ts';
import { type Charon, type CharonOptions, startCharon } from './strongswan.ts';

export type SceneOptions = {
  readonly nat?: boolean;
  /** With a second client's host. */
  readonly second?: boolean;
  readonly listen?: readonly string[];
  readonly flags?: readonly string[];
  /** False: without a capture and its keys. */
  readonly captured?: boolean;
  /** The configuration of the gateway; made once, before the first test. */
  readonly config: () => Promise<string> | string;
};
export type Scene = {
  readonly net: Net;
  readonly gateway: Gateway;
  /** Starts a strongSwan on the client's host. One at a time; it stops with the test that started it. */
  charon(o: Omit<CharonOptions, 'namespace'>): Promise<Charon>;
  /** The same on the second client's host. */
  second(o: Omit<CharonOptions, 'namespace'>): Promise<Charon>;
  /** Debug lines since the test began. */
  debug(): readonly string[];
  /** Stops the gateway early, for tests about that; gives its exit code. */
  stopGateway(): Promise<number | null>;
};

/** Registers the hooks of a scene with the enclosing `describe`. Its members work inside tests only. */
export function scene(o: SceneOptions): Scene {
  let net: Net | undefined;
  let gateway: Gateway | undefined;
  let charon: Charon | undefined;
  let second: Charon | undefined;
  let exit: number | null | undefined;
  let seen = 0;

  const stopGateway = async () => {
    if (exit === undefined) exit = (await there(gateway).stop()).code;
    return exit;
  };

  beforeAll(async () => {
    const config = await o.config();
    net = await layNet({ nat: o.nat ?? false, second: o.second ?? false });
    gateway = await startGateway({
      namespace: net.gateway,
      config,
      listen: o.listen ?? [addresses.gateway],
      flags: o.flags ?? [],
      captured: o.captured ?? true,
    });
  });

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') {
      const said = gateway ? [...gateway.debug.slice(seen), ...gateway.process.stderr] : [];
      const heard = (await charon?.log())?.split('\n') ?? [];
      console.error(['--- gateway', ...said.slice(-200), '--- strongSwan', ...heard.slice(-120)].join('\n'));
    }
    await charon?.stop();
    await second?.stop();
    charon = second = undefined;
    await net?.drop([]);
    seen = gateway?.debug.length ?? 0;
  });

  afterAll(async () => {
    try {
      if (gateway)
        expect(await stopGateway(), `exit code after SIGTERM\n${gateway.process.stderr.slice(-20).join('\n')}`).toBe(0);
      if (gateway) expect(faults(gateway)).toEqual([]);
      if (gateway) expect(leaks([...gateway.debug, ...gateway.process.stderr])).toEqual([]);
    } finally {
      await gateway?.remove();
      await net?.remove();
    }
  });

  return {
    get net() {
      return there(net);
    },
    get gateway() {
      return there(gateway);
    },
    async charon(options) {
      if (charon) throw new Error('one strongSwan at a time: they share the host');
      charon = await startCharon({ ...options, namespace: there(net).client });
      return charon;
    },
    async second(options) {
      if (second) throw new Error('one strongSwan a host');
      second = await startCharon({ ...options, namespace: there(net).second });
      return second;
    },
    debug: () => there(gateway).debug.slice(seen),
    stopGateway,
  };
}

function faults(gateway: Gateway): readonly JournalLine[] {
  const bad = (line: JournalLine) => line.event === 'fault' || line.event === 'not-json' || line['reason'] === 'fault';
  return gateway.journal().filter(bad);
}

function leaks(lines: readonly string[]): readonly string[] {
  const hex = (text: string) => Buffer.from(text).toString('hex');
  const forbidden = Object.values(secrets).flatMap((secret) => [secret, hex(secret), hex(secret).toUpperCase()]);
  return lines.filter((line) => forbidden.some((secret) => line.includes(secret)));
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a scene exists only while its tests run');
  return value;
}

/**
 * Waits until the lines hold a match for each pattern, in that order: what the gateway has said may still be in the pipe. The
 * message names the first that is missing.
 */
export async function expectInOrder(lines: () => readonly string[], patterns: readonly RegExp[]): Promise<void> {
  await expect
    .poll(
      () => {
        const said = lines();
        let at = -1;
        for (const pattern of patterns) {
          const next = said.findIndex((line, i) => i > at && pattern.test(line));
          if (next < 0) return `no line ${pattern} ${at < 0 ? 'at all' : `after «${said[at]}»`}, of:\n${said.join('\n')}`;
          at = next;
        }
        return 'all there';
      },
      { timeout: 5000 },
    )
    .toBe('all there');
}

/** Waits until the gateway has said something like it. */
export async function expectSaid(lines: () => readonly string[], what: RegExp | string): Promise<void> {
  const said = expect.poll(() => lines().join('\n'), { timeout: 5000 });
  await (typeof what === 'string' ? said.toContain(what) : said.toMatch(what));
}
