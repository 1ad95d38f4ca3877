/** What all SAs of an engine share: configuration, clocks, random, leases, tables, and the way out. */
import {
  cipher as cipherOf,
  espProposalWords,
  type Group,
  group as groupOf,
  ikeProposalWords,
  type KeyPair,
  parseEspProposal,
  parseIkeProposal,
  prf as prfOf,
} from '../../crypto/index.ts';
import type { Config } from '../config/index.ts';
import type { AdmissionControl, Cookies } from './cookie.ts';
import type { Elsewhere } from './elsewhere.ts';
import type { Lane } from './lane.ts';
import type { Leases } from './leases.ts';
import type { Watch } from './liveness.ts';
import type { IkeChoice } from './negotiate.ts';
import type { Outbox, Ticket } from './outbox.ts';
import type { EspSuite, Suite } from './sa.ts';
import type { Slab } from './slab.ts';
import type { Slot } from './slot.ts';
import type { SaTable } from './table.ts';

/** `now`: monotonic milliseconds; `unix`: seconds since 1970. */
export type Clocks = { readonly now: number; readonly unix: number };
/** Where random octets and key pairs come from: the system in a daemon, a seed in tests and replays. */
export type Entropy = { octets(n: number): Uint8Array; keyPair(group: Group): KeyPair };

export type World = {
  config: Config;
  readonly entropy: Entropy;
  readonly exportKeys: boolean;
  /** There is a data plane that carries ESP in UDP only: peers are made to encapsulate. */
  readonly encapsulates: boolean;
  readonly table: SaTable;
  readonly out: Outbox;
  readonly slab: Slab;
  leases: Leases;
  readonly lane: Lane;
  readonly elsewhere: Elsewhere;
  readonly admission: AdmissionControl;
  readonly cookies: Cookies;
  readonly suites: Suites;
  /** Questions that are open, by ticket. */
  readonly tickets: Map<Ticket, Slot>;
  clocks: Clocks;
  /** Shutting down: nobody new is let in. */
  closing: boolean;
  /** The country of an address, ISO code; undefined when nobody can tell. */
  readonly country: (address: string) => string | undefined;
  /** What the data plane has seen of a client; undefined: nobody carries traffic. */
  readonly watch: Watch | undefined;
  debug: boolean;
  /** The number of the last IKE SA and of the last child in the debug lines. */
  lastId: number;
  lastChild: number;
  lastTicket: Ticket;
};

const CHACHA20_POLY1305 = 28;

/** FortiOS' words of suites, found by their numbers. */
const ikeWords = new Map(
  ikeProposalWords.flatMap((word) => {
    const p = parseIkeProposal(word);
    return p === undefined || 'unserved' in p ? [] : [[`${p.encr}/${p.keyLength}/${p.integ}/${p.prf}`, word] as const];
  }),
);
const espWords = new Map(
  espProposalWords.flatMap((word) => {
    const p = parseEspProposal(word);
    return p === undefined || 'unserved' in p ? [] : [[`${p.encr}/${p.keyLength}/${p.integ}`, word] as const];
  }),
);

/** One object for each combination of algorithms in use: thousands of SAs share it. */
export class Suites {
  readonly #ike = new Map<string, Suite>();
  readonly #esp = new Map<string, EspSuite>();

  ike({ encr, keyLength, integ, prf: prfId, group }: Pick<IkeChoice, 'encr' | 'keyLength' | 'integ' | 'prf' | 'group'>): Suite {
    const key = `${encr}/${keyLength}/${integ}/${prfId}/${group}`;
    const there = this.#ike.get(key);
    if (there !== undefined) return there;
    const [cipher, prf] = [cipherOf(encr, keyLength, integ), prfOf(prfId)];
    if (cipher === undefined || prf === undefined) throw new RangeError(`suite ${key} was chosen and is not there`); // a fault
    const word = ikeWords.get(`${cipher.encr}/${cipher.keyLength}/${integ}/${prfId}`) ?? `${cipher.name}-${prf.name}`;
    const made = { cipher, prf, group, text: `${word} ${groupOf(group)?.name ?? group}` };
    this.#ike.set(key, made);
    return made;
  }

  esp({ encr, keyLength, integ, esn, group }: Omit<EspSuite, 'text'>): EspSuite {
    const key = `${encr}/${keyLength}/${integ}/${esn}/${group}`;
    const there = this.#esp.get(key);
    if (there !== undefined) return there;
    const bits = encr === CHACHA20_POLY1305 ? 0 : keyLength; // some peers write its 256 bits, FortiOS' word has none
    const parts = [espWords.get(`${encr}/${bits}/${integ}`) ?? key, ...(esn ? ['esn'] : [])];
    const pfs = group === undefined ? [] : [groupOf(group)?.name ?? `${group}`];
    const made = { encr, keyLength, integ, esn, group, text: [...parts, ...pfs].join(' ') };
    this.#esp.set(key, made);
    return made;
  }
}
