/**
 * An EMS for the lab and for tests: devices and their posture, gateways to authorise, tokens, and every way to be a bad EMS.
 * It speaks docs/ems-api.md. Any number of them can live in one process.
 */
import type { Secret } from '../../../crypto/index.ts';
import { type EmsCertificates, makeEmsCertificates, namesOf, shown } from './certificates.ts';
import { type EmsFault, type Faults, listOf, withFault, withoutFault } from './faults.ts';
import { FaultyPort } from './faultyPort.ts';
import { FrontDoor } from './frontDoor.ts';
import { type EmsGateway, type GatewayChange, Gateways } from './gateways.ts';
import { Listener } from './listener.ts';
import { Push } from './push.ts';
import {
  blankEndpoint,
  changeEndpoint,
  DEFAULT_TENANT,
  type EmsEndpoint,
  type EmsEndpointFields,
  EmsRefused,
  type EmsTag,
  isSerial,
  isTenant,
  sameEndpoint,
} from './record.ts';
import { EndpointTable, everything, type TableView, Walks } from './table.ts';
import { type SavedTokenKey, TokenIssuer, type TokenWish } from './token.ts';
import type { EmsTunnel } from './world.ts';

export type EmsOptions = {
  /** 127.0.0.1 without it. */
  readonly address?: string;
  /** 0, and without it: the system chooses. */
  readonly port?: number;
  readonly serial?: string;
  /** 32 hexadecimal digits; zeros without it. */
  readonly tenant?: string;
  readonly version?: string;
  /** Without them an authority and a certificate are made. */
  readonly certificates?: EmsCertificates;
  /** Names for a certificate that is made, besides the address. */
  readonly names?: readonly string[];
  /** An authority between the CA and the server, in a certificate that is made. */
  readonly intermediate?: boolean;
  /** EMS in the cloud: clients are known by this key, not by certificates. */
  readonly accessKey?: Secret;
  /** Silent approval: the first certificate of every CN is let in. */
  readonly autoAuthorize?: boolean;
  /** Seconds that a token lives; 3600 without it. */
  readonly tokenLifetime?: number;
  /** ms between pings of a WebSocket; 10,000 without it. */
  readonly pingEvery?: number;
  readonly limits?: Partial<EmsLimits>;
  /** ms since 1970. */
  readonly now?: () => number;
  /** What an earlier life kept. */
  readonly saved?: EmsSaved;
  /** Something that `save` gives is different now. */
  readonly onChange?: () => void;
  /** For people: a gateway asks, a port could not be opened again. */
  readonly onNote?: (note: string) => void;
};
export type EmsLimits = {
  readonly endpoints: number;
  /** Devices whose last change is remembered. */
  readonly log: number;
  readonly connections: number;
  readonly tunnels: number;
};
/** Everything that outlives the process; it holds private keys. */
export type EmsSaved = {
  readonly serial: string;
  readonly tenant: string;
  readonly seq: number;
  readonly certificates: EmsCertificates;
  readonly tokenKeys: readonly SavedTokenKey[];
  readonly endpoints: readonly EmsEndpoint[];
  readonly gateways: readonly EmsGateway[];
};
/** A tunnel event as it was told: by whom, and when (seconds since 1970). */
export type EmsTunnelSeen = EmsTunnel & { readonly by: string; readonly at: number };
/** `paths`: answers by path and status, `/postern/v1/hello 200`; UIDs in paths stand as UID, 0 for no answer. */
export type EmsCounters = {
  readonly connections: number;
  readonly webSockets: number;
  readonly paths: ReadonlyMap<string, number>;
};

const LIMITS: EmsLimits = { endpoints: 50_000, log: 10_000, connections: 64, tunnels: 1000 };

