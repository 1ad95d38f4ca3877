/** A connector and an emulated EMS over real HTTPS: every state, every fault, changes, restarts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../crypto/secret.ts';
import type { EmsState } from '../../../src/ems/index.ts';
import { type EmsFault, makeEmsCertificates } from '../../../src/lab/index.ts';
import { UID, withEms } from './world.ts';

const other = makeEmsCertificates({ serial: 'FCTEMS2', names: ['127.0.0.1'], now: Math.floor(Date.now() / 1000) });
const uidOf = (n: number) => n.toString(16).toUpperCase().padStart(32, '0');

describe('a connector', () => {
  it(
    'knows devices, their tags and the keys of their tokens once it is connected',
    withEms({}, async ({ ems, connector, is }) => {
      ems.addEndpoint(UID, { addresses: ['10.9.8.7', '2001:DB8::1'], tags: ['a', { name: 'Low', type: 'classification' }] });
      await is('Connected');
      expect(connector.look({ uid: UID })).toMatchObject({
        kind: 'known',
        ems: 3,
        record: { registered: true, quarantined: false, addresses: ['10.9.8.7', '2001:db8::1'] },
      });
      expect(connector.tags().get('EMS3_ZTNA_a')).toEqual(['10.9.8.7', '2001:db8::1']);
      expect(connector.look({ address: '2001:db8:0::1' }).kind).toBe('known');
      expect(connector.look({ uid: uidOf(1) }).kind).toBe('unknown');
      expect(connector.tokenKeys()).toHaveLength(1);
      expect(connector.identity).toMatchObject({ serial: ems.serial, tenant: ems.tenant });
    }),
  );

  it(
    'says that an address of two devices is nobody’s',
    withEms({}, async ({ ems, connector, is }) => {
      for (const n of [1, 2]) ems.addEndpoint(uidOf(n), { addresses: ['10.0.0.1'] });
      await is('Connected');
      expect(connector.look({ address: '10.0.0.1' })).toMatchObject({ kind: 'ambiguous', count: 2 });
      ems.removeEndpoint(uidOf(2));
    }),
  );

  it(
    'hears of changes at once, and only of those that the gate would see',
    withEms({}, async ({ ems, connector, changes, is, until }) => {
      ems.addEndpoint(UID, { tags: ['a'] });
      await is('Connected');
      changes.length = 0;
      ems.setEndpoint(UID, { hostname: 'renamed' });
      ems.setTags(UID, []);
      await until(() => changes.length > 0);
      expect(changes).toEqual([UID]);
      expect(connector.look({ uid: UID })).toMatchObject({ record: { tags: [] } });
      ems.removeEndpoint(UID);
      await until(() => connector.look({ uid: UID }).kind === 'unknown');
    }),
  );

  it(
    'takes a table of many pages, and changes beyond what the log holds',
    withEms({ ems: { limits: { log: 10 } } }, async ({ ems, connector, is, until }) => {
      for (let n = 0; n < 2500; n++) ems.addEndpoint(uidOf(n));
      await is('Connected');
      await until(() => connector.status().devices === 2500);
      for (let n = 0; n < 500; n++) ems.setTags(uidOf(n), ['late']);
      await until(() => connector.tags().size > 0 && JSON.stringify(connector.look({ uid: uidOf(499) })).includes('late'));
    }),
  );

  it(
    'polls where there is no WebSocket',
    withEms({ connector: { websocket: false } }, async ({ ems, connector, is, until }) => {
      await is('Connected');
      ems.addEndpoint(UID, { tags: ['a'] });
      await until(() => connector.look({ uid: UID }).kind === 'known');
      expect(connector.status().websocket).toBe(false);
    }),
  );

  it(
    'speaks to a cloud by its access key',
    withEms({ ems: { accessKey: Secret.utf8('a-key-of-sixteen-and-more') } }, async ({ is }) => await is('Connected')),
  );

  it(
    'tells EMS of tunnels, also of those from before it was there',
    withEms({ ems: { autoAuthorize: false } }, async ({ ems, connector, is, until }) => {
      await is('Auth failed');
      connector.tunnel({ kind: 'up', uid: UID, gateway: 'ra_0', address: '10.1.1.1', vdom: 'root' });
      ems.authorize('PSTRN00000000001');
      connector.retry();
      await until(() => ems.tunnels().length > 0);
      expect(ems.tunnels()).toMatchObject([{ event: 'up', uid: UID, gateway: 'ra_0', by: 'PSTRN00000000001' }]);
    }),
  );
});

describe('the states', () => {
  it(
    'Auth failed until the administrator authorises this gateway',
    withEms({ ems: { autoAuthorize: false } }, async ({ ems, connector, is, states }) => {
      await is('Auth failed');
      ems.authorize('PSTRN00000000001');
      connector.retry();
      await is('Connected');
      expect(states.map(({ state }) => state)).toEqual(['Auth failed', 'Connected']);
      ems.deny('PSTRN00000000001');
      await is('Auth failed');
    }),
  );
  it(
    'Not reachable where nobody listens',
    withEms({ port: 1 }, async ({ is }) => await is('Not reachable')),
  );
  it(
    'Not sent where the name means nothing',
    withEms({ host: 'no-such-host.invalid' }, async ({ is }) => await is('Not sent')),
  );
  it(
    'EMS server connection failed when it is another one than is configured',
    withEms({ connector: { serialNumber: 'FCTEMS9999999999' } }, async ({ connector, is }) => {
      await is('EMS server connection failed');
      expect(connector.status().why).toContain('mismatched-ems-sn');
    }),
  );
  it(
    'Cert unauthorized, until a person accepts the certificate; then this one and no other',
    withEms({ ca: [other.ca.certificate] }, async ({ ems, connector, is }) => {
      await is('Cert unauthorized');
      const shown = await connector.inspect();
      expect(shown.trusted).toBe('no');
      await connector.trust(shown.sha256);
      await is('Connected');
      expect((await connector.inspect()).trusted).toBe('pinned');
      await ems.fault({ name: 'certificate', kind: 'changed-key' });
      connector.retry();
      await is('Cert unauthorized');
      expect((await connector.inspect()).trusted).toBe('changed');
      await ems.clearFault();
      expect(await connector.untrust()).toBe(true);
      expect((await connector.inspect()).trusted).toBe('no');
    }),
  );
});

describe('an EMS with a fault', () => {
  it.each<readonly [string, EmsFault, EmsState]>([
    ['down', { name: 'down' }, 'Not reachable'],
    ['500', { name: 'status', status: 500 }, 'EMS server connection failed'],
    ['401', { name: 'status', status: 401 }, 'Auth failed'],
    ['no JSON', { name: 'garbage', kind: 'json' }, 'No compatible'],
    ['wrong types', { name: 'garbage', kind: 'types' }, 'No compatible'],
    ['one bad record', { name: 'garbage', kind: 'records' }, 'No compatible'],
    ['answers that end in the middle', { name: 'garbage', kind: 'truncated' }, 'Not reachable'],
    ['another authority', { name: 'certificate', kind: 'wrong-ca' }, 'Cert unauthorized'],
  ])('%s: its last word stands until it is stale, and it is found again', async (_, fault, state) => {
    let late = 0;
    await withEms({ ahead: () => late }, async ({ ems, connector, is, until }) => {
      ems.addEndpoint(UID, { tags: ['a'] });
      await is('Connected');
      await ems.fault(fault);
      ems.setTags(UID, ['b']);
      connector.retry();
      await is(state);
      expect(connector.look({ uid: UID })).toMatchObject({ kind: 'known', record: { tags: [{ name: 'a' }] } });
      late = 1000;
      expect(connector.look({ uid: UID })).toMatchObject({ kind: 'silent', last: { record: { tags: [{ name: 'a' }] } } });
      late = 0;
      await ems.clearFault();
      connector.retry();
      await is('Connected');
      await until(() => JSON.stringify(connector.look({ uid: UID })).includes('"b"'));
    })();
  });

  it('a thousand who ask cause one call', async () => {
    let late = 0;
    await withEms({ ahead: () => late }, async ({ ems, connector, is }) => {
      ems.addEndpoint(UID);
      await is('Connected');
      late = 1000;
      const calls = () => [...ems.counters.paths.values()].reduce((sum, n) => sum + n, 0);
      const asked = calls();
      const reports = await Promise.all(Array.from({ length: 1000 }, () => connector.ask({ uid: UID })));
      expect(reports.every((r) => r.kind === 'known')).toBe(true);
      expect(calls() - asked).toBeLessThan(5);
    })();
  });
});

describe('after a restart', () => {
  it('what EMS said is there, as old as it is; the accepted certificate and the token keys too', async () => {
    const state = await mkdtemp(join(tmpdir(), 'postern-ems-'));
    try {
      let uid = '';
      await withEms({ state }, async ({ ems, is, connector }) => {
        ems.addEndpoint(UID, { tags: ['a'] });
        await is('Connected');
        await connector.trust((await connector.inspect()).sha256);
        uid = UID;
      })();
      await withEms({ state, port: 1, ahead: () => 1000 }, async ({ connector, is }) => {
        await is('Not reachable');
        expect(connector.look({ uid })).toMatchObject({ kind: 'silent', last: { record: { tags: [{ name: 'a' }] } } });
        expect(connector.pinned).toMatch(/^[0-9A-F]{64}$/);
        expect(connector.tokenKeys()).toHaveLength(1);
      })();
    } finally {
      await rm(state, { recursive: true });
    }
  });
});
