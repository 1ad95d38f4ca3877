/**
 * Everything about posture that is not the decision: a connector for each EMS, the verifier of tokens, the resolver; what they
 * hear goes to the engine as a reason to ask the gate again, what tunnels do goes to EMS.
 */
import type { Config, Fctems } from '../config/index.ts';
import {
  Connector,
  type EmsAdmin,
  EmsHttp,
  emsAdmin,
  FortiosDriver,
  NativeDriver,
  Resolver,
  remedies,
  Store,
  TokenVerifier,
} from '../ems/index.ts';
import type { Event, Journal } from '../log/index.ts';
import type { Evidence, PostureQuestion } from '../posture/index.ts';
import { ownCertificate } from './ownCertificate.ts';

export type PostureOptions = {
  readonly config: Config;
  readonly state: string | undefined;
  readonly journal: Journal;
  readonly unix: () => number;
  /** The gate would see these devices otherwise now. */
  readonly onChanged: (uids: 'all' | readonly string[]) => void;
};

export type Posture = {
  readonly connectors: readonly Connector[];
  /** What an administrator may do with each EMS, by its key. */
  readonly admins: ReadonlyMap<string, EmsAdmin>;
  resolve(question: PostureQuestion): Promise<Evidence>;
  /** Listens to what happens to SAs: EMS is told of tunnels. */
  event(event: Event): void;
  stop(): Promise<void>;
};

/** Starts the configured connectors. Throws EnvironmentRefused when our own certificate can neither be read nor made. */
export async function openPosture(o: PostureOptions): Promise<Posture> {
  const served = o.config.fctems.filter(({ enabled }) => enabled);
  const connectors: Connector[] = [];
  const admins = new Map<string, EmsAdmin>();
  for (const one of served) {
    const { connector, admin } = await connectorOf(one, o);
    connectors.push(connector);
    admins.set(one.key, admin);
  }
  await Promise.all(connectors.map((connector) => connector.start()));
  const resolver = new Resolver({
    sources: connectors,
    verifier: new TokenVerifier(),
    lookupWait: o.config.posture.lookupWait,
    unix: o.unix,
    after,
    onLate: (device) => o.onChanged(device.by === 'uid' ? [device.uid] : []),
  });
  return {
    connectors,
    admins,
    resolve: (question) => resolver.resolve(question),
    event(event) {
      if ((event.kind !== 'established' && event.kind !== 'closed') || event.fctUid === undefined) return;
      const uid = event.fctUid;
      const kind = event.kind === 'established' ? 'up' : 'down';
      const tunnel = { kind, uid, gateway: event.gateway, address: event.assigned ?? '0.0.0.0', vdom: 'root' } as const;
      for (const connector of connectors) if (connector.look({ uid }).kind === 'known') connector.tunnel(tunnel);
    },
    async stop() {
      await Promise.all(connectors.map((connector) => connector.stop()));
    },
  };
}

async function connectorOf(
  one: Fctems,
  { config, state, journal, unix, onChanged }: PostureOptions,
): Promise<{ readonly connector: Connector; readonly admin: EmsAdmin }> {
  const client = one.accessKey === undefined ? await clientOf(one, config, state, journal, unix()) : undefined;
  let connector: Connector | undefined;
  const http = new EmsHttp({
    host: one.server,
    port: one.port,
    sourceIp: one.sourceIp,
    client,
    accessKey: one.accessKey,
    ca: one.verifyingCa.map(({ der }) => pemOf(der)),
    pinned: () => connector?.pinned,
    timeout: one.callTimeout * 1000,
  });
  const where = { ems: one.number, name: one.name };
  const note = (level: 'info' | 'warn' | 'error', message: string, fields?: object) =>
    journal.note(level, message, { ...where, ...fields });
  const driver = one.driver === 'fortios' ? new FortiosDriver(http) : new NativeDriver(http, after);
  connector = new Connector(
    { ...one, server: `${one.server}:${one.port}` },
    {
      driver,
      inspect: () => http.inspect(),
      closeConnections: () => http.close(),
      store: new Store(state, one.key, note),
      note,
      unix,
      instant: () => performance.now(),
      after,
      chance: Math.random,
      onChange: onChanged,
      onState: (status) =>
        journal.event({
          kind: 'ems-state',
          ems: one.number,
          name: one.name,
          server: status.server,
          state: status.state,
          why: status.why,
          fix: remedies[status.state],
        }),
    },
  );
  return { connector, admin: emsAdmin(connector, { identify: () => driver.identify(), note }) };
}

/** Our certificate for this EMS: the configured one, else our own. */
async function clientOf(
  { name, clientCertificate }: Fctems,
  config: Config,
  state: string | undefined,
  journal: Journal,
  unix: number,
): Promise<{ readonly certificate: string; readonly key: string }> {
  if (clientCertificate !== undefined) {
    const { chain, key } = clientCertificate;
    return {
      certificate: chain.map(({ der }) => pemOf(der)).join(''),
      key: key.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }
  const own = await ownCertificate(state, config.posture.serialNumber, unix);
  if (own.fresh) {
    const kept = state === undefined ? '; without --state it is another one at every start' : '';
    journal.note('info', `our client certificate for EMS was made${kept}: an administrator must authorise it`, {
      name,
      serial: own.serial,
    });
  }
  return own;
}

const pemOf = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;

function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
