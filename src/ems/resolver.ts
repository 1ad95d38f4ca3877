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
    const numbers = new Set(rule.tags.map((tag) => tag.ems));
    if (own !== undefined) numbers.add(own);
    const sources = this.#o.sources.filter((s) => numbers.has(s.number));
    const deadline = this.#deadline();
    // At once: neither waits for the other, and there is one time for both.
    const [report, reports] = await Promise.all([
      token === undefined ? untold(announcedBy) : this.#verified(token, own, deadline),
      this.#reports(sources, device, deadline),
    ]);
    deadline.cancel();
    return { device, home, reports, token: report };
  }

  async #reports(sources: readonly Source<Key>[], device: DeviceClaim, deadline: Deadline): Promise<readonly EmsReport[]> {
    const who = queryOf(device);
    if (who === undefined) return [];
    const reports = sources.map((s) => s.look(who));
    const answers = reports.some((r) => r.kind === 'silent') ? await this.#answers(sources, who, device, deadline) : reports;
    // Where there is a word by now it is the last one: nothing may change between what is read and what is judged.
    return sources.map((source, i) => {
      const now = source.look(who);
      return now.kind === 'silent' ? (answers[i] ?? now) : now;
    });
  }

  #deadline(): Deadline {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    let over = false;
    const cancel = this.#o.after(this.#o.lookupWait, () => {
      over = true;
      resolve(undefined);
    });
    return { isOver: () => over, passed: promise, cancel };
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

  async #verified(token: Uint8Array, own: number | undefined, deadline: Deadline): Promise<TokenReport> {
    const { sources, verifier, unix, lookupWait } = this.#o;
    // The device's own EMS signs its token; only the token of one that names none may be any EMS'.
    const rings = sources.filter((s) => own === undefined || s.number === own);
    const verified = verifier.verify(
      token,
      rings.map((s) => ({ ems: s.number, keys: s.tokenKeys() })),
      unix(),
    );
    const report = await Promise.race([verified, deadline.passed]);
    return report ?? { kind: 'bad', why: `its verification took more than ${lookupWait} ms` };
  }

  /** Asks those that are silent; who takes too long is silent for being slow. */
  async #answers(
    sources: readonly Source<Key>[],
    who: DeviceQuery,
    device: DeviceClaim,
    deadline: Deadline,
  ): Promise<readonly EmsReport[]> {
    const { lookupWait, onLate } = this.#o;
    return await Promise.all(
      sources.map(async (source) => {
        const before = source.look(who);
        if (before.kind !== 'silent') return before;
        const asked = source.ask(who).then((report) => {
          if (deadline.isOver() && report.kind !== 'silent') onLate(device);
          return report;
        });
        const answer = await Promise.race([asked, deadline.passed]);
        if (answer !== undefined) return answer;
        const { ems, name, last } = before;
        return { ems, name, kind: 'silent', why: `slow: no answer within ${lookupWait} ms`, last } as const;
      }),
    );
  }
}

/** The one moment by which everything about a question must be known. */
type Deadline = { readonly isOver: () => boolean; readonly passed: Promise<undefined>; readonly cancel: () => void };

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
