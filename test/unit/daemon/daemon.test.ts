import { createSocket } from 'node:dgram';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/index.ts';
import { connectControl } from '../../../src/control/index.ts';
import { startDaemon } from '../../../src/daemon.ts';
import { openJournal } from '../../../src/log/index.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-daemon-'));
});
afterAll(() => rm(dir, { recursive: true }));

/** A gateway without a profile: enough for the plumbing between socket and engine. */
const config: Config = {
  profiles: [],
  users: { groups: new Map(), find: () => undefined },
  system: { hostname: 'h', version: 'v', ikePort: 500, nattPort: 4500 },
  settings: {
    halfOpenCookie: 10,
    halfOpenPerAddress: 10,
    halfOpenMax: 10,
    saMax: 10,
    quietAuthFailures: false,
    eapGtcWithPsk: false,
    eapMethods: ['mschapv2'],
    replayWindow: 2048,
    leaseLinger: 0,
  },
  policies: [],
  rules: [],
  fctems: [],
  posture: {
    lookupWait: 1000,
    probation: 10,
    learn: true,
    ztnaTagNotify: undefined,
    successNotify: undefined,
    failureNotify: undefined,
    geoip: undefined,
    serialNumber: undefined,
  },
};

/** A header of IKE version 3: whatever follows, it is answered with INVALID_MAJOR_VERSION (RFC 7296 §2.5). */
const versionThree = Buffer.from('00112233445566770000000000000000' + '21302208000000000000001c', 'hex');

const start = async (o: { capture?: string; state?: string } = {}) => {
  const lines: { level: string; msg: string }[] = [];
  const journal = openJournal({ stream: { write: (text: string) => void lines.push(JSON.parse(text)) } });
  const daemon = await startDaemon({
    config,
    listen: ['127.0.0.1'],
    ikePort: 0,
    nattPort: 0,
    capture: o.capture,
    state: o.state,
    captureKeys: undefined,
    journal,
  });
  return { daemon, lines };
};

/** Sends to a daemon's port and waits for what comes back. */
async function ask(port: number, octets: Uint8Array): Promise<string> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve) => {
      socket.once('message', (answer) => resolve(answer.toString('hex')));
      socket.send(octets, port, '127.0.0.1');
    });
  } finally {
    socket.close();
  }
}

describe('the daemon', () => {
  it('answers on both ports, with the marker on the NAT-T port, and writes down both ways', async () => {
    const capture = join(dir, 'a.pcap');
    const { daemon } = await start({ capture });
    const port = (natt: boolean) => daemon.listening.find((l) => l.natt === natt)?.port ?? 0;
    const invalidMajorVersion = /^00112233445566770{16}29202220/;
    expect(await ask(port(false), versionThree)).toMatch(invalidMajorVersion);
    expect(await ask(port(true), Buffer.concat([Buffer.alloc(4), versionThree]))).toMatch(
      new RegExp(`^00000000${invalidMajorVersion.source.slice(1)}`),
    );
    await daemon.stop();
    expect(await daemon.counters()).toMatchObject({ received: 2, sent: 2, faults: 0, noSocket: 0 });
    const packets = (await readFile(capture)).length - 24;
    expect(packets).toBe(2 * (16 + 28 + 28) + 4 + 2 * (16 + 28 + 36) + 4);
  });

  it('builds debug lines only while somebody listens', async () => {
    const { daemon } = await start();
    const [{ port } = { port: 0 }] = daemon.listening;
    const heard: string[] = [];
    await ask(port, versionThree);
    const leave = daemon.debug.subscribe((line) => heard.push(line));
    await ask(port, versionThree);
    leave();
    await ask(port, versionThree);
    await daemon.stop();
    expect(heard.filter((line) => line.startsWith('ike V=root:0: udp comes 127.0.0.1:'))).toHaveLength(1);
  });

  it('says once that no traffic is carried, and in the same words to who asks', async () => {
    const { daemon, lines } = await start({ state: dir });
    const heard: string[] = [];
    const client = await connectControl(join(dir, 'control.sock'));
    const person = { out: (text: string) => void heard.push(text), ask: () => Promise.resolve(false) };
    await client.run({ words: ['diagnose', 'postern', 'traffic'], terminal: false }, person);
    await daemon.stop();
    const why = 'nobody asked for it.';
    const fix = expect.stringMatching(/--inner tun.* `postern doctor`/);
    expect(lines.filter((l) => l.msg.includes('traffic off'))).toEqual([expect.objectContaining({ level: 'warn', why, fix })]);
    expect(heard.join('')).toMatch(/^Traffic is off: .*\nWhy: nobody asked for it\.\nFix: .*--inner tun.* `postern doctor`/);
  });

  it('that cannot bind leaves nothing behind', async () => {
    const { daemon } = await start();
    const [{ port } = { port: 0 }] = daemon.listening;
    const journal = openJournal({ stream: { write: () => undefined } });
    const options = { config, listen: ['127.0.0.1'], nattPort: 0, captureKeys: undefined, capture: undefined, journal };
    const earlier = join(dir, 'earlier.pcap');
    await writeFile(earlier, 'of an earlier run');
    const taken = startDaemon({ ...options, ikePort: port, capture: earlier, captureKeys: join(dir, 'none') });
    await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(await readFile(earlier, 'utf8')).toBe('of an earlier run');
    expect(await readdir(dir)).not.toContain('none');
    await daemon.stop();
    const again = await startDaemon({ ...options, ikePort: port });
    expect(again.listening.some((l) => l.port === port)).toBe(true);
    await again.stop();
  });

  it('whose capture cannot be made gives the ports back', async () => {
    const { daemon } = await start();
    const [{ port } = { port: 0 }] = daemon.listening;
    await daemon.stop();
    const journal = openJournal({ stream: { write: () => undefined } });
    const options = { config, listen: ['127.0.0.1'], ikePort: port, nattPort: 0, captureKeys: undefined, journal };
    await expect(startDaemon({ ...options, capture: join(dir, 'no', 'a.pcap') })).rejects.toMatchObject({ code: 'ENOENT' });
    const again = await startDaemon({ ...options, capture: undefined });
    expect(again.listening.some((l) => l.port === port)).toBe(true);
    await again.stop();
  });
});
