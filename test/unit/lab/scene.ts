/** A client and a scripted gateway on a wire, in virtual time. */
import { Secret } from '../../../crypto/secret.ts';
import { identity, LabClient, type LabOptions } from '../../../src/lab/index.ts';
import { VirtualClock } from '../../support/clock.ts';
import { party, VirtualNet, type Weather } from '../../support/net.ts';
import { SeededRandom } from '../../support/random.ts';
import { CLIENT, FakeGateway, GATEWAY, type Script } from './fakeGateway.ts';

export const psk = (secret = 'sesame') => ({ kind: 'psk', psk: Secret.utf8(secret) }) as const;
export const clientPsk = (secret = 'sesame') => ({ ...psk(secret), id: identity('client@lab.test') });
export const eapUser = (password = 'clientPass', methods: readonly ('mschapv2' | 'gtc')[] = ['mschapv2']) =>
  ({ kind: 'eap', user: 'User', password: Secret.utf8(password), methods, id: identity(CLIENT) }) as const;

export function options(random: SeededRandom, more: Partial<LabOptions> = {}): LabOptions {
  return {
    local: { address: CLIENT, port: 500 },
    remote: { address: GATEWAY, port: 500 },
    random: random.entropy.octets,
    keyPair: random.entropy.keyPair,
    auth: clientPsk(),
    gateway: psk(),
    ikeProposals: ['aes256gcm-prfsha256'],
    espProposals: ['aes256gcm'],
    requestAddresses: [],
    ...more,
  };
}

export type Scene = ReturnType<typeof scene>;

export function scene(script: Script = {}, more: Partial<LabOptions> = {}, weather: Partial<Weather> = {}, seed = 'scene') {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  const net = new VirtualNet({ clock, random, weather });
  const gateway = new FakeGateway(random, script);
  const client = new LabClient(options(random.child('client'), more));
  net.attach(gateway, party(CLIENT, client));
  const self = {
    clock,
    net,
    gateway,
    client,
    get status() {
      return client.status;
    },
    /** Until nothing is under way and nobody waits. */
    rest: (ms?: number) => net.run(ms === undefined ? {} : { ms }),
    /** Starts the client and lets everything happen that happens by itself. */
    connect() {
      client.start(clock.now);
      net.run();
      return client.status;
    },
    /** One thing the client does, and all that follows. */
    does(verb: (client: LabClient, now: number) => void) {
      verb(client, clock.now);
      net.run();
      return client.status;
    },
    /** One thing the gateway says, and all that follows. */
    hears(verb: (gateway: FakeGateway) => void) {
      verb(gateway);
      net.run();
      return client.status;
    },
  };
  return self;
}

/** Both ends, connected; the client knows two groups. */
export function connected(script: Script = {}, more: Partial<LabOptions> = {}): Scene {
  const s = scene(script, { groups: [31, 19], ...more });
  if (s.connect().at !== 'established') throw new Error(s.status.why);
  return s;
}
