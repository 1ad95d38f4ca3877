/**
 * The load: ESP packets of all clients in turn, sealed by the step before the gateway has asked for them, sent by the batch when
 * it has taken an earlier one. No more than a window of them is on its way, so that sockets lose nothing unless something is
 * wrong; then the load goes on after a while, and the accounts tell.
 */
import { ESP_HEADER, pad, read32, unpad, write32 } from '../../../src/esp/packet.ts';
import { same } from '../../../src/net/octets.ts';
import type { Ear, Sa } from './clients.ts';
import { InnerPackets, sound } from './packet.ts';
import type { Task } from './protocol.ts';

export type GeneratorCounts = {
  received: number;
  keepalives: number;
  /** Not what it should be: of the packets that were opened, every 16th. */
  wrong: number;
  /** Numbers of an SA that did not come one behind the other. */
  disordered: number;
  /** Times that nothing moved, and the window was opened again. */
  stalls: number;
};

/** What it says to the gateway while it runs. */
export type Talk = {
  /** A step of packets has arrived. */
  credit(): void;
  halt(): Promise<number>;
  forgive(): Promise<unknown>;
};

const SLOT = 2048;
const SPARSE = 15;
/** ms between two looks, and looks without any progress until what is on its way counts as lost: a process may have to wait. */
const LOOK = 50;
const PATIENCE = 20;
/** ms */
const SETTLE = 500;

export class Generator {
  readonly counts: GeneratorCounts = { received: 0, keepalives: 0, wrong: 0, disordered: 0, stalls: 0 };
  readonly #sas: readonly Sa[];
  readonly #talk: Talk;
  readonly #bySpi: ReadonlyMap<number, Sa>;
  #task: Task = { direction: 'in', size: 0, run: 1, window: 0, step: 1 };
  #packets = new InnerPackets(128, false);
  /** A step of packets, and behind them the one that they are sealed from. */
  #ready = new Uint8Array();
  #lengths = new Uint32Array();
  #whose: Sa[] = [];
  #who = 0;
  #row = 0;
  #number = 0;
  /** Packets on their way; and of those that came, what no credit was given for. */
  #open = 0;
  #owed = 0;
  /** `received` when all has arrived that the gateway's inside has made. */
  #last = Number.POSITIVE_INFINITY;
  /** Says that something has moved. */
  #moved = 0;
  #movedBefore = 0;
  #quiet = 0;
  #until = 0;
  #scheduled = false;
  #finished: (() => void) | undefined;

  constructor(sas: readonly Sa[], ear: Ear, talk: Talk) {
    this.#sas = sas;
    this.#talk = talk;
    this.#bySpi = new Map(sas.map((sa) => [sa.spiIn, sa]));
    ear.esp = (octets, at, length) => this.#arrived(octets, at, length);
  }

  /** Runs for so many ms, until nothing is on its way any more; gives the ms that it took. */
  async run(task: Task, ms: number): Promise<number> {
    this.#prepareFor(task);
    const { stalls } = this.counts;
    const begun = performance.now();
    this.#until = begun + ms;
    this.#quiet = 0;
    const ended = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    const watch = setInterval(() => this.#look(), LOOK);
    if (task.direction === 'out') await this.#halt(ms);
    else this.#schedule();
    await ended;
    clearInterval(watch);
    const took = performance.now() - begun;
    // What was given up may still come.
    if (this.counts.stalls > stalls) await new Promise((resolve) => setTimeout(resolve, SETTLE));
    return took;
  }

  /** The gateway's inside has taken so many steps of packets. */
  taken(steps: number): void {
    if (this.#task.direction !== 'in') return;
    this.#open = Math.max(0, this.#open - steps * this.#task.step);
    this.#moved += 1;
    this.#schedule();
  }

  #prepareFor(task: Task): void {
    const { step, size } = task;
    this.#packets = new InnerPackets(size, false);
    if (this.#lengths.length !== step) {
      this.#ready = new Uint8Array(new ArrayBuffer((step + 1) * SLOT));
      this.#lengths = new Uint32Array(step);
      this.#whose = [];
    }
    this.#packets.lay(this.#ready, step * SLOT);
    this.#task = task;
    this.#open = 0;
    this.#owed = 0;
    this.#row = 0;
    this.#last = Number.POSITIVE_INFINITY;
    // What was sealed before and not sent is let go: its numbers are passed over.
    if (task.direction !== 'out') this.#seal();
  }

  async #halt(ms: number): Promise<void> {
    const before = this.counts.received;
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#last = before + (await this.#talk.halt());
    if (this.counts.received >= this.#last) this.#finish();
  }

  #finish(): void {
    const finished = this.#finished;
    this.#finished = undefined;
    finished?.();
  }

