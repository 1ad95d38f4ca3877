/**
 * "sent tunnel-up message to EMS" and its counterpart: of every tunnel of a client whose UID is known each is said once, the one
 * after the other, whoever ends it and however. FortiOS says them where no EMS is told, too.
 */
import { describe, expect, it } from 'vitest';
import { fortiClientConnect, type LabClient } from '../../src/lab/index.ts';
import { answering, known, NOW, none, says, silent, UID } from '../support/posture.ts';
import { asUser, type Scene, story, type Wish } from './support/scene.ts';

const OTHER = 'A'.repeat(32);
const as = (uid: string, more: Wish = {}): Wish => ({
  auth: asUser('alice'),
  claims: fortiClientConnect({ uid, ip: '10.9.8.7', user: 'alice' }),
  ...more,
});
const line = (way: 'up' | 'down', { uid = UID, intf = 'ra_0', addr = '10.10.1.1' } = {}) =>
  `sent tunnel-${way} message to EMS: (fct-uid=${uid}, intf=${intf}, addr=${addr}, vdom=root)`;
const told = (s: Scene) => s.gateway.said.filter((said) => /tunnel-(up|down)/.test(said));
const inOrder = (s: Scene, ...lines: readonly string[]) => s.gateway.said.filter((said) => lines.includes(said));
type Words = Readonly<Record<string, string>>;
const eap = (phase1: Words = {}, phase2: Words = {}) => ({ profiles: [{ shape: 'psk-eap', phase1, phase2 }] }) as const;

async function bye(s: Scene, client: LabClient): Promise<void> {
  client.deleteIke(s.now);
  await s.settle();
}

async function silence(s: Scene, client: LabClient): Promise<void> {
  s.net.filter = (d) => d.from.address !== '198.51.100.1' && d.to.address !== '198.51.100.1';
  s.forgive(client);
  await s.run({ ms: 300_000 });
}

describe('a tunnel is told as up, and as down when', () => {
  it.each<[string, Words, (s: Scene, client: LabClient) => Promise<unknown>]>([
    ['the client disconnects', {}, bye],
    ['the client is dead', { dpd: 'on-idle' }, silence],
    ['its rekey is not answered', { keylife: '120' }, silence],
    ['it is too old and the client silent', { keylife: '120', rekey: 'disable' }, silence],
    [
      'an operator ends it',
      {},
      (s) => {
        s.gateway.command({ do: 'delete', name: 'ra_0', why: 'by hand' });
        return s.settle();
      },
    ],
    [
      'an operator ends it and the client does not hear of it',
      {},
      (s, client) => {
        s.gateway.command({ do: 'delete', name: 'ra_0', why: 'by hand' });
        return silence(s, client);
      },
    ],
    [
      'the gateway ends',
      {},
      (s) => {
        s.gateway.command({ do: 'shutdown' });
        return s.run({ ms: 5000 });
      },
    ],
  ])('%s', async (_, phase1, end) => {
    await story(eap(phase1), async (s) => {
      const client = await s.connected(as(UID));
      expect(told(s)).toEqual([line('up')]);
      await end(s, client);
      expect(s.gateway.told('closed')).toHaveLength(1);
      expect(told(s)).toEqual([line('up'), line('down')]);
      await s.run({ ms: 600_000 });
      expect(told(s)).toHaveLength(2);
    })();
  });

  it('its device loses the tag', async () => {
    let names = ['EMS3_ZTNA_a'];
    const ztna = { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS3_ZTNA_a"' };
    const script = (question: Parameters<ReturnType<typeof answering>>[0]) =>
      answering(known(names, { until: NOW + 86_400 }), none)(question);
    await story({ ...eap(ztna), script }, async (s) => {
      await s.connected(as(UID));
      names = [];
      s.gateway.command({ do: 'posture-changed', uids: [UID] });
      await s.run({ ms: 5000 });
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'posture-denied' }]);
      expect(told(s)).toEqual([line('up'), line('down')]);
    })();
  });
});

describe('nothing of it', () => {
  it(
    'is said of a rekey of either kind: the tunnel is the same',
    story(eap(), async (s) => {
      const client = await s.connected(as(UID));
      client.rekeyChild(s.now);
      await s.settle();
      client.rekeyIke(s.now);
      await s.settle();
      await s.run({ ms: 120_000 }); // the old SA is forgotten
      expect(told(s)).toEqual([line('up')]);
      await bye(s, client);
      expect(told(s)).toEqual([line('up'), line('down')]);
    }),
  );

  it(
    'is said of a client without a UID',
    story(eap(), async (s) => {
      const client = await s.connected({ auth: asUser('alice') });
      await bye(s, client);
      expect(s.gateway.told('closed')).toHaveLength(1);
      expect(told(s)).toEqual([]);
    }),
  );

  it.each([
    ['that EMS denies', says()],
    ['of which EMS says nothing', silent],
  ] as const)('is said of a device %s: there was no tunnel', async (_, report) => {
    const ztna = { 'remote-gw-match': 'ztna', 'remote-gw-ztna-tags': '"EMS3_ZTNA_a"' };
    await story({ ...eap(ztna), script: answering(report) }, async (s) => {
      await s.refused(as(UID));
      expect(told(s)).toEqual([]);
    })();
  });
});

it(
  'of two devices each has its own, with its instance and address',
  story(eap(), async (s) => {
    const one = await s.connected(as(UID));
    const two = await s.connected(as(OTHER, { auth: asUser('bob') }));
    for (const client of [two, one]) await bye(s, client);
    const second = { uid: OTHER, intf: 'ra_1', addr: '10.10.1.2' };
    expect(told(s)).toEqual([line('up'), line('up', second), line('down', second), line('down')]);
  }),
);

it(
  'a device that was restarted and dials anew: the old one is down before the new one is up',
  story(eap(), async (s) => {
    s.forgive(await s.connected(as(UID)));
    await s.connected(as(UID, { address: '198.51.100.77' }));
    expect(told(s)).toEqual([line('up'), line('down'), line('up')]);
  }),
);

it(
  'a tunnel is down before its address is given back, as FortiOS tells it',
  story(eap(), async (s) => {
    await bye(s, await s.connected(as(UID)));
    const wanted = [line('up'), line('down'), 'mode-cfg release 10.10.1.1/255.255.255.255', 'delete dynamic'];
    expect(inOrder(s, ...wanted)).toEqual(wanted);
  }),
);
