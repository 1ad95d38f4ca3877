/** How a connector stays in step, and what it does when it falls out of it: by the clock, with a scripted EMS. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EmsCallFailed } from '../../../src/ems/index.ts';
import { device, play, START } from './scripted.ts';

const A = 'A0000000000000000000000000000001';
const tagged = (...names: readonly string[]) => device(A, { tags: names.map((name) => ({ name, type: 'zero_trust' })) });
const count = (calls: readonly string[], word: string) => calls.filter((call) => call.startsWith(word)).length;

describe('a WebSocket', () => {
  it(
    'that ends is no outage while calls are answered: the table is asked for what changed, and it is opened again',
    play({}, async ({ ems, connector, states, changes, pass }) => {
      ems.devices = [tagged('a')];
      ems.seq = 7;
      ems.hangUp();
      await pass(0);
      expect(connector.status()).toMatchObject({ state: 'Connected', websocket: false });
      expect(changes).toEqual([A]);
      await pass(1000);
      expect(connector.status().websocket).toBe(true);
      expect(ems.calls.at(-1)).toBe('watch 7');
      expect(count(ems.calls, 'sync')).toBe(1);
      expect(states.map(({ state }) => state)).toEqual(['Connected']);
    }),
  );
  it(
    'that never comes to anything is tried less and less often, and the table is polled',
    play({}, async ({ ems, connector, pass }) => {
      for (let second = 0; second < 600; second++) {
        ems.hangUp();
        await pass(1000);
      }
      expect(count(ems.calls, 'watch')).toBeLessThan(20);
      expect(count(ems.calls, 'sync')).toBe(1);
      expect(connector.look({ uid: A }).kind).toBe('unknown');
    }),
  );
  it(
    'that ends with the server: the state says what the calls say',
    play({}, async ({ ems, connector, pass }) => {
      ems.failure = new EmsCallFailed('auth', '/hello: denied', 403);
      ems.hangUp();
      await pass(0);
      expect(connector.status()).toMatchObject({ state: 'Auth failed', why: '/hello: denied' });
    }),
  );
  it(
    'keeps the table fresh by its pings alone, but not while a change has not been fetched',
    play({}, async ({ ems, connector, pass }) => {
      for (let n = 0; n < 60; n++) {
        await pass(10_000);
        ems.hears?.('alive');
      }
      expect(ems.calls).toEqual(['hello', 'keys', 'sync', 'watch 1']);
      expect(connector.look({ uid: A })).toMatchObject({ kind: 'unknown', asOf: START + 600, until: START + 780 });
      const gate = Promise.withResolvers<void>();
      ems.gate = gate.promise;
      ems.hears?.('changed');
      await pass(10_000);
      ems.hears?.('alive');
      expect(connector.status().asOf).toBe(START + 600);
      gate.resolve();
      await pass(0);
    }),
  );
  it(
    'whose pings are rarer than the word of EMS may be old: the table is asked for between them',
    play({ connector: { outOfSync: 10 } }, async ({ ems, connector, pass }) => {
      for (let tenth = 0; tenth < 600; tenth++) {
        await pass(100);
        if (tenth % 100 === 99) ems.hears?.('alive');
        expect(connector.look({ uid: A }).kind).toBe('unknown');
      }
      expect(count(ems.calls, 'since')).toBeLessThan(25);
    }),
  );
  it(
    'tells of other token keys: they are fetched, and a failure of that is one of the connection',
    play({}, async ({ ems, connector, pass }) => {
      ems.hears?.('keys');
      await pass(0);
      expect(count(ems.calls, 'keys')).toBe(2);
      ems.failure = new EmsCallFailed('incompatible', '/token-keys: not JSON');
      ems.hears?.('keys');
      await pass(0);
      expect(connector.status()).toMatchObject({ state: 'No compatible', why: '/token-keys: not JSON' });
    }),
  );
});

describe('an EMS that is away', () => {
  it(
    'is tried after 1, 2, 4 … s, and the more often the less is left of its word, which stands until it is stale',
    play({}, async ({ ems, connector, pass }) => {
      ems.down();
      ems.hears?.('changed');
      await pass(0);
      expect(connector.status().state).toBe('Not reachable');
      const tried: number[] = [];
      for (let second = 1; second <= 170; second++) {
        const before = count(ems.calls, 'hello');
        await pass(1000);
        if (count(ems.calls, 'hello') > before) tried.push(second);
      }
      expect(tried).toEqual([1, 3, 7, 15, 31, 63, 102, 128, 146, 157, 165, 170]);
      expect(connector.look({ uid: A }).kind).toBe('unknown');
      await pass(20_000);
      expect(connector.look({ uid: A })).toMatchObject({ kind: 'silent', why: 'Not reachable: ECONNREFUSED' });
    }),
  );
  it(
    'and comes and goes is not asked for its whole table every second',
    play({}, async ({ ems, pass }) => {
      for (let minute = 0; minute < 10; minute++)
        for (let second = 0; second < 60; second++) {
          ems.failure = undefined;
          await pass(900);
          ems.down();
          ems.hears?.('changed');
          await pass(100);
        }
      expect(count(ems.calls, 'sync')).toBeLessThan(25);
    }),
  );
  it(
    'tells only what differs once it is back',
    play({}, async ({ ems, changes, pass }) => {
      const [b, c] = [device('B'), device('C')];
      ems.devices = [tagged('a'), b, c];
      ems.hears?.('changed');
      await pass(0);
      changes.length = 0;
      ems.down();
      ems.hears?.('changed');
      await pass(0);
      ems.failure = undefined;
      ems.devices = [tagged(), { ...b, hostname: 'renamed' }];
      await pass(2000);
      expect(changes.sort()).toEqual([A, 'C']);
    }),
  );
});

describe('who asks', () => {
  it(
    'waits for one call with all others, and not longer than a call may take',
    play({}, async ({ ems, connector, pass }) => {
      await pass(200_000); // polled meanwhile? no: a WebSocket is open, and it is mute
      ems.gate = new Promise(() => undefined);
      await pass(200_000);
      const before = ems.calls.length;
      const asked = Promise.all(Array.from({ length: 1000 }, () => connector.ask({ uid: A })));
      await pass(31_000);
      const reports = await asked;
      expect(reports.every((report) => report.kind === 'silent')).toBe(true);
      expect(ems.calls.length - before).toBeLessThan(2);
    }),
  );
  it(
    'brings an EMS that is away to one attempt a second, not to one each',
    play({ before: (ems) => ems.down() }, async ({ ems, connector, pass }) => {
      await pass(20_000);
      const before = count(ems.calls, 'hello');
      for (let n = 0; n < 100; n++) {
        const asked = connector.ask({ uid: A });
        await pass(20);
        expect((await asked).kind).toBe('silent');
      }
      expect(count(ems.calls, 'hello') - before).toBeLessThan(4);
    }),
  );
  it(
    'finds out that a call failed, and so does the state',
    play({}, async ({ ems, connector, pass }) => {
      const gate = Promise.withResolvers<void>();
      ems.gate = gate.promise;
      await pass(200_000);
      ems.failure = new EmsCallFailed('server', '/devices: HTTP 500', 500);
      const asked = connector.ask({ uid: A });
      gate.resolve();
      await pass(0);
      expect(await asked).toMatchObject({ kind: 'silent' });
      expect(connector.status().state).not.toBe('Connected');
    }),
  );
  it('is answered after the end, too', async () => {
    let late = (): Promise<unknown> => Promise.resolve();
    await play({ before: (ems) => ems.down() }, async ({ connector, pass }) => {
      await pass(60_000);
      late = () => connector.ask({ uid: A });
    })();
    expect(await late()).toMatchObject({ kind: 'silent' });
  });
});

describe('a wish to try again now', () => {
  it(
    'counts also while an attempt is under way: what it was made for may have come too late for that one',
    play({ before: (ems) => ems.down() }, async ({ ems, connector, pass }) => {
      await pass(120_000);
      const gate = Promise.withResolvers<void>();
      ems.gate = gate.promise;
      await pass(60_000);
      connector.retry();
      gate.resolve();
      await pass(0);
      ems.failure = undefined;
      await pass(0);
      expect(connector.status().state).toBe('Not reachable'); // twice at once, and then it pauses again
      await pass(1000);
      expect(connector.status().state).toBe('Connected');
    }),
  );
});

describe('an EMS that is another one than before', () => {
  const key = JSON.stringify({ kty: 'RSA', n: 'x'.repeat(342), e: 'AQAB' });
  it(
    'does not leave the token keys of the one before in force',
    play({ before: (ems) => Object.assign(ems, { keys: [key] }) }, async ({ ems, connector, notes, pass }) => {
      expect(connector.status().tokenKeys).toBe(1);
      ems.keys = [];
      ems.hears?.('keys');
      await pass(0);
      expect(connector.status().tokenKeys).toBe(1); // the same EMS: what was learned stays
      ems.serial = 'FCTEMS0000000002';
      ems.hangUp();
      await pass(2000);
      expect(connector.identity?.serial).toBe('FCTEMS0000000002');
      expect(connector.status()).toMatchObject({ state: 'Connected', tokenKeys: 0 });
      expect(notes).toContainEqual(expect.stringContaining('another EMS'));
    }),
  );
  it('by the configuration: what was kept of it is not used', async () => {
    const state = await mkdtemp(join(tmpdir(), 'postern-ems-'));
    const before = (ems: { keys: readonly string[]; devices: readonly unknown[] }) => {
      Object.assign(ems, { keys: [key], devices: [tagged('a')] });
    };
    try {
      await play({ state, before }, () => Promise.resolve())();
      const kept = { state, before: (ems: { down(): void }) => ems.down() };
      await play(kept, ({ connector }) => {
        expect(connector.status()).toMatchObject({ devices: 1, tokenKeys: 1 });
        return Promise.resolve();
      })();
      await play({ ...kept, connector: { serialNumber: 'FCTEMS0000000009' } }, ({ connector, notes }) => {
        expect(connector.status()).toMatchObject({ devices: 0, tokenKeys: 0 });
        expect(connector.identity?.serial).toBe('FCTEMS0000000009');
        expect(notes).toContainEqual(expect.stringContaining('another EMS'));
        return Promise.resolve();
      })();
    } finally {
      await rm(state, { recursive: true });
    }
  });
});
