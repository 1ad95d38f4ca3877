/**
 * What the machine must know for the inside: the device up, routes of the clients' addresses to it, and masquerade where a
 * policy wants it. One change after the other, each whole or not at all; only what differs is told, so that nobody who is
 * connected notices.
 */
import { readFile } from 'node:fs/promises';
import type { InsideConfig } from './inner.ts';
import { configureNat, type NatRule } from './masquerade.ts';
import { prefixesOf } from './prefixes.ts';
import { type Run, runProgram } from './programs.ts';
import { EnvironmentRefused } from './refusal.ts';
import { addRoutes, bringUp, deleteRoutes, type RouteRefused, tryRoutes } from './routes.ts';

/** The machine round one device, which dies with its routes. */
export class System {
  readonly #device: string;
  readonly #run: Run;
  /** In force: prefixes of the configuration, those of clients beyond them, and rules. */
  #pools: ReadonlySet<string> = new Set();
  #clients: ReadonlySet<string> = new Set();
  #nat: readonly NatRule[] = [];
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(device: string, run: Run = runProgram) {
    this.#device = device;
    this.#run = run;
  }

  /** Brings the device up. Rejects with EnvironmentRefused. */
  up(mtu: number): Promise<void> {
    return this.#inTurn(() => bringUp(this.#run, this.#device, mtu));
  }

  /** Other pools and rules. Rejects with EnvironmentRefused, and then those of before are in force. */
  become(inside: InsideConfig): Promise<void> {
    return this.#inTurn(() => this.#become(inside));
  }

  /** Other prefixes of clients; gives those that could not be had. Rejects with EnvironmentRefused: then none is new. */
  routes(prefixes: readonly string[]): Promise<readonly RouteRefused[]> {
    return this.#inTurn(() => this.#routes(new Set(prefixes)), []);
  }

  /** Takes the rules back, when all that was begun is done; nothing is taken any more. Never rejects. */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      this.#closed = true;
      // What does not go is found by the next start.
      if (masquerades(this.#nat)) await configureNat(this.#run, this.#device, []).catch(() => undefined);
    });
  }

  async #become({ routes, nat, without: not = [] }: InsideConfig): Promise<void> {
    const [run, device] = [this.#run, this.#device];
    const pools = new Set(without(routes.flatMap(prefixesOf), not.flatMap(prefixesOf)));
    const before = new Set([...this.#pools, ...this.#clients]);
    const after = new Set([...pools, ...this.#clients]);
    const [fresh, gone] = [without(after, before), without(before, after)];
    const undo: (() => Promise<unknown>)[] = [];
    try {
      // What is new first, what is old last: whoever is in both is never without.
      undo.push(() => deleteRoutes(run, device, fresh));
      await addRoutes(run, device, fresh);
      if (masquerades(nat) || masquerades(this.#nat)) {
        undo.push(() => configureNat(run, device, this.#nat));
        await configureNat(run, device, nat);
      }
      undo.push(() => tryRoutes(run, device, gone));
      await deleteRoutes(run, device, gone);
    } catch (error) {
      for (const step of undo.reverse()) await step().catch(() => undefined); // why it began is what people must hear
      throw error;
    }
    this.#pools = pools;
    this.#nat = nat;
  }

  async #routes(wanted: ReadonlySet<string>): Promise<readonly RouteRefused[]> {
    const [run, device] = [this.#run, this.#device];
    const fresh = without(without(wanted, this.#pools), this.#clients);
    const gone = without(without(this.#clients, wanted), this.#pools);
    let refused: readonly RouteRefused[];
    try {
      refused = await tryRoutes(run, device, fresh);
    } catch (error) {
      await deleteRoutes(run, device, fresh).catch(() => undefined);
      throw error;
    }
    const missing = new Set(refused.map(({ prefix }) => prefix));
    const had = [...wanted].filter((prefix) => !missing.has(prefix));
    this.#clients = new Set(had);
    try {
      await deleteRoutes(run, device, gone);
    } catch (error) {
      if (!(error instanceof EnvironmentRefused)) throw error;
      this.#clients = new Set([...had, ...gone]); // tried again next time
      const [prefix = ''] = gone;
      return [...refused, { prefix, why: `${prefix} cannot be taken back: ${error.message}`, fix: error.fix }];
    }
    return refused;
  }

  #inTurn(work: () => Promise<void>): Promise<void>;
  #inTurn<T>(work: () => Promise<T>, whenClosed: T): Promise<T>;
  #inTurn<T>(work: () => Promise<T>, whenClosed?: T): Promise<T | undefined> {
    const result = this.#last.then(() => (this.#closed ? whenClosed : work()));
    this.#last = result.catch(() => undefined);
    return result;
  }
}

const masquerades = (rules: readonly NatRule[]): boolean => rules.some(({ masquerade }) => masquerade);
const without = (all: Iterable<string>, these: Iterable<string>): readonly string[] => {
  const left = new Set(these);
  return [...all].filter((one) => !left.has(one));
};

/** Which families the machine does not forward; with that off packets reach this machine and no other. */
export async function notForwarding(): Promise<readonly string[]> {
  const off: string[] = [];
  for (const [setting, file] of [
    ['net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
    ['net.ipv6.conf.all.forwarding', '/proc/sys/net/ipv6/conf/all/forwarding'],
  ] as const) {
    const value = await readFile(file, 'utf8').catch(() => '1');
    if (value.trim() === '0') off.push(setting);
  }
  return off;
}
