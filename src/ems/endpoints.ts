/** The devices of one EMS as it last told them: by UID and by address, with what the gate looks at. */
import { type DeviceRecord, type EmsReport, type PostureTag, parsePostureTag, type UnixTime } from '../posture/index.ts';
import type { EndpointRecord, EndpointTag, Sync } from './driver.ts';
import { plainAddress } from './fields.ts';
import type { DeviceQuery } from './resolver.ts';

type Known = { readonly endpoint: EndpointRecord; readonly record: DeviceRecord };
type Found =
  | { readonly kind: 'one'; readonly record: DeviceRecord }
  | { readonly kind: 'none' }
  | { readonly kind: 'many'; readonly count: number };

export class Endpoints {
  readonly #ems: number;
  readonly #byUid = new Map<string, Known>();
  readonly #byAddress = new Map<string, Set<string>>();

  /** @param ems the n of `EMSn_ZTNA_name` */
  constructor(ems: number) {
    this.#ems = ems;
  }

  get size(): number {
    return this.#byUid.size;
  }

  all(): readonly EndpointRecord[] {
    return [...this.#byUid.values()].map(({ endpoint }) => endpoint);
  }

  /** Takes what EMS told; gives the UIDs of devices that the gate would now see otherwise. */
  apply({ complete, devices, removed }: Sync): readonly string[] {
    const changed: string[] = [];
    const told = new Set(devices.map(({ uid }) => uid));
    const gone = complete
      ? [...this.#byUid.keys()].filter((uid) => !told.has(uid))
      : removed.filter((uid) => this.#byUid.has(uid));
    for (const uid of gone) {
      this.#forget(uid);
      changed.push(uid);
    }
    for (const endpoint of devices) {
      const was = this.#byUid.get(endpoint.uid);
      const record = this.#recordOf(endpoint);
      if (was === undefined || !same(was.record, record)) changed.push(endpoint.uid);
      this.#forget(endpoint.uid);
      this.#byUid.set(endpoint.uid, { endpoint, record });
      for (const address of endpoint.addresses) {
        const there = this.#byAddress.get(address);
        if (there === undefined) this.#byAddress.set(address, new Set([endpoint.uid]));
        else there.add(endpoint.uid);
      }
    }
    return changed;
  }

  find(who: DeviceQuery): Found {
    if ('uid' in who) {
      const known = this.#byUid.get(who.uid);
      return known === undefined ? { kind: 'none' } : { kind: 'one', record: known.record };
    }
    const uids = this.#byAddress.get(plainAddress(who.address));
    if (uids === undefined || uids.size === 0) return { kind: 'none' };
    const [uid = ''] = uids;
    const known = this.#byUid.get(uid);
    if (uids.size > 1 || known === undefined) return { kind: 'many', count: uids.size };
    return { kind: 'one', record: known.record };
  }

  /** The tags that devices hold, with the devices' addresses: `diagnose firewall dynamic list`. */
  tags(): ReadonlyMap<string, readonly string[]> {
    const found = new Map<string, string[]>();
    for (const { record } of this.#byUid.values())
      for (const { ems, type, name } of record.tags) {
        const key = `EMS${ems}_${type}_${name}`;
        const addresses = found.get(key);
        if (addresses === undefined) found.set(key, [...record.addresses]);
        else addresses.push(...record.addresses);
      }
    return found;
  }

  #forget(uid: string): void {
    const was = this.#byUid.get(uid);
    if (was === undefined) return;
    this.#byUid.delete(uid);
    for (const address of was.endpoint.addresses) {
      const there = this.#byAddress.get(address);
      there?.delete(uid);
      if (there?.size === 0) this.#byAddress.delete(address);
    }
  }

  #recordOf({ uid, registered, quarantined, tags, addresses, certSn, changed }: EndpointRecord): DeviceRecord {
    return { uid, registered, quarantined, addresses, certSn, changed, tags: tags.flatMap((tag) => tagOf(this.#ems, tag) ?? []) };
  }
}

const PREFIX: { readonly [T in EndpointTag['type']]?: PostureTag['type'] } = { zero_trust: 'ZTNA', classification: 'CLASS' };

/** Only what `remote-gw-ztna-tags` could name counts before the gate. */
function tagOf(ems: number, { name, type }: EndpointTag): PostureTag | undefined {
  const prefix = PREFIX[type];
  return prefix === undefined ? undefined : parsePostureTag(`EMS${ems}_${prefix}_${name}`);
}

function same(a: DeviceRecord, b: DeviceRecord): boolean {
  const tags = (r: DeviceRecord) => r.tags.map(({ type, name }) => `${type} ${name}`).join('\n');
  return (
    a.registered === b.registered &&
    a.quarantined === b.quarantined &&
    a.certSn === b.certSn &&
    a.addresses.join() === b.addresses.join() &&
    tags(a) === tags(b)
  );
}

/** What was found, as a report: EMS' word while it is fresh, else silence with what it last said. */
export function reportOf(
  { ems, name }: { readonly ems: number; readonly name: string },
  found: Found,
  { asOf, until, now, why }: { readonly asOf: UnixTime; readonly until: UnixTime; readonly now: UnixTime; readonly why: string },
): EmsReport {
  if (until <= now)
    return { ems, name, kind: 'silent', why, last: found.kind === 'one' ? { record: found.record, asOf } : undefined };
  switch (found.kind) {
    case 'one':
      return { ems, name, kind: 'known', record: found.record, asOf, until };
    case 'none':
      return { ems, name, kind: 'unknown', asOf, until };
    case 'many':
      return { ems, name, kind: 'ambiguous', count: found.count, asOf, until };
  }
}
