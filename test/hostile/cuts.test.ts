/**
 * Octets that were a message once: every cut, every flipped bit, octets put in and put behind. Before the integrity check
 * nothing may follow from them, and what follows afterwards is the same as if they had never come.
 */
import { describe, expect, it } from 'vitest';
import { Exchange } from '../../src/wire/index.ts';
import { asUser, messages, Scene, type Wish } from '../story/support/scene.ts';
import { configOf, GATEWAY } from '../support/configs.ts';

const ME = { address: '198.51.100.1', port: 500 };
const config = configOf({
  profiles: [{ shape: 'psk-eap' }],
  settings: {
    'half-open-per-address': '1000000',
    'half-open-cookie-threshold': '1000000',
    'half-open-max': '1000000',
    'sa-max': '1000000',
  },
});
const wish: Wish = { auth: asUser('alice') };

/** A client whose messages of one exchange and ID are held back, and the message. */
async function holding(exchange: number, messageId: number) {
  const s = new Scene({ config, debug: false });
  const client = s.client({ ...wish, address: ME.address, retransmit: { first: 60_000, factor: 1, most: 5 } });
  s.net.filter = ({ from, octets }) => from.address !== ME.address || octets[18] !== exchange || octets[23] !== messageId;
  client.start(s.now);
  await s.run({ ms: 200 });
  if (client.at === 'established') {
    if (exchange === Exchange.CREATE_CHILD_SA) client.rekeyChild(s.now);
    else client.liveness(s.now);
    await s.run({ ms: 100 });
  }
  const held = messages(s.net.passages, ME.address).at(-1);
  if (held === undefined || held[18] !== exchange) throw new Error('nothing was held back');
  s.net.filter = () => true;
  return { s, client, held };
}

/** Each with its length put right in the header, or left as it was. */
const lengths = (octets: Uint8Array, right: boolean): Uint8Array => {
  const copy = octets.slice();
  if (right && copy.length >= 28) new DataView(copy.buffer).setUint32(24, copy.length);
  return copy;
};

function* cuts(octets: Uint8Array): Generator<Uint8Array> {
  for (let n = 0; n < octets.length; n++) {
    yield lengths(octets.subarray(0, n), false);
    if (n >= 28) yield lengths(octets.subarray(0, n), true);
  }
}
function* flips(octets: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < 8 * octets.length; bit++) {
    const copy = octets.slice();
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield copy;
  }
}
function* additions(octets: Uint8Array): Generator<Uint8Array> {
  for (const extra of [1, 4, 100, 5000]) {
    const longer = new Uint8Array(octets.length + extra);
    longer.set(octets);
    yield lengths(longer, false);
    yield lengths(longer, true);
  }
  for (let at = 0; at < octets.length; at += 7) {
    const longer = new Uint8Array(octets.length + 1);
    longer.set(octets.subarray(0, at));
    longer.set(octets.subarray(at), at + 1);
    yield lengths(longer, true);
  }
}

const protectedOnes = [
  ['IKE_AUTH, the first', Exchange.IKE_AUTH, 1],
  ['IKE_AUTH, in EAP', Exchange.IKE_AUTH, 3],
  ['IKE_AUTH, the last', Exchange.IKE_AUTH, 5],
  ['CREATE_CHILD_SA', Exchange.CREATE_CHILD_SA, 6],
  ['INFORMATIONAL', Exchange.INFORMATIONAL, 6],
] as const;

describe.each(protectedOnes)('%s', (_, exchange, messageId) => {
  it.each([
    ['every cut', cuts],
    ['every flipped bit', flips],
    ['octets added', additions],
  ])('%s: nothing changes, and the message itself is taken afterwards', async (_kind, damage) => {
    const { s, client, held } = await holding(exchange, messageId);
    const before = s.gateway.view;
    const sent = s.gateway.sent.length;
    for (const octets of damage(held)) say(s, octets);
    s.gateway.take(); // what is said to damaged messages reaches nobody
    expect(s.gateway.view).toEqual(before);
    // the only answers are hints in the clear, for SPIs and versions that are not there; and they are few
    const said = s.gateway.sent.slice(sent);
    expect(said.every(({ octets }) => octets[16] === 41 && octets.length === 36)).toBe(true);
    expect(said.length).toBeLessThanOrEqual(50);
    say(s, held);
    await s.run({ until: () => client.at === 'established' && !client.status.busy });
    expect(client.status.outcomes.filter((o) => !o.ok)).toEqual([]);
    expectChildren(s, client);
    await s.end();
  });
});

describe('IKE_SA_INIT', () => {
  it('every cut is dropped, or refused without any state', async () => {
    const { s, client, held } = await holding(Exchange.IKE_SA_INIT, 0);
    for (const octets of cuts(held)) say(s, octets);
    s.gateway.take();
    expect(s.gateway.views).toEqual([]);
    say(s, held);
    await s.run({ until: () => client.at === 'established' });
    await s.end();
  });

  it('every flipped bit: at most a half-open SA that comes to nothing', async () => {
    const { s, client, held } = await holding(Exchange.IKE_SA_INIT, 0);
    for (const octets of flips(held)) {
      const was = s.gateway.count('half-open');
      const sent = s.gateway.sent.length;
      say(s, octets);
      expect(s.gateway.count('half-open') - was).toBeLessThanOrEqual(1);
      expect(s.gateway.sent.length - sent).toBeLessThanOrEqual(1);
    }
    s.gateway.take();
    expect(s.gateway.views.every((v) => v.at === 'half-open')).toBe(true);
    say(s, held);
    await s.run({ until: () => client.at === 'established' });
    await s.run({ ms: 61_000 });
    expect(s.gateway.views).toHaveLength(1);
    await s.end();
  });

  it('octets added: dropped, or payloads that are passed over', async () => {
    const { s, client, held } = await holding(Exchange.IKE_SA_INIT, 0);
    for (const octets of additions(held)) say(s, octets);
    s.gateway.take();
    say(s, held);
    await s.run({ until: () => client.at === 'established' });
    await s.end();
  });
});

const say = (s: Scene, octets: Uint8Array): void => s.gateway.datagram({ from: ME, to: { address: GATEWAY, port: 500 }, octets });

/** Without debug no keys are exported: the SPIs must do. */
function expectChildren(s: Scene, client: Scene['clients'][number]): void {
  expect([...s.gateway.installed.keys()]).toEqual(client.status.children.map((c) => c.spiOut));
}
