/**
 * A long bad day: a hundred thousand datagrams that were good once, mutated by a seed, into one engine (SOAK_DATAGRAMS says
 * how many). No fault, a bounded number of SAs, a bounded answer to each, a heap that does not grow; and then a good client
 * comes and gets in.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../crypto/secret.ts';
import { Engine } from '../../src/ike/index.ts';
import { LabClient } from '../../src/lab/index.ts';
import { encodePayloads, notify } from '../../src/wire/index.ts';
import { open, type Pen, penOf, seal } from '../story/support/forge.ts';
import { asUser, messages, Scene } from '../story/support/scene.ts';
import { VirtualClock } from '../support/clock.ts';
import { configOf, GATEWAY, secrets } from '../support/configs.ts';
import { SeededRandom } from '../support/random.ts';

const COUNT = Number(process.env['SOAK_DATAGRAMS'] ?? 100_000);
const HALF_OPEN_MAX = 300;
const CLOSED_MAX = 4096; // ended SAs that the engine remembers at most

const config = configOf({
  profiles: [{ shape: 'psk-eap' }],
  settings: { 'half-open-max': `${HALF_OPEN_MAX}`, 'half-open-cookie-threshold': '50' },
});

/** An engine and what goes by; nothing is kept but numbers. */
class Bench {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly engine: Engine;
  faults: readonly string[] = [];
  constructor(seed: string) {
    this.random = new SeededRandom(seed);
    this.engine = new Engine({ config, entropy: this.random.child('engine').entropy, clocks: this.clock.clocks });
  }

  /** Says it, lets a little time pass, and gives what is answered. */
  say(octets: Uint8Array, address: string, natt = false): readonly Uint8Array[] {
    const port = natt ? 4500 : 500;
    this.clock.advance(3);
    if ((this.engine.deadline() ?? Number.POSITIVE_INFINITY) <= this.clock.now) this.engine.tick(this.clock.clocks);
    this.take();
    const datagram = { octets, from: { address, port }, to: { address: GATEWAY, port }, natt };
    this.engine.datagram(datagram, this.clock.clocks);
    return this.take();
  }

  take(): readonly Uint8Array[] {
    const sent: Uint8Array[] = [];
    for (const output of this.engine.take()) {
      if (output.do === 'send') sent.push(output.octets);
      if (output.do === 'tell' && output.event.kind === 'fault') this.faults = [...this.faults, output.event.stack];
    }
    return sent;
  }

  count(name: string): number {
    return this.engine.counters()[name] ?? 0;
  }

  /** A good client that dials until it is established, or as far as so many messages bring it. */
  connect(address: string, most = 20): LabClient {
    const { entropy } = this.random.child(`client ${this.clock.now}`);
    const client = new LabClient({
      local: { address, port: 500 },
      remote: { address: GATEWAY, port: 500 },
      random: entropy.octets,
      keyPair: entropy.keyPair,
      auth: asUser('alice', { id: address }),
      gateway: { kind: 'psk', psk: Secret.utf8(secrets.psk) },
    });
    client.start(this.clock.now);
    for (let i = 0; i < most && client.at !== 'established'; i++)
      for (const { octets } of client.take())
        for (const answer of this.say(octets, address)) client.datagram(answer, this.clock.now);
    return client;
  }
}

/** What a good client says from its first message to its last, and what the gateway says to that. */
async function corpus(): Promise<readonly Uint8Array[]> {
  const s = new Scene({ config, debug: false });
  const client = await s.connected({ auth: asUser('alice') });
  client.rekeyChild(s.now);
  client.rekeyIke(s.now);
  client.createChild(s.now);
  client.liveness(s.now);
  await s.settle();
  client.deleteIke(s.now);
  await s.settle();
  return messages(s.net.passages).map((octets) => octets.slice());
}

/** The octets with something wrong about them. */
function mutated(random: SeededRandom, from: readonly Uint8Array[]): Uint8Array {
  let octets = random.pick(from).slice();
  for (let n = 1 + random.below(3); n > 0; n--)
    octets = mutations[random.below(mutations.length)]?.(octets, random, from) ?? octets;
  if (octets.length >= 28 && random.chance(0.7)) new DataView(octets.buffer).setUint32(24, octets.length);
  return octets;
}

type Mutation = (octets: Uint8Array<ArrayBuffer>, random: SeededRandom, from: readonly Uint8Array[]) => Uint8Array<ArrayBuffer>;
const mutations: readonly Mutation[] = [
  (octets, random) => {
    for (let n = 1 + random.below(8); n > 0; n--) {
      const at = random.below(octets.length || 1);
      octets[at] = (octets[at] ?? 0) ^ (1 << random.below(8));
    }
    return octets;
  },
  (octets, random) => {
    octets[random.below(octets.length || 1)] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
    return octets;
  },
  (octets, random) => octets.slice(0, random.below(octets.length + 1)),
  (octets, random) => joined(octets, random.octets(random.below(64))),
  (octets, random, from) => {
    const at = random.below(octets.length + 1);
    return joined(octets.slice(0, at), random.pick(from).slice(random.below(200)));
  },
  // a field of the header: next payload, version, exchange type, flags
  (octets, random) => {
    octets[16 + random.below(4)] = random.below(256);
    return octets;
  },
  // a length somewhere inside
  (octets, random) => {
    if (octets.length > 40) new DataView(octets.buffer).setUint16(28 + random.below(octets.length - 30), random.below(0x200));
    return octets;
  },
  // another SPI, so that it is another SA
  (octets, random) => {
    if (octets.length >= 8) octets.set(random.octets(8), random.pick([0, 0, 0, 8]) % Math.max(1, octets.length - 7));
    return octets;
  },
];

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** The heap in use after everything that is free has been freed. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

