/**
 * The gateway of a test: a real engine on a virtual network and clock, with everything around it written down. It carries the
 * engine's outputs out as a daemon does, answers its questions by script, and keeps account of what must come back: child SAs,
 * valves, addresses.
 */
import { validatePath } from '../../crypto/index.ts';
import type { Config } from '../../src/config/index.ts';
import type { ChildOutput } from '../../src/daemon/traffic.ts';
import {
  ALONE,
  type Answer,
  type ChildKeys,
  type Command,
  Engine,
  type GatewayView,
  type IkeKeyTable,
  type Lane,
  type Output,
  type Question,
  type Watch,
} from '../../src/ike/index.ts';
import { DebugStream, type Event } from '../../src/log/index.ts';
import type { Clearance } from '../../src/posture/index.ts';
import { classify, hex } from '../../src/wire/index.ts';
import type { VirtualClock } from './clock.ts';
import { GATEWAY, GATEWAY6 } from './configs.ts';
import type { Datagram, Party } from './net.ts';
import type { SeededRandom } from './random.ts';

/** Gives the answer to a question; undefined leaves it open, for the test to answer by hand. */
export type Script = (question: Question) => Promise<Answer> | Answer | undefined;
export type Asked = { readonly ticket: number; readonly question: Question };
export type Sent = Datagram & { readonly at: number };

export type GatewayOptions = {
  readonly config: Config;
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly script?: Script;
  /** Where it listens; GATEWAY in both families unless said. */
  readonly addresses?: readonly string[];
  /** Without it no debug line is built: for long runs. */
  readonly debug?: boolean;
  /** A data plane as liveness sees it. */
  readonly watch?: Watch;
  /** One of several engines of a gateway. */
  readonly lane?: Lane;
  /** As with a data plane, which carries ESP in UDP only. */
  readonly encapsulates?: boolean;
};

export class Gateway implements Party {
  readonly addresses: readonly string[];
  readonly engine: Engine;
  readonly config: Config;
  /** The debug stream, as an operator reads it. */
  readonly lines: string[] = [];
  readonly events: Event[] = [];
  readonly keys: IkeKeyTable[] = [];
  /** Everything sent, with the moment. */
  readonly sent: Sent[] = [];
  /** Child SAs in the data plane now, by our inbound SPI; all that ever were; those whose valve is open. */
  readonly installed = new Map<number, ChildKeys>();
  readonly everInstalled: ChildKeys[] = [];
  readonly opened = new Map<number, Clearance>();
  /** Every question, and those that nobody has answered. */
  readonly asked: Asked[] = [];
  readonly open: Asked[] = [];
  /** What it tells the other engines; what would end each SA if this engine died, by our SPI. */
  readonly shared: Extract<Output, { do: 'held' | 'left' | 'oust' }>[] = [];
  readonly wills = new Map<string, readonly Datagram[]>();
  /** What the engine asked of the data plane that makes no sense. */
  readonly mistakes: string[] = [];
  script: Script;
  /** The data plane, in a play with traffic: it is told of children, with keys of its own, and takes ESP. */
  traffic: { child(output: ChildOutput): void; esp(d: Datagram): void } | undefined;
  readonly #clock: VirtualClock;
  readonly #stream = new DebugStream();
  readonly #unread: Asked[] = [];
  readonly #outbox: Datagram[] = [];

  constructor({ config, clock, random, script = byTheBook(clock), debug = true, ...o }: GatewayOptions) {
    const { entropy } = random.child('gateway');
    this.addresses = o.addresses ?? [GATEWAY, GATEWAY6];
    this.config = config;
    this.script = script;
    this.#clock = clock;
    this.#stream.subscribe((line) => this.lines.push(line));
    this.engine = new Engine({
      config,
      entropy,
      clocks: clock.clocks,
      debug,
      exportKeys: debug,
      watch: o.watch,
      lane: o.lane ?? ALONE,
      encapsulates: o.encapsulates === true,
    });
  }

  datagram({ octets, from, to }: Datagram): void {
    const natt = to.port === this.config.system.nattPort;
    if (this.traffic !== undefined && classify(octets, natt).kind === 'esp') return this.traffic.esp({ octets, from, to });
    this.#do(() => this.engine.datagram({ octets, from, to, natt }, this.#clock.clocks));
  }
  tick(): void {
    this.#do(() => this.engine.tick(this.#clock.clocks));
  }
  command(command: Command): void {
    this.#do(() => this.engine.command(command, this.#clock.clocks));
  }
  answer(ticket: number, answer: Answer): void {
    const at = this.open.findIndex((one) => one.ticket === ticket);
    if (at >= 0) this.open.splice(at, 1);
    this.#do(() => this.engine.answer(ticket, answer, this.#clock.clocks));
  }
  deadline(): number | undefined {
    return this.engine.deadline();
  }
  take(): readonly Datagram[] {
    return this.#outbox.splice(0);
  }

  /** The data plane has something to send. */
  send(datagram: Datagram): void {
    this.#outbox.push(datagram);
  }

  /** Questions that the script has not seen yet: virtual time stands still until `consult`. */
  get curious(): boolean {
    return this.#unread.length > 0;
  }

