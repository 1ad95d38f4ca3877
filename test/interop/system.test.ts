/** What we configure in the system is gone when we are, also when we were killed. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gatewayConfig } from './support/config.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { addresses, layNet, type Net } from './support/namespaces.ts';
import { must, run, until } from './support/processes.ts';
import { interop } from './support/requirements.ts';

const command = fileURLToPath(new URL('../../bin/postern.ts', import.meta.url));
const policy = `config firewall policy
edit 1
set srcintf "ra"
set dstintf "any"
set srcaddr "all"
set dstaddr "all"
set action accept
set schedule "always"
set service "ALL"
set nat enable
next
end
`;

interop('what the gateway configures', () => {
  let net: Net;
  const running: Gateway[] = [];
  beforeAll(async () => {
    net = await layNet();
  });
  afterAll(async () => {
    for (const gateway of running) {
      await gateway.process.stop();
      await gateway.remove();
    }
    await net.remove();
  });

  const config = () => gatewayConfig({ shape: 'psk' }) + policy;
  const open = async () => {
    const gateway = await startGateway({
      namespace: net.gateway,
      config: config(),
      listen: [addresses.gateway],
    });
    running.push(gateway);
    return gateway;
  };
  const inside = (program: string, ...args: readonly string[]) => must(program, args, { namespace: net.gateway });
  const tables = async () => (await inside('nft', 'list', 'tables')).split('\n').filter((line) => line.includes('postern'));
  const devices = async () => (await inside('ip', '-brief', 'link')).split('\n').filter((line) => line.startsWith('postern'));
  const routes = async () => (await inside('ip', 'route', 'show', 'proto', '80')).trim();

  it('is there while it runs, and gone when it ends', async () => {
    const gateway = await open();
    expect(await devices()).toEqual([expect.stringMatching(/^postern0 +UNKNOWN .*UP/)]);
    expect(await tables()).toEqual(['table inet postern_masquerade_postern0']);
    expect(await routes()).toMatch(/^10\.10\.1\.\d+.* dev postern0/);
    expect(await inside('nft', 'list', 'table', 'inet', 'postern_masquerade_postern0')).toMatch(/masquerade/);
    expect((await gateway.stop()).code).toBe(0);
    expect([await devices(), await tables(), await routes()]).toEqual([[], [], '']);
  });

  it('of one that was killed is removed by the next, which says so; what is not ours stays', async () => {
    await inside('nft', 'add', 'table', 'inet', 'postern_of_somebody');
    const killed = await open();
    killed.process.signal('SIGKILL');
    await killed.process.ended;
    await until('the device has gone with its process', async () => ((await devices()).length === 0 ? true : undefined));
    expect(await tables()).toContain('table inet postern_masquerade_postern0');
    const next = await open();
    expect(next.journal()).toContainEqual(
      expect.objectContaining({ msg: expect.stringContaining('an earlier gateway was killed'), device: 'postern0' }),
    );
    expect((await next.stop()).code).toBe(0);
    expect(await tables()).toEqual(['table inet postern_of_somebody']);
  });

  it('takes no route of somebody else’s: not at its start, not when the configuration is read again', async () => {
    await inside('ip', 'route', 'add', '10.10.1.1/32', 'dev', 'lo');
    const without = await open();
    expect(without.journal()).toContainEqual(
      expect.objectContaining({
        msg: expect.stringMatching(/^traffic off/),
        why: '10.10.1.1/32 is routed already, by somebody else.',
        fix: expect.stringContaining('`ip route show 10.10.1.1/32`'),
      }),
    );
    expect([await devices(), await tables(), await routes()]).toEqual([[], ['table inet postern_of_somebody'], '']);
    expect((await without.stop()).code).toBe(0);
    expect(await inside('ip', 'route', 'show', '10.10.1.1')).toMatch(/dev lo/);
    await inside('ip', 'route', 'delete', '10.10.1.1/32', 'dev', 'lo');

    const gateway = await open();
    const before = [await routes(), await inside('nft', 'list', 'ruleset')];
    await inside('ip', 'route', 'add', '10.10.3.1/32', 'dev', 'lo');
    const other = config().replaceAll('10.10.1.', '10.10.3.');
    await writeFile(gateway.config, other, { mode: 0o600 });
    expect(await gateway.control('execute', 'reload')).toMatch(/10\.10\.3\.1\/32 is routed already.*stays in force/s);
    expect([await routes(), await inside('nft', 'list', 'ruleset')]).toEqual(before);
    await inside('ip', 'route', 'delete', '10.10.3.1/32', 'dev', 'lo');
    await gateway.reconfigure(other);
    expect(await routes()).toMatch(/^10\.10\.3\.\d+.* dev postern0/);
    expect(await routes()).not.toContain('10.10.1.');
    expect((await gateway.stop()).code).toBe(0);
  });

  it('the doctor looks at, and leaves nothing of its own', async () => {
    const look = async () => {
      const args = [command, 'doctor', '--listen', addresses.gateway, '--json'];
      const { code, stdout } = await run(process.execPath, args, { namespace: net.gateway });
      const found = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { about: string; state: string; says: string });
      return { code, of: (about: string) => found.find((one) => one.about === about) };
    };
    const free = await look();
    expect(free.code).toBe(0);
    expect(free.of('UDP ports')).toMatchObject({ state: 'fine' });
    expect(free.of('traffic')).toMatchObject({ state: 'fine', says: expect.stringContaining('postern0') });
    expect(await devices()).toEqual([]);
    const gateway = await open();
    const taken = await look();
    expect(taken.code).toBe(3);
    expect(taken.of('UDP ports')).toMatchObject({ state: 'wrong', says: expect.stringContaining('taken') });
    expect(await devices()).toHaveLength(1);
    expect((await gateway.stop()).code).toBe(0);
  });

  it('of one that runs is left alone by another that starts', async () => {
    const first = await open();
    const second = await startGateway({
      namespace: net.gateway,
      config: config().replaceAll('10.10.1.', '10.10.2.'),
      listen: ['127.0.0.1'],
    });
    running.push(second);
    expect((await tables()).sort()).toEqual([
      ...['table inet postern_masquerade_postern0', 'table inet postern_masquerade_postern1', 'table inet postern_of_somebody'],
    ]);
    expect((await second.stop()).code).toBe(0);
    expect(await devices()).toHaveLength(1);
    expect((await tables()).sort()).toEqual(['table inet postern_masquerade_postern0', 'table inet postern_of_somebody']);
    expect((await first.stop()).code).toBe(0);
  });
});
