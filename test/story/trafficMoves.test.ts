/** A client that moves while packets are on their way: what the gateway sends goes after it (RFC 7296 §2.23). */
import { expect, it } from 'vitest';
import { ping } from '../../src/lab/index.ts';
import { BEHIND, done, gatewayIke, told, up } from './support/traffic.ts';

const INSIDE = '10.0.0.2';

it(
  'a NAT that forgets costs one packet, also while a child is being deleted that is gone from the data plane',
  told({}, async (s) => {
    s.net.nat({ inside: [INSIDE], outside: '203.0.113.1' });
    const { client, tunnel, traffic } = await up(s, { address: INSIDE, fakeNat: false });
    client.createChild(s.now);
    await s.settle();
    const [first] = s.gateway.installed.keys();
    s.gateway.command({ do: 'end-child', spi: first ?? 0 });
    s.net.filter = (d) => !gatewayIke(d);
    s.net.rebootNats();
    expect(await done(s, ping(tunnel, BEHIND, { count: 8, interval: 20 }))).toMatchObject({ sent: 8, received: 7 });
    expect(s.gateway.view.remote.port).toBeGreaterThan(40_001);
    expect(s.gateway.view.children.map((c) => c.state)).toContain('deleting');
    s.net.filter = () => true;
    await s.run({ ms: 20_000 });
    return traffic;
  }),
);
