/** One client of `postern client` in virtual time, against the real engine. */
import { describe, expect, it } from 'vitest';
import { linesOf } from '../../../src/cli/client/narrate.ts';
import { type ClientEvent, ClientRunner, type RunnerOptions } from '../../../src/cli/client/runner.ts';
import type { TokenNews } from '../../../src/cli/client/token.ts';
import { fortiClientConnect } from '../../../src/lab/index.ts';
import { asPsk, type Scene, type SceneOptions, story } from '../../story/support/scene.ts';
import { VirtualWorld } from '../../support/virtualWorld.ts';

const NUMBER = 61_702;
const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE4MDAwMDM2MDB9.c2ln'; // exp: an hour after the clock's beginning
const ADDRESS = '198.51.100.77';

type Played = {
  readonly runner: ClientRunner;
  readonly events: ClientEvent[];
  readonly kinds: () => readonly string[];
  readonly lines: () => readonly string[];
  readonly news: (news: TokenNews) => void;
  /** Plays until it is over. */
  readonly end: () => Promise<ClientEvent | undefined>;
  readonly world: VirtualWorld;
};

/** A client that has begun on the scene's network. */
async function play(
  s: Scene,
  {
    dial = {},
    address = ADDRESS,
    ...more
  }: Partial<Omit<RunnerOptions, 'dial'>> & { readonly dial?: Partial<RunnerOptions['dial']>; readonly address?: string } = {},
): Promise<Played> {
  const world = new VirtualWorld(s.clock, address);
  s.net.attach(world);
  const [events, listeners]: [ClientEvent[], ((news: TokenNews) => void)[]] = [[], []];
  const { local: _local, nattPorts: _ports, ...options } = s.options({ address });
  const runner = await ClientRunner.start({
    dial: { ...options, from: address, nattPort: 4500, ...dial },
    on: (event) => void events.push(event),
    tokens: {
      subscribe: (listener) => {
        listeners.push(listener);
        return () => void listeners.splice(listeners.indexOf(listener), 1);
      },
    },
    world,
    ...more,
  });
  return {
    ...{ runner, events, world, kinds: () => events.map(({ kind }) => kind) },
    news: (one) => {
      for (const listener of listeners) listener(one);
    },
    lines: () =>
      events.flatMap((event) =>
        linesOf(event, { names: { success: undefined, failure: undefined }, unix: world.unix, ends: 'Ctrl-C hangs up' }),
      ),
    end: async () => {
      await s.run({ until: () => events.at(-1)?.kind === 'ended' });
      await s.run({ ms: 500 });
      expect(world.held).toBe(0);
      expect(listeners).toEqual([]);
      return events.at(-1);
    },
  };
}
const up = async (s: Scene, played: Played): Promise<void> => {
  await s.run({ until: () => played.events.length > 0 });
  await s.run({ ms: 50 });
  expect(played.kinds()).toEqual(expect.arrayContaining(['connected', 'child']));
};

const it_ = (name: string, o: SceneOptions, tale: (s: Scene) => Promise<void>) => it(name, story(o, tale));

describe('the life of a client', () => {
  it_('connects, and hangs up in order', {}, async (s) => {
    const c = await play(s);
    await up(s, c);
    const done = c.runner.hangUp();
    expect(await c.end()).toEqual({ kind: 'ended', how: 'hung-up', established: true, why: '', notify: undefined });
    await done;
    expect(s.gateway.told('closed')).toMatchObject([{ reason: 'peer-deleted' }]);
    expect(await c.runner.ended).toMatchObject({ how: 'hung-up' });
    expect(c.lines()).toEqual([
      expect.stringMatching(/^connected to 192\.0\.2\.1:\d+; the gateway proved itself by pre-shared key/),
      'address 10.10.1.1, 1 child SA; Ctrl-C hangs up',
      'child SA 10.10.1.1-10.10.1.1 to 10.50.0.0-10.50.0.255',
      'hung up',
    ]);
  });

  it_('hangs up by itself when its time is over, and says it once', {}, async (s) => {
    const c = await play(s, { stay: 90_000 });
    await up(s, c);
    const began = s.now;
    expect(await c.end()).toMatchObject({ how: 'hung-up', established: true });
    expect(s.now - began).toBeGreaterThan(89_000);
    await c.runner.hangUp();
    expect(c.kinds().filter((kind) => kind === 'ended')).toHaveLength(1);
  });

  it_('is told that the gateway ends it', {}, async (s) => {
    const c = await play(s);
    await up(s, c);
    s.gateway.command({ do: 'shutdown' });
    expect(await c.end()).toEqual({
      ...{ kind: 'ended', how: 'ended', established: true, why: 'deleted by the gateway', notify: undefined },
    });
    expect(c.lines().slice(-2)).toEqual([
      'the gateway has ended it: deleted by the gateway',
      expect.stringMatching(/^usually: /),
    ]);
  });

  it_('a gateway that is not there', {}, async (s) => {
    s.net.filter = () => false;
    const c = await play(s);
    expect(await c.end()).toMatchObject({ how: 'silent', established: false, why: 'no answer to IKE_SA_INIT' });
    expect(c.lines()).toEqual([
      'not connected: no answer to IKE_SA_INIT',
      expect.stringMatching(/^usually: no gateway at this address/),
    ]);
  });

  it_('a gateway that goes away is missed, though nobody has anything to say', {}, async (s) => {
    const c = await play(s, { liveness: 20_000 });
    await up(s, c);
    s.net.filter = () => false;
    expect(await c.end()).toMatchObject({ how: 'silent', established: true, why: 'no answer to a liveness check' });
    expect(c.lines().at(-1)).toBe('usually: it has started anew, or the way to it is broken');
  });

  it_('a gateway that is there is asked and answers, again and again', {}, async (s) => {
    const c = await play(s, { liveness: 20_000 });
    await up(s, c);
    await s.run({ ms: 205_000 });
    expect(c.runner.dial.status.outcomes.filter(({ verb }) => verb === 'liveness')).toHaveLength(10);
    expect(c.kinds()).toEqual(['connected', 'child']);
    void c.runner.hangUp();
    await c.end();
  });

  it_('gives up at once while nobody has answered yet', {}, async (s) => {
    s.net.filter = () => false;
    const c = await play(s);
    await s.run({ ms: 2000 });
    await c.runner.hangUp();
    expect(await c.end()).toMatchObject({ how: 'hung-up', established: false });
    expect(c.lines()).toEqual(['given up: not connected']);
  });

  it_('sees rekeys of both kinds, whoever begins', {}, async (s) => {
    const c = await play(s);
    await up(s, c);
    c.runner.dial.client.rekeyChild(s.now);
    c.runner.dial.pump();
    await s.run({ ms: 50 });
    c.runner.dial.client.rekeyIke(s.now);
    c.runner.dial.pump();
    await s.run({ ms: 50 });
    expect(c.kinds().slice(2)).toEqual(['child', 'rekeyed']);
    void c.runner.hangUp();
    await c.end();
  });
});

