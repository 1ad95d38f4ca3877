/** What the engine says it wants done, in order; the daemon carries it out. */
import type { Range } from '../config/index.ts';
import type { Event, Reason } from '../log/events.ts';
import type { Phrase, Scope } from '../log/phrases/index.ts';
import type { Clearance } from '../posture/index.ts';
import { type IkeSpi, withMarker } from '../wire/index.ts';
import type { Holding } from './elsewhere.ts';
import type { ChildKeys, Question } from './exchange.ts';
import type { Basis, Endpoint, Path } from './sa.ts';

export type Ticket = number;

/** Keys of one IKE SA for Wireshark's `ikev2_decryption_table`; made only when the engine was told to export keys. */
export type IkeKeyTable = {
  readonly SPIi: string;
  readonly SPIr: string;
  readonly SK_ei: Uint8Array;
  readonly SK_er: Uint8Array;
  readonly SK_ai: Uint8Array;
  readonly SK_ar: Uint8Array;
  readonly encr: number;
  readonly keyLength: number;
  readonly integ: number;
};

/** Whose child it is, as a data plane has to know: what it may send from, and what policies ask. */
export type ChildOwner = {
  readonly profile: string;
  /** Its inner addresses: 4 or 16 octets each. */
  readonly leases: readonly Uint8Array[];
  readonly user: string | undefined;
  readonly groups: readonly string[];
  /** ms between NAT keepalives; undefined unless we are behind a NAT. */
  readonly keepalive: number | undefined;
};

export type Output =
  | { readonly do: 'send'; readonly from: Endpoint; readonly to: Endpoint; readonly octets: Uint8Array }
  | { readonly do: 'ask'; readonly ticket: Ticket; readonly question: Question }
  /** A child SA, always with its valve shut. */
  | { readonly do: 'install'; readonly child: ChildKeys; readonly owner: ChildOwner }
  /** The only way to open it. */
  | { readonly do: 'open'; readonly spi: number; readonly by: Clearance }
  /** Its standing is lost and it stays connected: only these inner destinations. */
  | { readonly do: 'quarantine'; readonly spi: number; readonly to: readonly Range[] }
  /** `replaced`: by a rekey, or by another of the same time. What the client has sent on it may still be under way. */
  | { readonly do: 'remove'; readonly spi: number; readonly replaced: boolean }
  /** The client of this child is answered there from now on, in all its children. */
  | { readonly do: 'move'; readonly spi: number; readonly path: Path }
  | { readonly do: 'tell'; readonly event: Event }
  | { readonly do: 'say'; readonly scope: Scope; readonly line: Phrase }
  | { readonly do: 'keys'; readonly table: IkeKeyTable }
  /** For the other engines of this gateway: an SA is established here, and is no longer; one of theirs must end. */
  | { readonly do: 'held'; readonly holding: Holding }
  | { readonly do: 'left'; readonly name: string }
  | ({ readonly do: 'oust'; readonly name: string; readonly key: string } & Ousting)
  /** What would end the SA with this SPI of ours if this engine died now; empty: there is nothing to end. */
  | { readonly do: 'will'; readonly spi: IkeSpi; readonly datagrams: readonly Datagram[] };

type Datagram = { readonly from: Endpoint; readonly to: Endpoint; readonly octets: Uint8Array };
/** How another SA of the same peer ends: without a word when the peer says that it has none, else with a Delete. */
export type Ousting = { readonly how: 'silently' | 'by-delete'; readonly reason: Reason };

/** Why, for people. */
export const OUSTED = 'replaced by a newer SA of the same peer';

export class Outbox {
  #outputs: Output[] = [];

  push(output: Output): void {
    this.#outputs.push(output);
  }

  /** Sends datagrams without markers over a path; on the NAT-T port they get the non-ESP marker (RFC 3948 §2.2). */
  send({ local, remote, natt }: Path, datagrams: readonly Uint8Array[]): void {
    for (const octets of datagrams)
      this.#outputs.push({ do: 'send', from: local, to: remote, octets: natt ? withMarker(octets) : octets });
  }

  will(spi: IkeSpi, { local: from, remote: to, natt }: Path, all: readonly Uint8Array[]): void {
    const datagrams = all.map((octets) => ({ from, to, octets: natt ? withMarker(octets) : octets }));
    this.#outputs.push({ do: 'will', spi, datagrams });
  }

  keys({ SPIi, SPIr, keys, suite: { cipher } }: Basis): void {
    const { SK_ei, SK_er, SK_ai, SK_ar } = keys;
    const { encr, keyLength, integ } = cipher;
    const table = {
      SPIi,
      SPIr,
      SK_ei: SK_ei.slice(),
      SK_er: SK_er.slice(),
      SK_ai: SK_ai.slice(),
      SK_ar: SK_ar.slice(),
      encr,
      keyLength,
      integ,
    };
    this.#outputs.push({ do: 'keys', table });
  }

  /** Gives all outputs since the last time. */
  take(): readonly Output[] {
    if (this.#outputs.length === 0) return NOTHING;
    const taken = this.#outputs;
    this.#outputs = [];
    return taken;
  }
}

const NOTHING: readonly Output[] = [];
