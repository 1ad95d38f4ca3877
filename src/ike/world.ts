/** What all SAs of an engine share: configuration, clocks, random, leases, tables, and the way out. */
import { cipher as cipherOf, type Group, group as groupOf, type KeyPair, prf as prfOf } from '../../crypto/index.ts';
import type { Config } from '../config/index.ts';
import type { AdmissionControl, Cookies } from './cookie.ts';
import { fortiName } from './names.ts';
import type { Leases } from './leases.ts';
import type { IkeChoice } from './negotiate.ts';
import type { Outbox } from './outbox.ts';
import type { EspSuite, Suite } from './sa.ts';
import type { Slab } from './slab.ts';
import type { SaTable } from './table.ts';

/** `now`: monotonic milliseconds; `unix`: seconds since 1970. */
export type Clocks = { readonly now: number; readonly unix: number };
/** Where random octets and key pairs come from: the system in a daemon, a seed in tests and replays. */
export type Entropy = { octets(n: number): Uint8Array; keyPair(group: Group): KeyPair };

export type World = {
  readonly config: Config;
  readonly entropy: Entropy;
  readonly exportKeys: boolean;
  readonly table: SaTable;
  readonly out: Outbox;
  readonly slab: Slab;
  readonly leases: Leases;
  readonly admission: AdmissionControl;
  readonly cookies: Cookies;
  readonly suites: Suites;
  clocks: Clocks;
  debug: boolean;
  /** The number of the last IKE SA and of the last child in the debug lines. */
  lastId: number;
  lastChild: number;
};

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
    const made = { cipher, prf, group, text: `${cipher.name} ${prf.name} ${groupOf(group)?.name ?? group}` };
    this.#ike.set(key, made);
    return made;
  }

  esp({ encr, keyLength, integ, esn, group }: Omit<EspSuite, 'text'>): EspSuite {
    const key = `${encr}/${keyLength}/${integ}/${esn}/${group}`;
    const there = this.#esp.get(key);
    if (there !== undefined) return there;
    const parts = [fortiName(1, encr, keyLength), ...(integ === 0 ? [] : [fortiName(3, integ, 0)]), ...(esn ? ['ESN'] : [])];
    const pfs = group === undefined ? [] : [groupOf(group)?.name ?? `${group}`];
    const made = { encr, keyLength, integ, esn, group, text: [...parts, ...pfs].join(' ') };
    this.#esp.set(key, made);
    return made;
  }
}
