/**
 * The network behind the gateway under load, in its process: a sink, an echo, or a source of packets to the clients. It is to
 * cost as little as it can, since it counts as the gateway's: the sink looks at each packet's length and at the checksums of
 * every 64th, echo and source copy a packet, as a device would have.
 */
import { writeSync } from 'node:fs';
import type { OpenInner } from '../../../src/daemon/traffic.ts';
import type { InnerNetwork } from '../../../src/net/index.ts';
import { answer, InnerPackets, sound } from './packet.ts';
import { CREDIT, type Task } from './protocol.ts';

type OnPacket = Parameters<OpenInner>[0]['onPacket'];

/** Packets of one turn of the event loop, as a device gives them. */
const TURN = 64;
const SPARSE = 63;
const ONE = Uint8Array.of(1);
const IDLE: Task = { direction: 'in', size: 0, run: 1, window: 0, step: Number.POSITIVE_INFINITY };

export class Inside implements InnerNetwork {
  readonly name = 'the inside of a benchmark';
  readonly mtu = 1500;
  #addresses = new Uint8Array();
  #onPacket: OnPacket = () => undefined;
  #headroom = 0;
  #room = new Uint8Array(new ArrayBuffer(4096));
  #task = IDLE;
  #packets = new InnerPackets(128, true);
  #delivered = 0;
  #octets = 0;
  #answered = 0;
  #produced = 0;
  #wrong = 0;
  /** Of the sink's packets, those that no credit was given for. */
  #owed = 0;
  /** Of the source. */
  #made = 0;
  #open = 0;
  #who = 0;
  #row = 0;
  #scheduled = false;
  #halted: ((made: number) => void) | undefined;
  #halting = false;

  readonly open: OpenInner = ({ headroom, tailroom, onPacket }) => {
    this.#headroom = headroom;
    this.#room = new Uint8Array(new ArrayBuffer(headroom + 2048 + tailroom));
    this.#onPacket = onPacket;
    return Promise.resolve(this);
  };

  clients(addresses: Uint8Array): void {
    this.#addresses = addresses.slice();
  }

  begin(task: Task): void {
    this.#task = task;
    this.#owed = 0;
    if (task.direction !== 'out') return;
    this.#packets = new InnerPackets(task.size, true);
    this.#made = 0;
    this.#open = task.window;
    this.#halting = false;
    this.#schedule();
  }

  /** Stops the source at the end of a step; gives what it has made. */
  halt(): Promise<number> {
    this.#halting = true;
    return new Promise((resolve) => {
      this.#halted = resolve;
      this.#schedule();
    });
  }

  /** So many packets have arrived at the clients. */
  credit(packets: number): void {
    this.#open += packets;
    this.#schedule();
  }

  forgive(): void {
    this.#owed = 0;
    this.#open = this.#task.window;
    this.#schedule();
  }

  send(octets: Uint8Array, at: number, length: number): boolean {
    const { direction, size, step } = this.#task;
    this.#delivered += 1;
    this.#octets += length;
    if (length !== size || ((this.#delivered & SPARSE) === 0 && !sound(octets, at, length))) this.#wrong += 1;
    if (direction === 'in') {
      this.#owed += 1;
      if (this.#owed !== step) return true;
      this.#owed = 0;
      writeSync(CREDIT, ONE);
    } else if (direction === 'echo' && length === size) {
      const [room, start] = [this.#room, this.#headroom];
      room.set(octets.subarray(at, at + length), start);
      answer(room, start);
      this.#answered += 1;
      this.#onPacket(room, start, length);
    }
    return true;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...{ insideDelivered: this.#delivered, insideOctets: this.#octets, insideWrong: this.#wrong },
      insideSent: this.#answered + this.#produced,
    };
  }

  become(): Promise<void> {
    return Promise.resolve();
  }

  routes(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    this.#onPacket = () => undefined;
    return Promise.resolve();
  }

  #schedule(): void {
    if (this.#scheduled || this.#task.direction !== 'out') return;
    this.#scheduled = true;
    setImmediate(this.#produce);
  }

  readonly #produce = (): void => {
    this.#scheduled = false;
    const { run, step } = this.#task;
    const [room, start] = [this.#room, this.#headroom];
    for (let i = 0; i < TURN; i++) {
      if (this.#halting && this.#made % step === 0) return this.#stop();
      if (this.#open <= 0) return;
      this.#open -= 1;
      this.#made += 1;
      this.#produced += 1;
      this.#packets.lay(room, start);
      this.#packets.turn(room, start, this.#addresses, 4 * this.#who, this.#produced);
      this.#row += 1;
      if (this.#row >= run) {
        this.#row = 0;
        this.#who = 4 * this.#who + 4 < this.#addresses.length ? this.#who + 1 : 0;
      }
      this.#onPacket(room, start, this.#task.size);
    }
    this.#schedule();
  };

  #stop(): void {
    const halted = this.#halted;
    this.#halted = undefined;
    this.#task = IDLE;
    halted?.(this.#made);
  }
}