export class EmsEmulator {
  readonly serial: string;
  readonly tenant: string;
  readonly address: string;
  /** PEM of the CA that a gateway has to trust. */
  readonly ca: string;
  readonly #o: EmsOptions;
  readonly #limits: EmsLimits;
  readonly #now: () => number;
  readonly #certificates: EmsCertificates;
  readonly #table: EndpointTable;
  readonly #gateways: Gateways;
  readonly #tokens: TokenIssuer;
  readonly #walks: Walks;
  readonly #push: Push;
  readonly #door: FrontDoor;
  readonly #port: FaultyPort;
  readonly #tunnels: EmsTunnelSeen[] = [];
  readonly #paths = new Map<string, number>();
  #faults: Faults = {};
  #frozen: { readonly view: TableView; readonly keys: readonly string[] } | undefined;

  private constructor(o: EmsOptions, tokens: TokenIssuer) {
    const { saved } = o;
    this.#o = o;
    this.#limits = { ...LIMITS, ...o.limits };
    this.#now = o.now ?? Date.now;
    this.serial = o.serial ?? saved?.serial ?? 'FCTEMS0000000001';
    this.tenant = (o.tenant ?? saved?.tenant ?? DEFAULT_TENANT).toUpperCase();
    this.address = o.address ?? '127.0.0.1';
    if (!isSerial(this.serial)) throw new EmsRefused('bad-request', 'a serial number is 1 to 64 letters, digits, dots, lines');
    const key = o.accessKey === undefined ? undefined : new TextDecoder().decode(o.accessKey.expose());
    if (key !== undefined && !/^[\x21-\x7e]{16,512}$/.test(key))
      throw new EmsRefused('bad-request', 'an access key is 16 to 512 printable ASCII characters without a space');
    if (!isTenant(this.tenant)) throw new EmsRefused('bad-request', 'a tenant is 32 hexadecimal digits');
    this.#certificates = o.certificates ?? saved?.certificates ?? makeEmsCertificates(this.#wish());
    this.ca = this.#certificates.ca.certificate;
    // The time of day: larger than all that an earlier life gave out, even where that could not save its last changes.
    this.#table = new EndpointTable(Math.max(Math.floor(this.#now()), (saved?.seq ?? 0) + 1), this.#limits);
    this.#table.load(saved?.endpoints ?? []);
    this.#gateways = new Gateways(o.autoAuthorize === true, (change) => this.#gatewayChanged(change));
    this.#gateways.load(saved?.gateways ?? []);
    this.#tokens = tokens;
    this.#walks = new Walks(this.#now);
    const garbage = () => this.#faults.garbage?.kind;
    this.#push = new Push({
      pingEvery: o.pingEvery ?? 10_000,
      view: () => this.#view(),
      silent: () => this.#faults.stale !== undefined,
      garbage,
      now: this.#now,
    });
    this.#door = new FrontDoor({
      world: {
        serial: this.serial,
        tenant: this.tenant,
        version: o.version ?? '7.4.4',
        silentApproval: o.autoAuthorize === true,
        capabilities: () => CAPABILITIES.filter((c) => c !== 'websocket' || this.#faults['no-websocket'] === undefined),
        view: () => this.#view(),
        walks: this.#walks,
        tokenKeys: () => this.#frozen?.keys ?? this.#tokens.publicKeys(),
        tunnel: (event, by) => this.#tunnel(event, by),
      },
      faults: () => this.#faults,
      accessKey: o.accessKey,
      judge: (cn, fingerprint) => this.#gateways.judge(cn, fingerprint),
      now: this.#now,
      accept: (...upgrade) => this.#push.accept(...upgrade),
      count: (path, status) => this.#count(path, status),
      onFault: (error) => this.#note(`a fault: ${error instanceof Error ? error.stack : String(error)}`),
    });
    const listener = new Listener({
      address: this.address,
      port: o.port ?? 0,
      shown: shown(this.#certificates),
      askCertificate: o.accessKey === undefined,
      connections: this.#limits.connections,
      onRequest: (request, response) => this.#door.request(request, response),
      onUpgrade: (request, stream, head) => this.#door.upgrade(request, stream, head),
    });
    this.#port = new FaultyPort(listener, this.#certificates, () => this.#wish(), this.#note);
  }

  /**
   * Starts one; when this settles, it listens.
   *
   * @throws EmsRefused for options that are none; the system's error when the port cannot be opened
   */
  static async start(o: EmsOptions = {}): Promise<EmsEmulator> {
    const now = o.now ?? Date.now;
    const tokens = await TokenIssuer.open(o.saved?.tokenKeys ?? [], o.tokenLifetime ?? 3600, () => Math.floor(now() / 1000));
    const ems = new EmsEmulator(o, tokens);
    await ems.#port.follow({});
    return ems;
  }

  get port(): number {
    return this.#port.number;
  }

  /** `https://127.0.0.1:8013` */
  get url(): string {
    const host = this.address.includes(':') ? `[${this.address}]` : this.address;
    return `https://${host}:${this.port}`;
  }

  /** Of the last change. */
  get seq(): number {
    return this.#table.seq;
  }

  get counters(): EmsCounters {
    return { connections: this.#port.connections, webSockets: this.#push.size, paths: this.#paths };
  }

  /** @throws EmsRefused when it is there already, a value is outside its limits, or it is one too many */
  addEndpoint(uid: string, fields: EmsEndpointFields = {}): EmsEndpoint {
    if (this.#table.get(uid) !== undefined) throw new EmsRefused('bad-request', `the endpoint ${uid} is there already`);
    return this.#put(changeEndpoint(blankEndpoint(uid, this.tenant), fields, this.#seconds()));
  }

  /** Changes members of a record. @throws EmsRefused as `addEndpoint`, or when there is no such device */
  setEndpoint(uid: string, fields: EmsEndpointFields): EmsEndpoint {
    const before = this.#known(uid);
    const after = changeEndpoint(before, fields, this.#seconds());
    return sameEndpoint(before, after) ? before : this.#put(after);
  }

  /** Replaces the tags; a text is a zero-trust tag. @throws EmsRefused as `setEndpoint` */
  setTags(uid: string, tags: readonly (string | EmsTag)[]): EmsEndpoint {
    return this.setEndpoint(uid, { tags });
  }

  /** @throws EmsRefused when there is no such device */
  removeEndpoint(uid: string): void {
    this.#known(uid);
    this.#table.delete(uid);
    this.#changed();
  }

  endpoint(uid: string): EmsEndpoint | undefined {
    return this.#table.get(uid);
  }

  /** By UID. */
  endpoints(): readonly EmsEndpoint[] {
    return everything(this.#table.live()).flatMap(({ record }) => record ?? []);
  }

  /**
   * Signs the token of a device, as it stands now.
   *
   * @throws EmsRefused when there is no such device
   */
  async issueToken(uid: string, wish: TokenWish = {}): Promise<string> {
    const token = await this.#tokens.issue(this.#known(uid), wish);
    this.#o.onChange?.(); // until when the key is needed
    return token;
  }

  /** Public keys, PEM, the one in use first. */
  tokenKeys(): readonly string[] {
    return this.#tokens.publicKeys();
  }

  /** A new key signs tokens from now on, and gateways are told. */
  async rotateTokenKey(): Promise<void> {
    await this.#tokens.rotate();
    this.#o.onChange?.();
    this.#push.keys();
  }

  gateways(): readonly EmsGateway[] {
    return this.#gateways.list();
  }

  /**
   * Lets a gateway in: the certificate with this SHA-256 fingerprint, or the one that asks, or the first that will come.
   *
   * @throws EmsRefused when the CN or the fingerprint is none
   */
  authorize(cn: string, fingerprint?: string): EmsGateway {
    return this.#gateways.authorize(cn, fingerprint);
  }

  deny(cn: string): EmsGateway {
    return this.#gateways.deny(cn);
  }

  /** @throws EmsRefused when it is not known */
  forget(cn: string): void {
    if (!this.#gateways.forget(cn)) throw new EmsRefused('not-found', `there is no gateway '${cn}'`);
  }

  /** What gateways told of tunnels, the eldest first. */
  tunnels(): readonly EmsTunnelSeen[] {
    return [...this.#tunnels];
  }

  faults(): readonly EmsFault[] {
    return listOf(this.#faults);
  }

  /** Makes something go wrong; a fault of the same name is replaced. Settles when it is so. */
  fault(fault: EmsFault): Promise<void> {
    return this.#setFaults(withFault(this.#faults, fault));
  }

  /** Ends one fault, or all. Settles when it is so; rejects when the port could not be opened again. */
  clearFault(name?: EmsFault['name']): Promise<void> {
    return this.#setFaults(withoutFault(this.#faults, name));
  }

  /** What is to be kept; it holds private keys. */
  save(): EmsSaved {
    return {
      serial: this.serial,
      tenant: this.tenant,
      seq: this.seq,
      certificates: this.#certificates,
      tokenKeys: this.#tokens.saved(),
      endpoints: this.endpoints(),
      gateways: this.gateways(),
    };
  }

  /** Closes the port and every connection. Twice is harmless. */
  async close(): Promise<void> {
    this.#push.close(1001, 'the server stops');
    await this.#port.close();
  }

  #put(record: EmsEndpoint): EmsEndpoint {
    this.#table.put(record);
    this.#changed();
    return record;
  }

  #changed(): void {
    this.#push.changed();
    this.#o.onChange?.();
  }

  #known(uid: string): EmsEndpoint {
    const record = this.#table.get(uid);
    if (record === undefined) throw new EmsRefused('not-found', `there is no endpoint '${uid}'`);
    return record;
  }

  readonly #note = (note: string): void => this.#o.onNote?.(note);

  #view(): TableView {
    return this.#frozen?.view ?? this.#table.live();
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000);
  }

  #wish() {
    const names = [...new Set([...namesOf(this.address), ...(this.#o.names ?? [])])];
    const now = this.#seconds();
    return { serial: this.serial, names, now, intermediate: this.#o.intermediate === true };
  }

  #tunnel(event: EmsTunnel, by: string): void {
    this.#tunnels.push({ ...event, by, at: this.#seconds() });
    if (this.#tunnels.length > this.#limits.tunnels) this.#tunnels.shift();
  }

  #gatewayChanged({ cn, what }: GatewayChange): void {
    this.#o.onChange?.();
    if (what === 'denied') this.#push.close(4403, 'denied', cn);
    if (what === 'withdrawn') this.#push.close(4401, 'authorisation withdrawn', cn);
    if (what === 'asks') this.#note(`gateway ${cn} asks to be authorised`);
  }

  /** Paths that exist are few; all others count as one. */
  #count(path: string, status: number): void {
    const name = path.replace(/^(\/postern\/v1\/devices)\/[^/]+$/, '$1/UID');
    const key = `${COUNTED.has(name) ? name : 'other'} ${status}`;
    this.#paths.set(key, (this.#paths.get(key) ?? 0) + 1);
  }

  async #setFaults(faults: Faults): Promise<void> {
    const before = this.#faults;
    this.#faults = faults;
    if (faults.stale?.kind !== 'frozen') this.#frozen = undefined;
    else this.#frozen ??= { view: this.#table.frozen(), keys: this.#tokens.publicKeys() };
    if (before.stale?.kind === 'mute' && faults.stale?.kind !== 'mute') this.#door.release();
    if (before.stale !== undefined && faults.stale === undefined) this.#push.resume();
    if (faults['no-websocket'] !== undefined) this.#push.close(1001, 'no more');
    await this.#port.follow(faults);
  }
}

const CAPABILITIES = ['websocket', 'sysinfo', 'tags', 'token-keys', 'tunnel-events'] as const;
const COUNTED: ReadonlySet<string> = new Set([
  ...['hello', 'token-keys', 'devices', 'devices/UID', 'changes', 'tunnels'].map((name) => `/postern/v1/${name}`),
  ...['system/serial_number', 'report/fct/tags', 'report/fct/uid_tags', 'report/fct/sysinfo'].map((name) => `/api/v1/${name}`),
]);
