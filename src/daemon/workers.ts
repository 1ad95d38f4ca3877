/**
 * Several workers that are one gateway: a thread for each (`worker.ts`), with its part of the clients. Here is what they share:
 * sockets, the posture of devices, who is connected where. A worker that dies takes its own SAs with it and nothing else; its
 * clients get the Deletes that it had left, from its successor. One that hangs is ended, and then it is dead.
 */
import type { Worker } from 'node:worker_threads';
import { type Command, type Holding, OUSTED } from '../ike/index.ts';
import type { Event, Reason } from '../log/index.ts';
import { EnvironmentRefused, type Listener, SocketGroups, type SystemCalls } from '../net/index.ts';
import type { Gateway, GatewayState, GatewayWorld, Loaded, TrafficWords } from './gateway.ts';
import { type End, Member, type MemberOptions, stuck } from './member.ts';
import { merged, wordsOf } from './merged.ts';
import { errorOf, resultOf } from './questions.ts';
import { lanesOf } from './share.ts';
import type { Farewell, Report, Result, WorkerStart } from './workerTalk.ts';

export type WorkersOptions = Omit<WorkerStart, 'index' | 'count' | 'moment' | 'source' | 'beats'> & {
  readonly loaded: Loaded;
  readonly workers: number;
  readonly calls: SystemCalls;
  /** Shows a thread that was just made: a test's own. */
  readonly onThread?: (worker: Worker, index: number) => void;
  readonly member?: MemberOptions;
};

/** A successor starts after so many ms, twice as many after each death soon after a start; what is not soon, is forgiven. */
const AGAIN = { first: 100, most: 30_000, soon: 10_000 };

/** Farewells that a worker leaves to its successors; beyond that the oldest go, who have waited the longest and may be back. */
const MOST_OWED = 1 << 18;

/** Notes that are remembered for the sake of saying them once. */
const MOST_SAID = 1000;

const absent = (post: Pick<Post, 'index' | 'stuck'>): EnvironmentRefused =>
  post.stuck
    ? stuck(post.index)
    : new EnvironmentRefused('EAGAIN', `Worker ${post.index} is starting again.`, 'Try again in a moment.');

/** What people read of an end. */
const ENDS: Readonly<Record<End['how'], string>> = {
  died: 'died; its clients are told, the others go on',
  hung: 'hung; its clients are told, the others go on',
  stuck: 'hangs and cannot be ended; its clients are lost, the others go on',
};

/** Starts them all. Rejects with EnvironmentRefused when the machine does not allow one of them; then none is left. */
export async function openWorkers(o: WorkersOptions, world: GatewayWorld): Promise<Gateway> {
  const crew = new Crew(o, world);
  await crew.start();
  return crew;
}

/** What is known of a worker beside its thread. */
type Post = {
  readonly index: number;
  member: Member | undefined;
  /** What its clients get when it dies, by SPI. */
  readonly wills: Map<string, readonly Farewell[]>;
  /** What nobody has sent yet of the wills of those before it. */
  owed: readonly Farewell[];
  readonly holdings: Map<string, Holding>;
  /** Its tunnels, by instance name: EMS and the journal must hear of their end. */
  readonly tunnels: Map<string, { readonly event: Extract<Event, { kind: 'established' }>; readonly since: number }>;
  /** Its thread cannot be ended: there can be no other with the same device and sockets. */
  stuck: boolean;
  startedAt: number;
  wait: number;
  /** Its successor's start. */
  again: NodeJS.Timeout | undefined;
};

class Crew implements Gateway {
  readonly #o: WorkersOptions;
  readonly #world: GatewayWorld;
  readonly #groups: SocketGroups;
  readonly #posts: readonly Post[];
  /** Threads that cannot begin yet. */
  readonly #starting = new Set<Member>();
  /** What several of them say is written once: who has said it. */
  readonly #said = new Map<string, Set<number>>();
  #loaded: Loaded;
  /** Who has taken what is to be in force next. */
  #prepared: ReadonlySet<Member> = new Set();
  #debug = false;
  #begun = false;
  #stopping = false;
  /** How it was when it ended. */
  #last: GatewayState | undefined;