describe('refusals', () => {
  it_('by another pre-shared key: the gateway is not believed', {}, async (s) => {
    const c = await play(s, { dial: { gateway: { kind: 'psk', psk: asPskSecret('other') } } });
    expect(await c.end()).toMatchObject({ how: 'distrusted', established: false });
    expect(c.lines().at(-1)).toBe('usually: another pre-shared key than that of the profile');
  });

  it_('by no common proposal', {}, async (s) => {
    const c = await play(s, { dial: { ikeProposals: ['aes256-sha512'] } });
    expect(await c.end()).toMatchObject({ how: 'refused', notify: 14 });
    expect(c.lines()).toEqual([
      'not connected: the gateway says NO_PROPOSAL_CHOSEN',
      expect.stringMatching(/^usually: no common proposal: compare --proposal/),
    ]);
  });

  it_('of the child alone: it is up, and says why there is none', {}, async (s) => {
    const c = await play(s, { dial: { espProposals: ['aes256-sha512'] } });
    await s.run({ until: () => c.events.length > 1 });
    expect(c.lines().slice(2, 3)).toEqual([expect.stringMatching(/^no child SA: NO_PROPOSAL_CHOSEN \(14\): no common proposal/)]);
    void c.runner.hangUp();
    await c.end();
  });
});

const asPskSecret = (text: string) => {
  const auth = asPsk('x', text);
  if (auth.kind !== 'psk') throw new Error('asPsk is psk');
  return auth.psk;
};

describe('tokens', () => {
  const ztna = { number: NUMBER, token: TOKEN, when: 'after' } as const;
  const claims = fortiClientConnect({ uid: 'F'.repeat(32), ip: ADDRESS, user: 'x', tags: true });
  const tokensAt = (s: Scene) => s.gateway.said.filter((line) => line.includes('ZTNA tags update token')).length;

  it_('goes with it, and fresh ones follow', {}, async (s) => {
    const c = await play(s, { dial: { claims, ztna } });
    await up(s, c);
    expect(c.events).toContainEqual({ kind: 'token', because: 'connecting', ends: 1_800_003_600 });
    expect(tokensAt(s)).toBe(1);
    c.news({ kind: 'fresh', token: `${TOKEN}X`, because: 'changed' });
    c.news({ kind: 'fresh', token: `${TOKEN}Y`, because: 'expiring' });
    c.news({ kind: 'trouble', why: 'nobody is home' });
    await s.run({ ms: 50 });
    expect(tokensAt(s)).toBe(3);
    expect(c.lines().filter((line) => line.includes('token'))).toEqual([
      'the token goes with it; it ends in 3600 s',
      'the gateway has the token',
      expect.stringMatching(/^a fresh token was sent, because there is another; it ends in 3\d+ s$/),
      expect.stringMatching(/^a fresh token was sent; it ends in 3\d+ s$/),
      'no fresh token: nobody is home',
      'the gateway has the token',
      'the gateway has the token',
    ]);
    void c.runner.hangUp();
    await c.end();
  });

  it_('is not sent before it is up, nor behind the end', {}, async (s) => {
    s.net.filter = () => false;
    const c = await play(s, { dial: { ztna } });
    c.news({ kind: 'fresh', token: TOKEN, because: 'changed' });
    expect(c.kinds()).toEqual([]);
    void c.runner.hangUp();
    await c.end();
    c.news({ kind: 'fresh', token: TOKEN, because: 'changed' });
    expect(c.kinds()).toEqual(['ended']);
  });
});

describe('many in one process', () => {
  it_('each with its own ports and its own words', {}, async (s) => {
    const one = await play(s);
    const two = await play(s, { address: '198.51.100.78', dial: { auth: asPsk('two.lab.test') } });
    await up(s, one);
    await up(s, two);
    void one.runner.hangUp();
    expect(await one.end()).toMatchObject({ how: 'hung-up' });
    expect(two.runner.dial.client.at).toBe('established');
    void two.runner.hangUp();
    await two.end();
  });
});
