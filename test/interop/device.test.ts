/** Runs of UDP between our device and the kernel's sockets: in one call where the kernel has them, and always the same octets. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { layNet, type Net } from './support/namespaces.ts';
import { must } from './support/processes.ts';
import { interop } from './support/requirements.ts';

const program = fileURLToPath(new URL('./support/device.ts', import.meta.url));

interop('a TUN device', () => {
  let net: Net;
  beforeAll(async () => {
    net = await layNet();
  });
  afterAll(async () => {
    await net.remove();
  });

  it.each([
    ['IPv4', '10.66.0.1', '10.66.0.2'],
    ['IPv6', 'fd66::1', 'fd66::2'],
  ])('gives and takes datagrams of %s in runs, each whole and in its order', async (_, own, other) => {
    const said = await must(process.execPath, [program, own, other], { namespace: net.gateway });
    const report = JSON.parse(said) as { runs: boolean };
    const calls = report.runs ? 1 : 40;
    expect(report).toEqual({ runs: report.runs, in: 40, inWhole: true, writes: calls, out: 40, outWhole: true, reads: calls });
  });
});
