/**
 * The other end of a control connection, as lines: what it sends has a bound, what is sent to it waits until it reads, and every
 * wait has an end.
 */
import type { Socket } from 'node:net';

/** It left, was silent or slow for too long, or sent something without bounds. */
export class PeerGone extends Error {
  override readonly name = 'PeerGone';
}

export class Peer {
  readonly #socket: Socket;
  readonly #max: number;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #gone = new AbortController();
  #rest: Buffer[] = [];
  #length = 0;
  #full = false;
  #why: string | undefined;

  /** @param max octets of a line that it may send */
  constructor(socket: Socket, max: number) {
    this.#socket = socket;
    this.#max = max;
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk));
    socket.on('drain', () => {
      this.#full = false;
      this.#stir();
    });
    socket.on('end', () => this.#leave('it has closed the connection'));
    socket.on('error', (error) => this.#leave(error.message));
    socket.on('close', () => this.#leave('it has closed the connection'));
  }

  /** Aborted when it has gone. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /**
   * Its next line.
   *
   * @param wait ms; without it for ever
   * @throws PeerGone
   */
  async line(wait?: number): Promise<string> {
    await this.#until(() => this.#lines.length > 0, wait, 'it is silent');
    const line = this.#lines.shift();
    if (line === undefined) throw new PeerGone(this.#why ?? 'it has gone');
    if (this.#lines.length === 0 && this.#why === undefined) this.#socket.resume();
    return line;
  }

  /**
   * Sends one line; comes back when the next may be sent.
   *
   * @param wait ms that it may take to read
   * @throws PeerGone
   */
  async say(message: object, wait?: number): Promise<void> {
    if (this.#why !== undefined) throw new PeerGone(this.#why);
    this.#full = !this.#socket.write(`${JSON.stringify(message)}\n`);
    await this.#until(() => !this.#full, wait, 'it does not read');
    if (this.#full) throw new PeerGone(this.#why ?? 'it has gone');
  }

  /** Lets out what has been said, then closes; who does not read it is not waited for. */
  end(): void {
    if (this.#why !== undefined) return;
    const timer = setTimeout(() => this.destroy(), GOODBYE);
    timer.unref();
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#leave('we have closed the connection');
  }

  #arrived(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      this.#rest.push(chunk.subarray(from, at));
      this.#length += at - from;
      from = at + 1;
      if (this.#length > this.#max) return this.#leave(`a line of more than ${this.#max} octets`);
      this.#lines.push(Buffer.concat(this.#rest).toString('utf8'));
      this.#rest = [];
      this.#length = 0;
    }
    this.#rest.push(chunk.subarray(from));
    this.#length += chunk.length - from;
    if (this.#length > this.#max) return this.#leave(`a line of more than ${this.#max} octets`);
    if (this.#lines.length === 0) return;
    this.#socket.pause(); // what nobody asked for stays with the sender
    this.#stir();
  }

  #leave(why: string): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#rest = [];
    this.#socket.destroy();
    this.#stir();
    this.#gone.abort();
  }

  #stir(): void {
    for (const look of [...this.#waiting]) look();
  }

  async #until(done: () => boolean, wait: number | undefined, otherwise: string): Promise<void> {
    if (done() || this.#why !== undefined) return;
    await new Promise<void>((resolve) => {
      const timer =
        wait === undefined ? undefined : setTimeout(() => this.#leave(`${otherwise} for ${Math.ceil(wait / 1000)} s`), wait);
      const look = () => {
        if (!done() && this.#why === undefined) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }
}

const LF = 0x0a;
/** ms */
const GOODBYE = 2000;