  constructor(o: WorkersOptions, world: GatewayWorld) {
    this.#o = o;
    this.#world = world;
    this.#loaded = o.loaded;
    this.#groups = new SocketGroups(o.calls, o.workers);
    this.#posts = lanesOf(o.workers).map(({ index }) => ({
      ...{ index, member: undefined, wills: new Map(), holdings: new Map(), tunnels: new Map() },
      ...{ owed: [], stuck: false, startedAt: 0, wait: AGAIN.first, again: undefined },
    }));
  }

  async start(): Promise<void> {
    try {
      await Promise.all(this.#posts.map((post) => this.#man(post)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  get listening(): readonly Listener[] {
    return this.#members.find(({ listening }) => listening.length > 0)?.listening ?? [];
  }
  get traffic(): TrafficWords {
    return wordsOf(this.#members.flatMap(({ traffic }) => traffic ?? []));
  }

  begin(): void {
    this.#begun = true;
    for (const post of this.#posts) this.#begin(post);
  }

  debug(on: boolean): void {
    this.#debug = on;
    for (const member of this.#members) member.order({ do: 'debug', on });
  }

  command(command: Command): void {
    for (const member of this.#members) member.order({ do: 'command', command });
  }

  async prepare(next: Loaded): Promise<void> {
    const { source } = next;
    if (source === undefined) throw new RangeError('several workers load the text of a configuration'); // ours
    const before = this.#loaded.source;
    const missing = this.#posts.find(({ member }) => member === undefined);
    // Who is starting has what is in force: that can come back at any time.
    if (missing !== undefined && source !== before) throw absent(missing);
    const members = this.#members;
    this.#prepared = new Set(members);
    // What goes from one to another is given up by all before anyone takes it: two may exchange the very same prefixes.
    const taken = async (text: string): Promise<Result | undefined> => {
      const given = await Promise.all(members.map((member) => resultOf(() => member.yield(text))));
      const had = await Promise.all(members.map((member) => resultOf(() => member.prepare(text))));
      return [...given, ...had].find(({ ok }) => !ok);
    };
    const result = await taken(source);
    if (result === undefined) return;
    if (before !== undefined) await taken(before); // whoever was refused, too: it has given up what it had
    const dead = this.#posts.find(({ member }) => member === undefined);
    if (dead !== undefined) throw absent(dead);
    if (!result.ok) throw errorOf(result);
  }

  async commit(next: Loaded): Promise<number> {
    const { source } = next;
    this.#loaded = next;
    if (source === undefined) return 0;
    const take = async (member: Member): Promise<number> => {
      if (!this.#prepared.has(member)) await member.prepare(source); // it has started since
      return await member.commit(source);
    };
    const results = await Promise.all(this.#members.map((member) => resultOf(() => take(member))));
    return results.reduce((sum, result) => sum + (result.ok ? Number(result.value) : 0), 0);
  }

  async state(): Promise<GatewayState> {
    if (this.#last !== undefined) return this.#last;
    const states = await Promise.all(this.#members.map((member) => member.state()));
    return merged(states.filter((state) => state !== undefined));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const { again } of this.#posts) clearTimeout(again);
    const starting = [...this.#starting].map((member) => member.quit());
    const last = await Promise.all(this.#members.map((member) => member.end()));
    await Promise.all(starting);
    this.#last = merged(last.filter((state) => state !== undefined));
    this.#groups.close();
  }

  get #members(): readonly Member[] {
    return this.#posts.flatMap(({ member }) => (member === undefined ? [] : [member]));
  }

  /** Puts a thread on a post; resolves when it is ready to begin. */
  async #man(post: Post): Promise<void> {
    post.startedAt = performance.now();
    const { listen, ikePort, nattPort, inner, workers: count } = this.#o;
    let { source = '' } = this.#loaded;
    const moment = { now: performance.now(), hrtime: process.hrtime.bigint() };
    const member = new Member(
      { index: post.index, count, source, listen, ikePort, nattPort, inner, moment },
      {
        report: (report) => this.#report(post, report),
        answer: (asked) => this.#answer(post, asked),
        died: (end) => this.#died(post, end),
      },
      this.#o.member,
    );
    this.#starting.add(member);
    try {
      this.#o.onThread?.(member.thread, post.index);
      await member.ready;
      while (this.#loaded.source !== undefined && source !== this.#loaded.source) {
        // Another one was taken while it started.
        source = this.#loaded.source;
        await member.prepare(source);
        await member.commit(source);
      }
    } catch (error) {
      await member.quit(); // it may be waiting still
      throw post.stuck ? stuck(post.index) : error;
    } finally {
      this.#starting.delete(member);
    }
    post.member = member;
    member.order({ do: 'debug', on: this.#debug });
    for (const other of this.#posts)
      if (other !== post)
        for (const holding of other.holdings.values()) member.order({ do: 'command', command: { do: 'held', holding } });
  }

  #begin(post: Post): void {
    const { member, owed } = post;
    if (!this.#begun || member === undefined) return;
    // One that dies before it says so leaves them to the next; twice told does no harm.
    const said = (): void => {
      post.owed = [];
    };
    void member.begin(owed).then(said, () => undefined);
  }

  #report(post: Post, report: Report): void {
    const world = this.#world;
    switch (report.say) {
      case 'note':
        if (this.#isNew(post, JSON.stringify([report.message, report.fields])))
          world.note(report.level, report.message, report.fields);
        return;
      case 'event':
        if (this.#remember(post, report.event)) world.tell(report.event);
        return;
      case 'line':
        return world.say(report.scope, report.line);
      case 'held':
        post.holdings.set(report.holding.name, report.holding);
        return this.#others(post, { do: 'held', holding: report.holding });
      case 'left':
        post.holdings.delete(report.name);
        return this.#others(post, { do: 'left', name: report.name });
      case 'oust': {
        const { say: _, ...ousting } = report;
        const holder = this.#posts.find(({ holdings }) => holdings.get(ousting.name)?.key === ousting.key);
        // Its successor's beginning is told next: not before its end, which is certain.
        if (holder !== undefined && ousting.how === 'silently') this.#over(holder, ousting.name, ousting.reason, OUSTED);
        return holder?.member?.order({ do: 'command', command: { do: 'oust', ...ousting } });
      }
      case 'will':
        if (report.datagrams.length === 0) post.wills.delete(report.spi);
        else post.wills.set(report.spi, report.datagrams);
        return;
      case 'release':
        return this.#groups.release(post.index, report.fd);
      default:
        return;
    }
  }

  #answer(post: Post, report: Extract<Report, { say: 'resolve' | 'socket' }>): unknown {
    if (report.say === 'resolve') return this.#world.resolve(report.question);
    return this.#groups.socket(post.index, report.local, report.port, report.natt);
  }

  /** False: another worker has said it before this one did. */
  #isNew({ index }: Post, text: string): boolean {
    const by = this.#said.get(text);
    if (by !== undefined && !by.has(index)) {
      by.add(index);
      return false;
    }
    if (this.#said.size >= MOST_SAID) this.#said.clear();
    this.#said.set(text, new Set([index]));
    return true;
  }

  #others(post: Post, command: Command): void {
    for (const other of this.#posts) if (other !== post) other.member?.order({ do: 'command', command });
  }

  /** False: that has been told already. */
  #remember({ tunnels }: Post, event: Event): boolean {
    if (event.kind === 'established') tunnels.set(event.gateway, { event, since: performance.now() });
    return event.kind !== 'closed' || tunnels.delete(event.gateway);
  }

  /** Tells the end of a tunnel in its worker's place. */
  #over({ tunnels }: Post, name: string, reason: Reason, why: string): void {
    const was = tunnels.get(name);
    if (was === undefined) return;
    tunnels.delete(name);
    const { kind: _, suite: __, method: ___, ...subject } = was.event;
    const seconds = Math.round((performance.now() - was.since) / 1000);
    this.#world.tell({ kind: 'closed', reason, why, seconds, ...subject });
  }

  #died(post: Post, { how, why, fix }: End): void {
    const { member, stuck: waited } = post;
    post.member = undefined;
    post.stuck = how === 'stuck';
    if (this.#stopping) return;
    if (waited) return this.#again(post);
    if (member === undefined) return; // a start that fails is told to who waits for it
    const { index, tunnels, holdings, wills } = post;
    this.#groups.leave(index);
    this.#world.note('error', `worker ${index} ${ENDS[how]}`, {
      ...{ tunnels: tunnels.size, why },
      ...(fix === undefined ? {} : { fix }),
    });
    for (const name of [...tunnels.keys()]) this.#over(post, name, 'fault', `worker ${index} ${how === 'died' ? how : 'hung'}`);
    for (const name of holdings.keys()) this.#others(post, { do: 'left', name });
    post.owed = [...post.owed, ...[...wills.values()].flat()].slice(-MOST_OWED);
    holdings.clear();
    wills.clear();
    if (performance.now() - post.startedAt > AGAIN.soon) post.wait = AGAIN.first;
    if (!post.stuck) this.#again(post);
  }

  #again(post: Post): void {
    const { wait } = post;
    post.wait = Math.min(AGAIN.most, 2 * wait);
    // It keeps the process alive: there may be nobody else.
    post.again = setTimeout(() => {
      this.#man(post).then(
        () => {
          this.#world.note('info', `worker ${post.index} is there again`);
          this.#carries(post);
          this.#begin(post);
        },
        (error: unknown) => {
          if (this.#stopping) return;
          const said = error instanceof Error ? error.message : String(error);
          const fix = error instanceof EnvironmentRefused ? { fix: error.fix } : {};
          this.#world.note('error', `worker ${post.index} cannot start`, { why: said, ...fix });
          if (!post.stuck) this.#again(post);
        },
      );
    }, wait);
  }

  /** Whoever comes back without its device is not like the others. */
  #carries({ index, member }: Post): void {
    const words = member?.traffic;
    if (words?.on === false && this.#members.some(({ traffic }) => traffic?.on))
      this.#world.note('error', `worker ${index} carries no packets of its clients`, { why: words.why, fix: words.fix });
  }
}