  /** Has nothing moved for too long? */
  #look(): void {
    this.#quiet = this.#moved === this.#movedBefore ? this.#quiet + 1 : 0;
    this.#movedBefore = this.#moved;
    if (this.#quiet < PATIENCE) return;
    this.#quiet = 0;
    this.counts.stalls += 1;
    if (this.#last < Number.POSITIVE_INFINITY) return this.#finish();
    this.#open = 0;
    this.#owed = 0;
    void this.#talk.forgive();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    const { direction, window, step } = this.#task;
    if (direction === 'out') return;
    while (performance.now() < this.#until && this.#open + step <= window) {
      this.#push();
      this.#seal();
    }
    if (this.#open === 0 && performance.now() >= this.#until) this.#finish();
  };

  /** Makes the next step of packets. */
  #seal(): void {
    const { run, step, size } = this.#task;
    const b = this.#ready;
    const plain = step * SLOT;
    for (let i = 0; i < step; i++) {
      const sa = this.#sas[this.#who] as Sa;
      this.#whose[i] = sa;
      this.#row += 1;
      if (this.#row >= run) {
        this.#row = 0;
        this.#who = this.#who + 1 < this.#sas.length ? this.#who + 1 : 0;
      }
      const { sealer } = sa;
      sa.sent += 1;
      this.#number = (this.#number + 1) >>> 0;
      this.#packets.turn(b, plain, sa.address, 0, this.#number);
      const at = i * SLOT;
      write32(b, at, sa.spiOut);
      write32(b, at + 4, sa.sent);
      // Of an AEAD its IV, which never comes again; of CBC at least never the same.
      for (let iv = ESP_HEADER; iv < ESP_HEADER + sealer.ivOctets; iv += 4) write32(b, at + iv, iv === 8 ? 0 : sa.sent);
      this.#lengths[i] = sealer.seal(b, plain, pad(b, plain, size, sealer.blockOctets, 4), b, at, 0);
    }
  }

  #push(): void {
    const { step, run } = this.#task;
    for (let i = 0; i < step; i++) {
      const { socket, to } = this.#whose[i] as Sa;
      socket.forward(run === 1 && i % 2 === 1 ? to[1] : to[0], this.#ready, i * SLOT, this.#lengths[i] as number);
    }
    this.#open += step;
  }

  #arrived(b: Uint8Array, at: number, length: number): boolean {
    if (length === 1 && b[at] === 0xff) {
      this.counts.keepalives += 1;
      return true;
    }
    const spi = length < ESP_HEADER ? 0 : read32(b, at);
    if (spi === 0) return false; // IKE
    const { counts } = this;
    counts.received += 1;
    const sa = this.#bySpi.get(spi);
    if (sa === undefined) counts.wrong += 1;
    else {
      const number = read32(b, at + 4);
      if (number !== sa.heard + 1) counts.disordered += 1;
      sa.heard = number;
      if ((counts.received & SPARSE) === 0 && !this.#intact(sa, b, at, length)) counts.wrong += 1;
    }
    this.#moved += 1;
    this.#owed += 1;
    if (this.#owed === this.#task.step) this.#settle();
    if (counts.received === this.#last) this.#finish();
    return true;
  }

  /** A step of packets has come. */
  #settle(): void {
    const { direction, step } = this.#task;
    this.#owed = 0;
    if (direction === 'out') this.#talk.credit();
    if (direction !== 'echo') return;
    this.#open = Math.max(0, this.#open - step);
    this.#schedule();
  }

  /** Opens it, and looks whether it is one of ours. */
  #intact({ opener, address }: Sa, b: Uint8Array, at: number, length: number): boolean {
    const start = at + ESP_HEADER + opener.ivOctets;
    const plain = opener.open(b, at, length, 0, b, start);
    if (plain < 0 || unpad(b, start, plain) !== this.#task.size) return false;
    return sound(b, start, this.#task.size) && same(b, start + 16, address, 0, 4);
  }
}
