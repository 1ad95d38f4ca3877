/**
 * Gathers what the gate is told: each EMS that matters is looked up, the token verified, both within a deadline. It never judges.
 * An EMS that takes longer counts as slow; the call goes on, and its late answer is a reason to ask the gate again.
 */
import type { DeviceClaim, EmsReport, Evidence, PostureQuestion, TokenReport } from '../posture/index.ts';

/** How a device is looked up. */
export type DeviceQuery = { readonly uid: string } | { readonly address: string };

/** A connector as the resolver needs it. */
export type Source<Key> = {
  readonly number: number;
  readonly name: string;
  readonly identity: { readonly serial: string; readonly tenant: string } | undefined;
  look(who: DeviceQuery): EmsReport;
  ask(who: DeviceQuery): Promise<EmsReport>;
  tokenKeys(): readonly Key[];
};

export type Verifier<Key> = {
  verify(
    octets: Uint8Array,
    keyrings: readonly { readonly ems: number; readonly keys: readonly Key[] }[],
    now: number,
  ): Promise<TokenReport>;
};

export type ResolverOptions<Key> = {
  readonly sources: readonly Source<Key>[];
  readonly verifier: Verifier<Key>;
  /** ms that a look-up may take before EMS counts as slow. */
  readonly lookupWait: number;
  readonly unix: () => number;
  /** Runs something once after so many ms; gives the function that takes it back. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** An answer came after its question had been given up. */
  readonly onLate: (device: DeviceClaim) => void;
};

const DEFAULT_TENANT = /^0*$/;

export class Resolver<Key> {
  readonly #o: ResolverOptions<Key>;

  constructor(options: ResolverOptions<Key>) {
    this.#o = options;
  }

  /** Gives the evidence of one question, in `lookupWait` at most. Never rejects. */
  async resolve({ rule, device, named, token, announcedBy }: PostureQuestion): Promise<Evidence> {
    const home = named === undefined ? undefined : this.#home(named);
    const own = home !== undefined && 'ems' in home ? home.ems : undefined;
    const report = token === undefined ? untold(announcedBy) : await this.#verified(token, own);
    const numbers = new Set(rule.tags.map((tag) => tag.ems));
    if (own !== undefined) numbers.add(own);
    const sources = this.#o.sources.filter((s) => numbers.has(s.number));
    const who = queryOf(device);
    if (who === undefined) return { device, home, reports: [], token: report };
    const reports = sources.map((s) => s.look(who));
    if (!reports.some((r) => r.kind === 'silent')) return { device, home, reports, token: report };
    const answers = await this.#answers(sources, who, device);
    // Where there is a word by now it is the last one: nothing may change between what is read and what is judged.
    const last = sources.map((source, i) => {
      const now = source.look(who);
      return now.kind === 'silent' ? (answers[i] ?? now) : now;
    });
    return { device, home, reports: last, token: report };
  }

  /** The EMS that EMSSN and EMSID name. Without a tenant the default site is meant. */
  #home({
    serial,
    tenant = '',
  }: {
    readonly serial: string;
    readonly tenant: string | undefined;
  }): NonNullable<Evidence['home']> {
    const same = (a: string, b: string) =>
      a.toUpperCase() === b.toUpperCase() || (DEFAULT_TENANT.test(a) && DEFAULT_TENANT.test(b));
    const found = this.#o.sources.find(
      ({ identity }) => identity !== undefined && identity.serial === serial && same(identity.tenant, tenant),
    );
    if (found !== undefined) return { ems: found.number };
    return { unknown: `EMSSN ${serial}${tenant === '' ? '' : `, EMSID ${tenant}`}` };
  }

  async #verified(token: Uint8Array, own: number | undefined): Promise<TokenReport> {
    const { sources, verifier, unix } = this.#o;
    // The device's own EMS signs its token; only the token of one that names none may be any EMS'.
    const rings = sources.filter((s) => own === undefined || s.number === own);
    return await verifier.verify(
      token,
      rings.map((s) => ({ ems: s.number, keys: s.tokenKeys() })),
      unix(),
    );
  }

  /** Asks those that are silent; who takes too long is silent for being slow. */
  async #answers(sources: readonly Source<Key>[], who: DeviceQuery, device: DeviceClaim): Promise<readonly EmsReport[]> {
    const { lookupWait, after, onLate } = this.#o;
    let over = false;
    let cancel: () => void = () => undefined;
    const deadline = new Promise<undefined>((resolve) => {
      cancel = after(lookupWait, () => {
        over = true;
        resolve(undefined);
      });
    });
    const reports = await Promise.all(
      sources.map(async (source) => {
        const before = source.look(who);
        if (before.kind !== 'silent') return before;
        const asked = source.ask(who).then((report) => {
          if (over && report.kind !== 'silent') onLate(device);
          return report;
        });
        const answer = await Promise.race([asked, deadline]);
        if (answer !== undefined) return answer;
        const { ems, name, last } = before;
        return { ems, name, kind: 'silent', why: `slow: no answer within ${lookupWait} ms`, last } as const;
      }),
    );
    cancel();
    return reports;
  }
}

const untold = (announcedBy: number | undefined): TokenReport =>
  announcedBy === undefined ? { kind: 'none' } : { kind: 'announced', by: announcedBy };

function queryOf(device: DeviceClaim): DeviceQuery | undefined {
  switch (device.by) {
    case 'uid':
      return { uid: device.uid };
    case 'id-address':
    case 'source-address':
      return { address: device.address };
    case 'nothing':
      return undefined;
  }
}
