/** The port of the emulated EMS as its faults want it: open or closed or in turns, with a right or a wrong certificate. */
import { type CertificateWish, type EmsCertificates, ofWrongCa, type Shown, shown, withChangedKey } from './certificates.ts';
import type { EmsFault, Faults } from './faults.ts';
import type { Listener } from './listener.ts';

export class FaultyPort {
  readonly #listener: Listener;
  readonly #certificates: EmsCertificates;
  readonly #wish: () => CertificateWish;
  readonly #note: (note: string) => void;
  readonly #wrong = new Map<string, Shown>();
  #faults: Faults = {};
  #flap: { readonly timer: NodeJS.Timeout; readonly up: boolean } | undefined;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  /**
   * @param wish what a wrong certificate is made of
   * @param note told when the port could not be opened again in its turn
   */
  constructor(listener: Listener, certificates: EmsCertificates, wish: () => CertificateWish, note: (note: string) => void) {
    this.#listener = listener;
    this.#certificates = certificates;
    this.#wish = wish;
    this.#note = note;
  }

  get number(): number {
    return this.#listener.port;
  }

  get connections(): number {
    return this.#listener.connections;
  }

  /** Settles when the port is as these faults want it; rejects with the system's error when it could not be opened. */
  follow(faults: Faults): Promise<void> {
    const before = this.#faults;
    this.#faults = faults;
    if (before.flapping !== faults.flapping) this.#flapTo(false);
    return this.#apply();
  }

  /** For good. */
  close(): Promise<void> {
    this.#closed = true;
    this.#flapTo(false);
    return this.#apply();
  }

  /** Up or down for as long as the fault says; ends with it. */
  #flapTo(up: boolean): void {
    clearTimeout(this.#flap?.timer);
    const { flapping } = this.#faults;
    if (flapping === undefined || this.#closed) {
      this.#flap = undefined;
      return;
    }
    const turn = () => {
      this.#flapTo(!up);
      this.#apply().catch((error: unknown) => this.#note(`the port could not be opened again: ${String(error)}`));
    };
    this.#flap = { up, timer: setTimeout(turn, up ? flapping.up : flapping.down).unref() };
  }

  /** One change after the other. */
  #apply(): Promise<void> {
    const step = async () => {
      this.#listener.show(this.#shown(this.#faults.certificate));
      const { down, flapping } = this.#faults;
      const wanted = !this.#closed && down === undefined && (flapping === undefined || this.#flap?.up === true);
      await (wanted ? this.#listener.open() : this.#listener.close());
    };
    const done = this.#last.then(step);
    this.#last = done.catch(() => undefined); // told to who asked; the next change must not fail for it
    return done;
  }

  #shown(fault: Extract<EmsFault, { name: 'certificate' }> | undefined): Shown {
    if (fault === undefined) return shown(this.#certificates);
    const { kind } = fault;
    const made =
      this.#wrong.get(kind) ?? (kind === 'wrong-ca' ? ofWrongCa(this.#wish()) : withChangedKey(this.#certificates, this.#wish()));
    this.#wrong.set(kind, made);
    return made;
  }
}
