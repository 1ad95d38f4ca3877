/**
 * The ike debug stream: who listens, what they want to see, and FortiOS' prefixes in front of a line
 * (`diagnose debug application ike -1`, forms seen in 7.4 and 7.6; 7.2 wrote `ike 0:` everywhere).
 */
import type { Phrase, Scope } from './phrases/index.ts';

/** What one listener wants: everything by default. */
export type DebugFilter = {
  /** Only lines of this gateway, given by profile (`dialup`, then its instances `dialup_0` too) or by instance. */
  readonly gateway?: string;
  /** Leaves out lines that carry packets. */
  readonly narrative?: boolean;
};

/** Takes whole lines without their newline; must not throw. */
export type DebugSink = (line: string) => void;

/** The stream: `say` costs nothing while nobody listens. */
export class DebugStream {
  readonly #subscribers = new Set<{ readonly sink: DebugSink; readonly filter: DebugFilter }>();
  readonly #onListening: ((listening: boolean) => void) | undefined;

  /** @param onListening told when the first listener comes and when the last one goes: the engine builds no line meanwhile */
  constructor(onListening?: (listening: boolean) => void) {
    this.#onListening = onListening;
  }

  get listening(): boolean {
    return this.#subscribers.size > 0;
  }

  /** Adds a listener; the returned function takes it away again. */
  subscribe(sink: DebugSink, filter: DebugFilter = {}): () => void {
    const one = { sink, filter };
    this.#subscribers.add(one);
    if (this.#subscribers.size === 1) this.#onListening?.(true);
    return () => {
      if (this.#subscribers.delete(one) && this.#subscribers.size === 0) this.#onListening?.(false);
    };
  }

  say(scope: Scope, phrase: Phrase): void {
    let text: string | undefined;
    for (const { sink, filter } of this.#subscribers) {
      if (!wanted(scope, filter)) continue;
      text ??= renderLine(scope, phrase);
      sink(text);
    }
  }
}

/**
 * One line of the stream, prefix and text.
 *
 *   ike V=root:0: …                      the daemon
 *   ike V=root:0:SPIi/SPIr:ID: …         an SA without a gateway yet
 *   ike V=root:0:NAME[:ID][:P2][:CHILD]: …
 *   ike 0:[NAME:ID:] …                   the raw form, of lines that carry packets
 *   ike V=root:[NAME ]Negotiate SA Error: …
 *
 * A phrase may have several lines (client data has); what a peer put there cannot pass for a line of ours: a continuation
 * that begins like one is moved by a space, control characters are shown as `\xNN`.
 */
export function renderLine(scope: Scope, phrase: Phrase): string {
  return prefix(scope) + phrase.text.replace(/[^\P{Cc}\n\t]/gu, escaped).replace(/\n(?=ike )/g, '\n ');
}

function prefix(scope: Scope): string {
  switch (scope.kind) {
    case 'daemon':
      return 'ike V=root:0: ';
    case 'spi':
      return `ike V=root:0:${scope.SPIi}/${scope.SPIr}:${scope.id}: `;
    case 'error':
      return scope.name === undefined ? 'ike V=root:' : `ike V=root:${scope.name} `;
    case 'gateway': {
      const { name, id, phase2, child, raw } = scope;
      // A raw line that belongs to no gateway yet has an empty name: `ike 0: in …`.
      const parts = [raw ? 'ike 0' : 'ike V=root:0', ...(name === '' ? [] : [name]), id, phase2, child];
      return `${parts.filter((part) => part !== undefined).join(':')}: `;
    }
  }
}

function wanted(scope: Scope, filter: DebugFilter): boolean {
  if (filter.narrative === true && scope.kind === 'gateway' && scope.raw === true) return false;
  const { gateway } = filter;
  if (gateway === undefined) return true;
  const name = scope.kind === 'gateway' || scope.kind === 'error' ? scope.name : undefined;
  return name === gateway || (name?.startsWith(`${gateway}_`) === true && /^\d+$/.test(name.slice(gateway.length + 1)));
}

const escaped = (character: string): string => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`;
