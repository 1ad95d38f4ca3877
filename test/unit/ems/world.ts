/** A connector with its emulated EMS, over real HTTPS on loopback. */
import { issueCertificate } from '../../../crypto/index.ts';
import {
  Connector,
  type ConnectorOptions,
  type ConnectorStatus,
  EmsHttp,
  FortiosDriver,
  NativeDriver,
  Store,
} from '../../../src/ems/index.ts';
import { EmsEmulator, type EmsOptions } from '../../../src/lab/index.ts';

export const UID = 'F8A6AFF3531843B4972CBDBEEEB30E3C';
const now = Math.floor(Date.now() / 1000);
/** RSA keys take long: one certificate for all tests. */
const client = issueCertificate({
  subject: [['CN', 'PSTRN00000000001']],
  ...{ key: 'rsa2048', notBefore: now - 3600, notAfter: now + 36_000, eku: ['clientAuth'] },
});

export type Wish = {
  readonly driver?: 'native' | 'fortios';
  readonly ems?: EmsOptions;
  readonly connector?: Partial<ConnectorOptions>;
  readonly ca?: readonly string[];
  readonly state?: string;
  readonly port?: number;
  readonly host?: string;
  /** Seconds that the connector's clock is ahead. */
  readonly ahead?: () => number;
  readonly timeout?: number;
};

export type World = {
  readonly ems: EmsEmulator;
  readonly connector: Connector;
  readonly states: ConnectorStatus[];
  readonly changes: string[];
  readonly notes: string[];
  /** Until the connector is in this state. */
  is(state: ConnectorStatus['state']): Promise<void>;
  until(done: () => boolean): Promise<void>;
};

/** Runs a test with both, and ends them whatever happens. */
export function withEms(wish: Wish, test: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const ems = await EmsEmulator.start({ autoAuthorize: true, ...wish.ems });
    const [states, changes, notes]: [ConnectorStatus[], string[], string[]] = [[], [], []];
    const { state, ahead = () => 0, timeout = 2000 } = wish;
    const http = new EmsHttp({
      ...{ host: wish.host ?? '127.0.0.1', port: wish.port ?? ems.port, sourceIp: undefined, client, timeout },
      accessKey: wish.ems?.accessKey,
      ca: wish.ca ?? [ems.ca],
      pinned: () => connector.pinned,
    });
    const note = (_level: string, message: string) => void notes.push(message);
    const after = (ms: number, run: () => void) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    };
    const connector: Connector = new Connector(
      {
        ...{ number: 3, key: 'lab', name: 'lab', server: '127.0.0.1', serialNumber: '', tenantId: '', pullTags: true },
        ...{ outOfSync: 180, callTimeout: 2, websocket: true, tokenKeys: [] },
        ...wish.connector,
      },
      {
        driver: wish.driver === 'fortios' ? new FortiosDriver(http) : new NativeDriver(http, after),
        inspect: () => http.inspect(),
        closeConnections: () => http.close(),
        store: new Store(state, 'lab', note),
        note,
        unix: () => Math.floor(Date.now() / 1000) + ahead(),
        instant: () => performance.now(),
        // Pauses and the time until a save: nobody waits in a test. What bounds a question stays.
        after: (ms, run) => after(ms === 2000 ? ms : Math.min(ms, 50), run),
        chance: () => 0,
        onChange: (uids) => void changes.push(...uids),
        onState: (status) => void states.push(status),
      },
    );
    const until = async (done: () => boolean) => {
      for (const end = Date.now() + 4000; !done(); ) {
        if (Date.now() > end) throw new Error(`it never came to that: ${JSON.stringify(connector.status())}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const is = (wanted: ConnectorStatus['state']) => until(() => connector.status().state === wanted);
    try {
      await connector.start();
      await test({ ems, connector, states, changes, notes, is, until });
    } finally {
      await connector.stop();
      await ems.close();
    }
  };
}
