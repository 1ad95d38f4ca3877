/** A connector whose EMS is a script and whose time is ours: nothing is sent, nobody waits. */
import {
  Connector,
  type ConnectorOptions,
  type ConnectorStatus,
  EmsCallFailed,
  type EndpointRecord,
  Store,
} from '../../../src/ems/index.ts';

type Driver = ConstructorParameters<typeof Connector>[1]['driver'];
type WatchEvent = Parameters<Parameters<NonNullable<Driver['watch']>>[1]>[0];

export const START = 1_800_000_000;

export function device(uid: string, fields: Partial<EndpointRecord> = {}): EndpointRecord {
  return {
    ...{ uid, hostname: '', user: '', addresses: [], macs: [], tenant: '', certSn: '', publicIp: '', version: '' },
    ...{ quarantined: false, online: true, registered: true, onNet: false, tags: [], routes: [], changed: START },
    ...fields,
  };
}

/** What the EMS of the script has, and how it answers; a test changes it as it goes. */
export class ScriptedEms implements Driver {
  readonly name = 'native';
  serial = 'FCTEMS0000000001';
  capabilities: readonly string[] = ['websocket'];
  devices: readonly EndpointRecord[] = [];
  keys: readonly string[] = [];
  seq = 1;
  /** Thrown by every call while it is there. */
  failure: EmsCallFailed | undefined;
  /** Every call waits for this. */
  gate: Promise<void> = Promise.resolve();
  /** Each call: 'hello', 'keys', 'sync' (the whole table), 'since 7', 'watch 7'. */
  readonly calls: string[] = [];
  /** What its WebSocket hears; undefined while none is open. */
  hears: ((what: WatchEvent) => void) | undefined;

  async #call<T>(word: string, answer: () => T): Promise<T> {
    this.calls.push(word);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    return answer();
  }
  async identify() {
    const answer = () => ({ serial: this.serial, tenant: '0'.repeat(32), version: '7.4.4', capabilities: this.capabilities });
    return await this.#call('hello', answer);
  }
  async tokenKeys() {
    return await this.#call('keys', () => this.keys);
  }
  async sync(since: number | undefined) {
    const { seq, devices } = this;
    const answer = () => ({ seq, complete: since === undefined, devices, removed: [] });
    return await this.#call(since === undefined ? 'sync' : `since ${since}`, answer);
  }
  watch(since: number, on: (what: WatchEvent) => void) {
    this.calls.push(`watch ${since}`);
    this.hears = on;
    return {
      close: () => {
        this.hears = undefined;
      },
    };
  }
  /** The WebSocket ends. */
  hangUp(): void {
    const { hears } = this;
    this.hears = undefined;
    hears?.('closed');
  }
  async tunnel() {
    await this.#call('tunnel', () => undefined);
  }
  down(): void {
    this.failure = new EmsCallFailed('unreachable', 'ECONNREFUSED');
  }
}

export type Play = {
  readonly ems: ScriptedEms;
  readonly connector: Connector;
  readonly states: ConnectorStatus[];
  readonly changes: string[];
  readonly notes: string[];
  /** Lets time pass, ms: timers run in their order, and what they cause is done. */
  pass(ms: number): Promise<void>;
};

/** Plays a test; the connector has started and has had the time for its first attempt. */
export function play(
  wish: { readonly connector?: Partial<ConnectorOptions>; readonly state?: string; readonly before?: (ems: ScriptedEms) => void },
  test: (play: Play) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const ems = new ScriptedEms();
    wish.before?.(ems);
    let now = 0;
    const timers = new Set<{ readonly at: number; readonly run: () => void }>();
    const [states, changes, notes]: [ConnectorStatus[], string[], string[]] = [[], [], []];
    const note = (_level: string, message: string) => void notes.push(message);
    const connector = new Connector(
      {
        ...{ number: 3, key: 'lab', name: 'lab', server: 'ems.lab:443', serialNumber: '', tenantId: '', pullTags: true },
        ...{ outOfSync: 180, callTimeout: 30, websocket: true, tokenKeys: [] },
        ...wish.connector,
      },
      {
        driver: ems,
        inspect: () => Promise.reject(new EmsCallFailed('unreachable', 'there is no server')),
        closeConnections: () => undefined,
        store: new Store(wish.state, 'lab', note),
        note,
        unix: () => START + Math.floor(now / 1000),
        instant: () => now,
        after(ms, run) {
          const timer = { at: now + ms, run };
          timers.add(timer);
          return () => timers.delete(timer);
        },
        chance: () => 0.5, // pauses as they are
        onChange: (uids) => void changes.push(...uids),
        onState: (status) => void states.push(status),
      },
    );
    const settle = async () => {
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    const pass = async (ms: number) => {
      const end = now + ms;
      for (await settle(); ; await settle()) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.run();
      }
      now = end;
    };
    try {
      await connector.start();
      await pass(0);
      await test({ ems, connector, states, changes, notes, pass });
    } finally {
      await connector.stop();
    }
  };
}
