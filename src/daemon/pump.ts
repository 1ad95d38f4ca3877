/**
 * The engine's heart beat: puts datagrams, answers and the passing of time into the engine, keeps one timer for its
 * deadline, and carries out what it says, in order. Knows no socket and no clock of its own, so that tests and replays
 * drive it by hand.
 */
import type { Answer, Clocks, Endpoint, Engine, Output, Question } from '../ike/index.ts';
import type { Event, Phrase, Scope } from '../log/index.ts';

/** What the pump needs of the engine; tests give a small one of their own. */
export type PumpedEngine = Pick<Engine, 'datagram' | 'answer' | 'command' | 'tick' | 'deadline' | 'take'>;
type Keys = Extract<Output, { do: 'keys' }>['table'];
type Child = Extract<Output, { do: 'install' | 'open' | 'quarantine' | 'remove' | 'move' }>;
type Shared = Extract<Output, { do: 'held' | 'left' | 'oust' | 'will' }>;
type Incoming = Parameters<Engine['datagram']>[0];
type Command = Parameters<Engine['command']>[0];

/** The world as the pump sees it. None of these may throw; one that does is a fault, told and survived. */
export type World = {
  readonly clocks: () => Clocks;
  /** Runs something once, so many ms from now (a whole number); gives the function that takes it back. */
  readonly after: (ms: number, run: () => void) => () => void;
  readonly send: (from: Endpoint, to: Endpoint, octets: Uint8Array) => void;
  /** Settles when the question is answered; always settles, with an answer that refuses where there is none. */
  readonly ask: (question: Question) => Promise<Answer>;
  readonly child: (output: Child) => void;
  readonly tell: (event: Event) => void;
  readonly say: (scope: Scope, line: Phrase) => void;
  readonly keys: (table: Keys) => void;
  /** For other engines of the same gateway; only one of several says this. */
  readonly share: (output: Shared) => void;
};

/** The longest a Node timer can wait, ms. */
const LONGEST = 2 ** 31 - 1;
/** After a fault in `tick` its deadline may still lie in the past: no busy loop over our own mistake. */
const HOLD_OFF = 1000;

export class Pump {
  readonly #engine: PumpedEngine;
  readonly #world: World;
  #draining = false;
  #stopped = false;
  #armedFor = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;
  #faults = 0;

  constructor(engine: PumpedEngine, world: World) {
    this.#engine = engine;
    this.#world = world;
  }

  /** Exceptions that came out of the engine or the world: every one is a mistake of ours. */
  get faults(): number {
    return this.#faults;
  }

  datagram(d: Incoming): void {
    this.#run('engine.datagram', (t) => {
      // A flood keeps the event loop from its timers; what is due comes first, whatever waits in the sockets.
      this.#tickIfDue(t);
      this.#engine.datagram(d, t);
    });
  }

  command(c: Command): void {
    this.#run('engine.command', (t) => this.#engine.command(c, t));
  }

  /** From here on nothing reaches the engine and nothing comes out of it. */
  stop(): void {
    this.#stopped = true;
    this.#disarm?.();
  }

  #run(where: string, verb: (t: Clocks) => void): void {
    if (this.#stopped) return;
    try {
      verb(this.#world.clocks());
    } catch (error) {
      this.#fault(where, error);
    }
    this.#drain();
    this.#arm();
  }

  #tickIfDue(t: Clocks): void {
    const due = this.#engine.deadline();
    if (due === undefined || due > t.now || t.now < this.#notBefore) return;
    try {
      this.#engine.tick(t);
    } catch (error) {
      this.#notBefore = t.now + HOLD_OFF;
      this.#fault('engine.tick', error);
    }
  }

  #drain(): void {
    if (this.#draining) return; // the world called back while it was served: the loop below takes that too, in order
    this.#draining = true;
    for (let outputs = this.#engine.take(); outputs.length > 0; outputs = this.#engine.take()) {
      for (const output of outputs) {
        try {
          this.#carryOut(output);
        } catch (error) {
          this.#fault(`output ${output.do}`, error);
        }
      }
    }
    this.#draining = false;
  }

  #carryOut(output: Output): void {
    const world = this.#world;
    switch (output.do) {
      case 'send':
        world.send(output.from, output.to, output.octets);
        break;
      case 'ask':
        this.#ask(output);
        break;
      case 'install':
      case 'open':
      case 'quarantine':
      case 'remove':
      case 'move':
        world.child(output);
        break;
      case 'tell':
        world.tell(output.event);
        break;
      case 'say':
        world.say(output.scope, output.line);
        break;
      case 'keys':
        world.keys(output.table);
        break;
      case 'held':
      case 'left':
      case 'oust':
      case 'will':
        world.share(output);
        break;
      default:
        output satisfies never;
    }
  }

  #ask({ ticket, question }: Extract<Output, { do: 'ask' }>): void {
    this.#world.ask(question).then(
      (answer) => this.#run('engine.answer', (t) => this.#engine.answer(ticket, answer, t)),
      // Without an answer the engine's own deadline ends the wait.
      (error: unknown) => this.#fault(`question ${question.about}`, error),
    );
  }

  // One timer. It may come too early, after the deadline has moved away: then it is set again, nothing more.
  #arm(): void {
    const due = this.#engine.deadline();
    if (this.#stopped || due === undefined || due >= this.#armedFor) return;
    this.#disarm?.();
    const now = this.#world.clocks().now;
    const at = Math.max(due, this.#notBefore);
    this.#armedFor = at;
    this.#disarm = this.#world.after(Math.min(LONGEST, Math.max(0, Math.ceil(at - now))), () => {
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.#disarm = undefined;
      this.#run('engine.tick', (t) => this.#tickIfDue(t));
    });
  }

  #fault(where: string, error: unknown): void {
    this.#faults += 1;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    try {
      this.#world.tell({ kind: 'fault', where, stack });
    } catch {
      // The journal itself is what failed: the counter still knows.
    }
  }
}