describe('the soak', () => {
  it(`${COUNT} mutated datagrams leave no trace`, { timeout: 120_000 }, async () => {
    const from = await corpus();
    const bench = new Bench('soak');
    const random = bench.random.child('mutations');
    const address = (): string => `203.0.${random.below(64)}.${random.below(256)}`;
    let [most, warm, answered] = [0, 0, 0];
    for (let i = 0; i < COUNT; i++) {
      const octets = mutated(random, from);
      const natt = random.chance(0.3);
      const said = bench.say(natt ? joined(new Uint8Array(4), octets) : octets, address(), natt);
      answered += said.length;
      if (said.length > 1) expect.fail(`${said.length} answers to one datagram`);
      // nobody is made louder than he is, but for the certificate request and the like of a first answer
      if ((said[0]?.length ?? 0) > 2 * octets.length + 64) expect.fail(`${said[0]?.length} octets for ${octets.length}`);
      if (i % 64 === 0) most = Math.max(most, bench.count('half-open'));
      if (i === Math.floor(COUNT / 4)) warm = heap();
    }
    expect(heap() - warm).toBeLessThan(4_000_000);
    expect(bench.faults).toEqual([]);
    expect(answered).toBeGreaterThan(COUNT / 100); // the mutants do get somewhere
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(HALF_OPEN_MAX);
    expect(bench.count('sas')).toBeLessThanOrEqual(HALF_OPEN_MAX + CLOSED_MAX);
    expect(bench.count('leases')).toBe(0);

    const client = bench.connect('198.51.100.1');
    expect(client.status.why).toBe('');
    expect(client).toMatchObject({ at: 'established', installed: 1 });
    client.deleteIke(bench.clock.now);
    for (const { octets } of client.take()) bench.say(octets, '198.51.100.1');
    drain(bench);
  });

  it('mutants inside good protection: what a client with good keys can do', { timeout: 60_000 }, () => {
    const bench = new Bench('inside');
    const random = bench.random.child('mutations');
    let fresh = 0;
    for (let i = 0; i < COUNT / 250; ) {
      // a client at any point between IKE_SA_INIT and established
      fresh += 1;
      bench.clock.advance(1000); // those that came to nothing are forgotten in time
      const address = `198.51.${fresh >> 8}.${fresh & 255}`;
      const client = bench.connect(address, 1 + random.below(7));
      if (client.at === 'init') continue;
      const pen = penOf(client);
      for (let messageId = 1; messageId < 12; messageId++, i++) {
        const exchange = random.pick([35, 35, 36, 36, 37, 37, 38, 43, 240]);
        const said = bench.say(seal(pen, { exchange, messageId, inner: inside(random) }), address);
        for (const octets of said) expect(octets.length).toBeLessThan(3000);
        if (overIn(pen, said)) break;
      }
    }
    expect(bench.faults).toEqual([]);
    drain(bench);
  });
});

/** Payloads that are well-formed, and then some that are not. */
function inside(random: SeededRandom): { readonly first: number; readonly octets: Uint8Array } {
  const known = [33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 47, 48, 46, 53, 54, 200, 1, 0];
  const parts: Uint8Array[] = [];
  const types = Array.from({ length: random.below(6) }, () => random.pick(known));
  for (const [i] of types.entries()) {
    const body = random.octets(random.pick([0, 1, 4, 8, 12, 16, 20, 24, 32, 40, 64]));
    if (random.chance(0.5)) body.fill(0, 0, random.below(body.length + 1)); // small numbers are the likely ones
    const length = random.chance(0.95) ? body.length + 4 : random.below(100);
    parts.push(Uint8Array.of(types[i + 1] ?? 0, random.chance(0.05) ? 0x80 : 0, length >> 8, length & 255), body);
  }
  if (random.chance(0.3)) return encodePayloads([notify(random.pick(['INITIAL_CONTACT', 'AUTHENTICATION_FAILED', 'REKEY_SA']))]);
  return { first: types[0] ?? 0, octets: parts.reduce((a, b) => joined(a, b), new Uint8Array(0)) };
}

/** The SA is over, or does not answer. */
function overIn(pen: Pen, said: readonly Uint8Array[]): boolean {
  const [answer] = said;
  const payloads = answer === undefined ? undefined : open(pen, answer);
  return (
    payloads === undefined ||
    payloads.some((p) => p.kind === 'N' && (p.name === 'INVALID_SYNTAX' || p.name === 'AUTHENTICATION_FAILED'))
  );
}

/** After a shutdown and some minutes nothing is held any more. */
function drain(bench: Bench): void {
  bench.engine.command({ do: 'shutdown' }, bench.clock.clocks);
  for (let i = 0; i < 10_000 && bench.engine.deadline() !== undefined; i++) {
    bench.clock.advanceTo(Math.max(bench.clock.now, bench.engine.deadline() ?? 0));
    bench.engine.tick(bench.clock.clocks);
    bench.take();
  }
  for (const gauge of ['sas', 'closed', 'children', 'leases', 'half-open', 'tickets', 'timers'])
    expect([gauge, bench.count(gauge)]).toEqual([gauge, 0]);
  expect(bench.faults).toEqual([]);
}
