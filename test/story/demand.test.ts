/** Liveness where packets are carried (§2.4): authentic ESP is life, and demand is a packet that nothing answers. */
import { describe, expect, it } from 'vitest';
import type { Seen } from '../../src/esp/index.ts';
import { configOf, type Words } from '../support/configs.ts';
import { messages, type Scene, story } from './support/scene.ts';

/** What a data plane would say, told by hand: moments in virtual time. */
class Told {
  seen: Seen | undefined = { heard: undefined, unanswered: undefined, sent: undefined };
  readonly watch = (): Seen | undefined => this.seen;
  heard(at: number): void {
    this.seen = { heard: at, unanswered: undefined, sent: this.seen?.sent };
  }
  sent(at: number): void {
    this.seen = { heard: this.seen?.heard, unanswered: this.seen?.unanswered ?? at, sent: at };
  }
}

const phase1 = (dpd: string): Words => ({ dpd, 'dpd-retryinterval': '20', 'dpd-retrycount': '3' });
const played = (dpd: string, play: (s: Scene, told: Told, since: number) => Promise<void>) => {
  const told = new Told();
  return story({ profiles: [{ phase1: phase1(dpd) }], watch: told.watch }, async (s) => {
    await s.connected();
    await play(s, told, s.now);
  });
};
/** Seconds after `since` of each datagram of a request that the gateway began. */
const asked = (s: Scene, since: number): readonly number[] =>
  s.gateway.sent.filter((d) => ((messages([d])[0]?.[19] ?? 0x20) & 0x20) === 0).map((d) => Math.round((d.at - since) / 1000));

describe('dpd on-idle', () => {
  it(
    'does not ask whom ESP is heard of, and asks an interval after the last of it',
    played('on-idle', async (s, told, since) => {
      for (let i = 0; i < 10; i++) {
        await s.run({ ms: 9000 });
        told.heard(s.now);
      }
      expect(asked(s, since)).toEqual([]);
      await s.run({ ms: 45_000 });
      expect(asked(s, since)).toEqual([110, 130]);
    }),
  );

  it(
    'what is sent to the client is no sign of its life',
    played('on-idle', async (s, told, since) => {
      for (let i = 0; i < 5; i++) {
        told.sent(s.now);
        await s.run({ ms: 9000 });
      }
      expect(asked(s, since)).toEqual([20, 40]);
    }),
  );

  it(
    'a client whose answers are lost lives while ESP of it comes, and is dead when that ends',
    played('on-idle', async (s, told, since) => {
      s.net.filter = (d) => d.from.address !== '198.51.100.1';
      await s.run({ ms: 25_000 });
      for (let i = 0; i < 20; i++) {
        told.heard(s.now);
        await s.run({ ms: 10_000 });
      }
      expect(s.gateway.view.at).toBe('established');
      expect(asked(s, since)).toHaveLength(11);
      for (const client of s.clients) s.forgive(client);
      await s.run({ ms: 41_000 });
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'dead-peer' }]);
    }),
  );
});

describe('dpd on-demand', () => {
  it(
    'without traffic nobody is asked',
    played('on-demand', async (s, _told, since) => {
      await s.run({ ms: 3_600_000 });
      expect(asked(s, since)).toEqual([]);
    }),
  );

  it(
    'a packet that nothing answers is followed by a question, an interval later',
    played('on-demand', async (s, told, since) => {
      await s.run({ ms: 67_000 });
      told.sent(s.now);
      await s.run({ ms: 10_000 });
      told.sent(s.now); // the first one counts
      await s.run({ ms: 60_000 });
      expect(asked(s, since)).toEqual([87]);
      expect(s.gateway.view.at).toBe('established');
    }),
  );

  it(
    'a stream that goes one way is asked about every interval: the answer to IKE is an answer',
    played('on-demand', async (s, told, since) => {
      for (let i = 0; i < 95; i++) {
        told.sent(s.now);
        await s.run({ ms: 1000 });
      }
      expect(asked(s, since)).toEqual([20, 40, 60, 80]);
    }),
  );

  it(
    'who answers is not asked',
    played('on-demand', async (s, told, since) => {
      for (let i = 0; i < 30; i++) {
        told.sent(s.now);
        await s.run({ ms: 3000 });
        told.heard(s.now);
        await s.run({ ms: 7000 });
      }
      expect(asked(s, since)).toEqual([]);
    }),
  );

  it(
    'a dead client is found by the first packet to it',
    played('on-demand', async (s, told, since) => {
      for (const client of s.clients) s.forgive(client);
      s.net.filter = (d) => d.from.address !== '198.51.100.1' && d.to.address !== '198.51.100.1';
      await s.run({ ms: 600_000 });
      expect(s.gateway.view.at).toBe('established');
      told.sent(s.now);
      await s.run({ ms: 81_000 });
      expect(asked(s, since)).toEqual([620, 640, 660]);
      expect(s.gateway.told('closed')).toMatchObject([{ reason: 'dead-peer' }]);
      expect(s.gateway.leased).toBe(0);
    }),
  );

  it(
    'with no child that the data plane knows there is no demand',
    played('on-demand', async (s, told, since) => {
      told.seen = undefined;
      await s.run({ ms: 600_000 });
      expect(asked(s, since)).toEqual([]);
    }),
  );
});

it(
  'dpd disable: nobody is asked, whatever is sent',
  played('disable', async (s, told, since) => {
    for (let i = 0; i < 100; i++) {
      told.sent(s.now);
      await s.run({ ms: 10_000 });
    }
    expect(asked(s, since)).toEqual([]);
  }),
);

it(
  'another dpd-retryinterval counts at once, however far away the next look was',
  story({ profiles: [{ phase1: { dpd: 'on-demand', 'dpd-retryinterval': '3600' } }], watch: new Told().watch }, async (s) => {
    await s.connected();
    const since = s.now;
    await s.run({ ms: 3_700_000 });
    s.gateway.command({ do: 'configure', config: configOf({ profiles: [{ phase1: phase1('on-idle') }] }) });
    await s.run({ ms: 5000 });
    expect(asked(s, since)).toEqual([3700]);
  }),
);