  /** Answers what the script answers. No virtual time passes, whatever it waits for. */
  async consult(): Promise<void> {
    for (const { ticket, question } of this.#unread.splice(0)) {
      const answer = await this.script(question);
      if (answer !== undefined) this.answer(ticket, answer);
    }
  }

  get views(): readonly GatewayView[] {
    return this.engine.snapshot(this.#clock.now);
  }
  /** The only SA there is. */
  get view(): GatewayView {
    const [view, second] = this.views;
    if (view === undefined || second !== undefined) throw new Error(`${this.views.length} SAs where one is expected`);
    return view;
  }
  count(name: string): number {
    return this.engine.counters()[name] ?? 0;
  }
  /** Addresses that are leased now. */
  get leased(): number {
    return this.count('leases');
  }
  /** Texts of lines without their prefix. */
  get said(): readonly string[] {
    return this.lines.map((line) => line.replace(/^ike [^ ]*:( |$)/, ''));
  }
  /** The narrative alone: without the lines that carry packets, prefix included. */
  get narrative(): readonly string[] {
    return this.lines.filter((line) => !line.startsWith('ike 0:'));
  }
  told<K extends Event['kind']>(kind: K): readonly Extract<Event, { readonly kind: K }>[] {
    return this.events.filter((event): event is Extract<Event, { readonly kind: K }> => event.kind === kind);
  }

  /** What is wrong with this gateway whatever the test is about: faults, outputs that make no sense, secrets in the open. */
  complaints(secrets: readonly string[]): readonly string[] {
    const faults = this.told('fault').map(({ where, stack }) => `fault in ${where}: ${stack}`);
    const keys = this.keys.flatMap(({ SK_ei, SK_er, SK_ai, SK_ar }) => [SK_ei, SK_er, SK_ai, SK_ar]);
    const material = this.everInstalled.flatMap(({ material: m }) => [m.encrIn, m.encrOut, m.integIn, m.integOut]);
    const hidden = [...keys, ...material].filter((octets) => octets.length > 0).map((octets) => hex(octets));
    const open = [...this.lines, ...this.events.map((event) => JSON.stringify(event))].map((text) => text.toLowerCase());
    const shown = [...secrets, ...hidden].filter((secret) => open.some((text) => text.includes(secret.toLowerCase())));
    return [...faults, ...this.mistakes, ...shown.map((secret) => `a secret in the open: ${secret}`)];
  }

  /** What is still held after everything has ended; empty when nothing leaks. */
  leftovers(): readonly string[] {
    const gauges = ['sas', 'closed', 'children', 'leases', 'half-open', 'tickets', 'timers'].map((name) => [
      name,
      this.count(name),
    ]);
    const ours = {
      installed: this.installed.size,
      valves: this.opened.size,
      deleting: this.engine.deleting,
      wills: this.wills.size,
    };
    return [...gauges, ...Object.entries(ours)].flatMap(([name, n]) => (n === 0 ? [] : [`${name}: ${n}`]));
  }

  #do(work: () => void): void {
    work();
    for (const output of this.engine.take()) this.#carryOut(output);
  }

  #pass(output: Output): void {
    if (output.do === 'install')
      this.traffic?.child({ ...output, child: { ...output.child, material: structuredClone(output.child.material) } });
    else if (output.do === 'open' || output.do === 'quarantine' || output.do === 'remove' || output.do === 'move')
      this.traffic?.child(output);
  }

  #carryOut(output: Output): void {
    this.#pass(output);
    switch (output.do) {
      case 'send': {
        const { from, to, octets } = output;
        this.sent.push({ from, to, octets, at: this.#clock.now });
        this.#outbox.push({ from, to, octets });
        return;
      }
      case 'ask': {
        const { ticket, question } = output;
        for (const list of [this.asked, this.open, this.#unread]) list.push({ ticket, question });
        return;
      }
      case 'install': {
        const { spiIn } = output.child.child;
        if (this.installed.has(spiIn)) this.mistakes.push(`installed twice: ${spiIn}`);
        this.installed.set(spiIn, output.child);
        this.everInstalled.push(output.child);
        return;
      }
      case 'open':
        if (!this.installed.has(output.spi)) this.mistakes.push(`opened without being installed: ${output.spi}`);
        this.opened.set(output.spi, output.by);
        return;
      case 'remove':
        if (!this.installed.delete(output.spi)) this.mistakes.push(`removed without being installed: ${output.spi}`);
        this.opened.delete(output.spi);
        return;
      case 'tell':
        this.events.push(output.event);
        return;
      case 'say':
        this.#stream.say(output.scope, output.line);
        return;
      case 'keys':
        this.keys.push(output.table);
        return;
      case 'held':
      case 'left':
      case 'oust':
        this.shared.push(output);
        return;
      case 'will':
        if (output.datagrams.length === 0) this.wills.delete(output.spi);
        else this.wills.set(output.spi, output.datagrams);
    }
  }
}

/** Certificates by the library that a daemon asks, posture by nobody: EMS is silent. */
export function byTheBook(clock: VirtualClock): Script {
  return async (question) => {
    if (question.about === 'posture')
      return { about: 'posture', evidence: { device: question.device, home: undefined, reports: [], token: { kind: 'none' } } };
    const { leaf, intermediates, anchors } = question;
    return { about: 'certificate', verdict: await validatePath(leaf, intermediates, anchors, clock.unix) };
  };
}
