/** Questions to another thread: each has a number, and its answer comes back with it. */
import { codeOf, EnvironmentRefused } from '../net/index.ts';
import type { Result } from './workerTalk.ts';

type Waiting = { readonly resolve: (value: never) => void; readonly reject: (error: Error) => void };

export class Questions {
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #ended: Error | undefined;

  /** Asks; `send` puts it on its way under the number it is given. Rejects with what the other side threw, or when it is gone. */
  ask<T>(send: (id: number) => void): Promise<T> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    this.#last += 1;
    const id = this.#last;
    return new Promise<T>((resolve, reject) => {
      // Who asks knows what kind of answer belongs to the question.
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      send(id);
    });
  }

  answered(id: number, result: Result): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting === undefined) return;
    if (result.ok) return waiting.resolve(result.value as never);
    waiting.reject(errorOf(result));
  }

  /** Nobody answers any more. */
  end(why: Error): void {
    this.#ended = why;
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }
}

/** What the other side threw, as something to be thrown here. */
export const errorOf = ({ code, message, fix }: Extract<Result, { ok: false }>): Error =>
  fix === undefined ? Object.assign(new Error(message), { code }) : new EnvironmentRefused(code, message, fix);

/** Does something for another thread; what comes of it can be sent back. Never rejects. */
export async function resultOf(work: () => unknown): Promise<Result> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    const fix = error instanceof EnvironmentRefused ? error.fix : undefined;
    return { ok: false, code: codeOf(error), message: error instanceof Error ? error.message : String(error), fix };
  }
}
