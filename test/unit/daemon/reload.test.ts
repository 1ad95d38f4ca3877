/** The configuration read again by a daemon that runs, with a real EMS and real clients. */
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/index.ts';
import { type Reread, reader, reloader } from '../../../src/daemon/reload.ts';
import type { Journal } from '../../../src/log/index.ts';
import { loaded } from '../../support/configs.ts';
import { NUMBER, staged, UID } from '../../support/postureDaemon.ts';

const journal: Journal = {
  ...{ event: () => undefined, note: () => undefined, flush: () => undefined },
  counters: { lines: 0, thinned: 0, dropped: 0 },
};
const read = (text: string): Reread => ({ kind: 'loaded', config: loaded(''), text });

describe('reading it again', () => {
  it('one after the other, each time anew, and each is told its own end', async () => {
    const seen: string[] = [];
    const texts = ['first', 'second'];
    const reload = reloader({
      journal,
      reread: () => Promise.resolve(read(texts.shift() ?? '')),
      take: async () => {
        seen.push('begins');
        await new Promise((resolve) => setImmediate(resolve));
        seen.push('ends');
        return 'in force';
      },
    });
    expect(await Promise.all([reload(), reload()])).toEqual([
      { ok: true, text: 'first\nin force' },
      { ok: true, text: 'second\nin force' },
    ]);
    expect(seen).toEqual(['begins', 'ends', 'begins', 'ends']);
  });

  it('a wrong file changes nothing; nor does a daemon without one', async () => {
    const take = () => Promise.reject(new Error('must not be called'));
    const wrong = await reloader({ journal, take, reread: () => Promise.resolve({ kind: 'wrong', text: 'line 3: no' }) })();
    expect(wrong).toMatchObject({ ok: false, text: expect.stringMatching(/^line 3: no\n.*the one before stays in force/) });
    expect(await reloader({ journal, take, reread: undefined })()).toMatchObject({ ok: false });
  });

  it('a mistake of ours is told as a fault and does not stop the next', async () => {
    const events: unknown[] = [];
    let times = 0;
    const take = () => {
      times += 1;
      return times === 1 ? Promise.reject(new Error('oops')) : Promise.resolve('in force');
    };
    const told = { ...journal, event: (event: unknown) => void events.push(event) };
    const reload = reloader({ journal: told, take, reread: () => Promise.resolve(read('x')) });
    expect((await reload()).ok).toBe(false);
    expect(events).toMatchObject([{ kind: 'fault', where: 'reload' }]);
    expect((await reload()).ok).toBe(true);
  });
});

describe('a text', () => {
  it('is parsed once for as long as no other comes between', () => {
    const parsed: string[] = [];
    const read = reader((text) => {
      parsed.push(text);
      return loadConfig(text);
    });
    const first = read('');
    expect(read('')).toBe(first);
    expect(read('config system global\nend\n').config).not.toBe(first.config);
    expect(read('')).not.toBe(first);
    expect(parsed).toEqual(['', 'config system global\nend\n', '']);
  });
});

describe('another configuration', () => {
  it(
    'with another tag rule: the tunnel that stands is judged by it, the EMS connection goes on',
    staged({}, async (s) => {
      const dial = await s.dial();
      const [connector] = s.daemon.connectors;
      expect(await s.reload({ tags: '"EMS3_ZTNA_other"' })).toMatchObject({
        ok: true,
        text: expect.stringContaining('in force'),
      });
      await dial.until(() => dial.client.at === 'closed');
      expect(s.told('posture').at(-1)).toMatchObject({ rule: 'no-tag', wanted: 'EMS3_ZTNA_other' });
      expect(s.daemon.connectors[0] === connector).toBe(true);
      expect((await s.dial()).client.at).toBe('failed');
      await s.reload({});
      expect((await s.dial()).client.at).toBe('established');
    }),
  );

  it(
    'with another connector to the same EMS: its word stands meanwhile, and it hears of both ends of the tunnel',
    staged({}, async (s) => {
      const dial = await s.dial();
      await s.until(() => s.ems.tunnels().length === 1);
      const [before] = s.daemon.connectors;
      await s.ems.fault({ name: 'status', status: 500 });
      expect(await s.reload({ fctems: ['set call-timeout 5'] })).toMatchObject({ ok: true });
      expect(s.daemon.connectors[0] === before).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(dial.client.at).toBe('established');
      expect(s.told('posture').at(-1)).toMatchObject({ rule: 'ems-tag' });
      await s.ems.clearFault();
      s.daemon.connectors[0]?.retry();
      await s.until(() => s.daemon.connectors[0]?.status().state === 'Connected');
      await dial.hangUp();
      await s.until(() => s.ems.tunnels().some(({ event }) => event === 'down'));
    }),
  );

  it(
    'without the EMS: nobody can vouch for the device any more',
    staged({}, async (s) => {
      const dial = await s.dial();
      await s.reload({ fctems: ['set status disable'] });
      await dial.until(() => dial.client.at === 'closed');
      expect(s.told('posture').at(-1)).toMatchObject({ verdict: 'deny', rule: 'ems-serial' });
      expect(s.daemon.connectors).toHaveLength(0);
    }),
  );
});

describe('EMS hears of tunnels', () => {
  it(
    'that end with the gateway, also of the one whose client no longer answers',
    staged({}, async (s) => {
      const [one, other] = [await s.dial(), await s.dial({ initialContact: false })];
      await s.until(() => s.ems.tunnels().length === 2);
      other.close();
      await s.daemon.stop();
      expect(
        s.ems
          .tunnels()
          .slice(2)
          .map(({ event, gateway }) => `${event} ${gateway}`)
          .sort(),
      ).toEqual(['down ra_0', 'down ra_1']);
      expect(s.told('closed').map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown']);
      expect(one.client.at).toBe('closed');
    }),
    20_000, // for the one who does not answer, everybody waits
  );

  it('also of one that came in by a token while it was silent: once it is back', async () => {
    const silent = { tokenKeys: true, fault: { name: 'status', status: 500 } as const, posture: ['set lookup-wait 5000'] };
    await staged(silent, async (s) => {
      const token = await s.ems.issueToken(UID);
      expect((await s.dial({ ztna: { number: NUMBER, token, when: 'in-auth' } })).client.at).toBe('established');
      expect(s.ems.tunnels()).toEqual([]);
      await s.ems.clearFault();
      s.daemon.connectors[0]?.retry();
      await s.until(() => s.ems.tunnels().length === 1);
      expect(s.ems.tunnels()).toMatchObject([{ event: 'up', uid: UID }]);
    })();
  });
});
