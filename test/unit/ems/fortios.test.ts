/** The FortiOS-shaped driver against the emulated EMS over real HTTPS. */
import { describe, expect, it } from 'vitest';
import { UID, type Wish, withEms } from './world.ts';

const uidOf = (n: number) => n.toString(16).toUpperCase().padStart(32, '0');
const fortios = (wish: Wish = {}): Wish => ({ ...wish, driver: 'fortios' });

describe('the FortiOS-shaped API', () => {
  it(
    'tells of devices, their tags and the keys of their tokens',
    withEms(fortios(), async ({ ems, connector, is }) => {
      ems.addEndpoint(UID, {
        ...{
          addresses: ['10.9.8.7'],
          tags: ['a', { name: 'Low', type: 'classification' }],
          quarantined: true,
          hostname: 'laptop',
        },
      });
      await is('Connected');
      expect(connector.look({ uid: UID })).toMatchObject({
        kind: 'known',
        record: { registered: true, quarantined: true, addresses: ['10.9.8.7'] },
      });
      expect(connector.records()).toMatchObject([
        { uid: UID, hostname: 'laptop', tags: expect.arrayContaining([{ name: 'Low', type: 'classification' }]) },
      ]);
      expect(connector.tokenKeys()).toHaveLength(1);
      expect(connector.identity).toMatchObject({ serial: ems.serial, tenant: ems.tenant });
      expect(connector.status().websocket).toBe(false);
    }),
  );

  it(
    'is polled: changes come, and devices go',
    withEms(fortios(), async ({ ems, connector, changes, is, until }) => {
      ems.addEndpoint(UID, { tags: ['a'] });
      await is('Connected');
      changes.length = 0;
      ems.setTags(UID, []);
      await until(() => changes.includes(UID));
      expect(connector.look({ uid: UID })).toMatchObject({ record: { tags: [] } });
      ems.removeEndpoint(UID);
      await until(() => connector.look({ uid: UID }).kind === 'unknown');
    }),
  );

  it(
    'has pages, and tells everything where changes cannot be told',
    withEms(fortios({ ems: { limits: { log: 10 } } }), async ({ ems, connector, is, until }) => {
      for (let n = 0; n < 2500; n++) ems.addEndpoint(uidOf(n));
      await is('Connected');
      await until(() => connector.status().devices === 2500);
      for (let n = 0; n < 500; n++) ems.setTags(uidOf(n), ['late']);
      await until(() => JSON.stringify(connector.look({ uid: uidOf(499) })).includes('late'));
      expect(connector.status().devices).toBe(2500);
    }),
  );

  it.each([
    ['types', 'No compatible'],
    ['records', 'No compatible'],
    ['json', 'No compatible'],
  ] as const)('garbage (%s) makes it %s', async (kind, state) => {
    await withEms(fortios(), async ({ ems, is }) => {
      await ems.fault({ name: 'garbage', kind });
      await is(state);
    })();
  });

  it(
    'refuses us in its words',
    withEms(fortios(), async ({ ems, is }) => {
      await ems.fault({ name: 'status', status: 401 });
      await is('Auth failed');
    }),
  );
});
