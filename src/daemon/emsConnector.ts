/** One configured EMS as it runs: its connector with all that it needs, and what an administrator may do with it. */
import { createHash } from 'node:crypto';
import type { Config, Fctems } from '../config/index.ts';
import { Connector, type EmsAdmin, EmsHttp, emsAdmin, FortiosDriver, NativeDriver, remedies, Store } from '../ems/index.ts';
import type { Journal } from '../log/index.ts';
import { ownCertificate } from './ownCertificate.ts';

export type Running = {
  readonly connector: Connector;
  readonly admin: EmsAdmin;
  /** Equal for what would run alike. */
  readonly identity: string;
  /** Equal for what is the same server: what it has said is still its word. */
  readonly server: string;
};

export type EmsWorld = {
  readonly state: string | undefined;
  readonly journal: Journal;
  readonly unix: () => number;
  readonly onChanged: (uids: readonly string[]) => void;
};

/** Makes the connector, not yet started. Throws EnvironmentRefused when our own certificate can neither be read nor made. */
export async function emsConnector(one: Fctems, config: Config, world: EmsWorld): Promise<Running> {
  const { state, journal, unix, onChanged } = world;
  const client = one.accessKey === undefined ? await clientOf(one, config, world) : undefined;
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
  const admin = emsAdmin(connector, { identify: () => driver.identify(), note });
  return { connector, admin, identity: identityOf(one, config), server: JSON.stringify(serverOf(one)) };
}

const serverOf = ({ key, number, server, port, serialNumber, tenantId, driver }: Fctems) => [
  ...[key, number, server, port, serialNumber, tenantId, driver],
];

/** All that a connector is made of; secrets and certificates by their hash. */
export function identityOf(one: Fctems, { posture }: Config): string {
  const { accessKey, verifyingCa, clientCertificate, line: _, ...plain } = one;
  const hash = (octets: Uint8Array) => createHash('sha256').update(octets).digest('hex');
  const ownName = accessKey === undefined && clientCertificate === undefined ? posture.serialNumber : undefined;
  return JSON.stringify([
    plain,
    ownName,
    accessKey === undefined ? undefined : hash(accessKey.expose()),
    verifyingCa.map(({ der }) => hash(der)),
    clientCertificate?.chain.map(({ der }) => hash(der)), // its key follows from it
  ]);
}

/** Our certificate for this EMS: the configured one, else our own. */
async function clientOf(
  { name, clientCertificate }: Fctems,
  config: Config,
  { state, journal, unix }: EmsWorld,
): Promise<{ readonly certificate: string; readonly key: string }> {
  if (clientCertificate !== undefined) {
    const { chain, key } = clientCertificate;
    return {
      certificate: chain.map(({ der }) => pemOf(der)).join(''),
      key: key.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }
  const own = await ownCertificate(state, config.posture.serialNumber, unix());
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

export function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
