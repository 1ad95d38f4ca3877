import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../crypto/index.ts';
import { EmsEmulator, EmsRefused, fingerprintOf, makeEmsCertificates } from '../../../src/lab/index.ts';
import { call, gatewayCertificate, listen } from './emsClient.ts';

const GATEWAY = 'FGVM01TM00000001';
const certificate = gatewayCertificate(GATEWAY);
const open: EmsEmulator[] = [];
/** An emulator that ends with the file. */
async function emulator(o: Parameters<typeof EmsEmulator.start>[0] = {}) {
  const ems = await EmsEmulator.start({ certificates, ...o });
  open.push(ems);
  return ems;
}
const certificates = makeEmsCertificates({
  serial: 'FCTEMS0000000001',
  names: ['localhost', '127.0.0.1'],
  now: Math.floor(Date.now() / 1000),
  intermediate: true,
});
afterAll(() => Promise.all(open.map((ems) => ems.close())));

/** A clock that stands until it is moved. */
function clock() {
  const at = { ms: Date.now() };
  return { at, now: () => at.ms };
}

describe('who may ask (EMS API §1.2)', () => {
  it('a certificate is pending until the administrator has authorised it', async () => {
    const ems = await emulator();
    const asks = () => call(ems, '/postern/v1/hello', { certificate });
    expect(await asks()).toMatchObject({
      status: 401,
      body: { error: 'not-authorized', message: expect.stringContaining(GATEWAY) },
    });
    const fingerprint = fingerprintOf(certificate.certificate);
    expect(ems.gateways()).toEqual([{ cn: GATEWAY, state: 'pending', fingerprint: undefined, asks: fingerprint }]);
    ems.authorize(GATEWAY);
    expect(await asks()).toMatchObject({ status: 200, body: { api: 1, serial: 'FCTEMS0000000001' } });
    ems.deny(GATEWAY);
    expect(await asks()).toMatchObject({ status: 403, body: { error: 'denied' } });
    ems.forget(GATEWAY);
    expect((await asks()).status).toBe(401);
    expect(() => ems.forget('FGVM404')).toThrow("there is no gateway 'FGVM404'");
  });

  it('the name alone is nothing: another certificate with a CN that is authorised is refused, the first stays good', async () => {
    const ems = await emulator();
    await call(ems, '/postern/v1/hello', { certificate });
    ems.authorize(GATEWAY);
    const thief = gatewayCertificate(GATEWAY);
    const socket = await listen(ems, certificate);
    expect((await call(ems, '/postern/v1/hello', { certificate: thief })).status).toBe(401);
    expect((await call(ems, '/postern/v1/hello', { certificate })).status).toBe(200);
    expect(ems.gateways()[0]).toMatchObject({ state: 'authorized', asks: fingerprintOf(thief.certificate) });
    expect(socket.socket.readyState).toBe(socket.socket.OPEN);
    ems.authorize(GATEWAY); // a renewed certificate: the one that asks becomes the one that is good
    expect(await socket.closed).toBe(4401);
    expect((await call(ems, '/postern/v1/hello', { certificate })).status).toBe(401);
    expect((await call(ems, '/postern/v1/hello', { certificate: thief })).status).toBe(200);
  });

  it('one that was authorised before it came is pinned to its first certificate; by fingerprint only that one is', async () => {
    const ems = await emulator();
    ems.authorize(GATEWAY);
    expect((await call(ems, '/postern/v1/hello', { certificate })).status).toBe(200);
    expect((await call(ems, '/postern/v1/hello', { certificate: gatewayCertificate(GATEWAY) })).status).toBe(401);
    const other = gatewayCertificate('FGVM2');
    ems.authorize('FGVM2', new Array(32).fill('ab').join(':'));
    expect((await call(ems, '/postern/v1/hello', { certificate: other })).status).toBe(401);
    ems.authorize('FGVM2', fingerprintOf(other.certificate).toLowerCase());
    expect((await call(ems, '/postern/v1/hello', { certificate: other })).status).toBe(200);
    expect(() => ems.authorize('FGVM2', 'abc')).toThrow('no SHA-256 fingerprint');
    expect(() => ems.authorize('a b')).toThrow(EmsRefused);
  });

  it('silent approval is for the first certificate of a CN alone', async () => {
    const ems = await emulator({ autoAuthorize: true });
    expect((await call(ems, '/postern/v1/hello', { certificate })).status).toBe(200);
    expect((await call(ems, '/postern/v1/hello', { certificate: gatewayCertificate(GATEWAY) })).status).toBe(401);
    ems.deny('FGVM3');
    expect((await call(ems, '/postern/v1/hello', { certificate: gatewayCertificate('FGVM3') })).status).toBe(403);
  });

  it('headers that claim a certificate mean nothing, and so do one without a serial number and one out of date', async () => {
    const ems = await emulator({ autoAuthorize: true });
    ems.authorize(GATEWAY, fingerprintOf(certificate.certificate));
    const claim = encodeURIComponent(certificate.certificate);
    const headers = { 'X-SSL-Client-Cert': claim, 'X-SSL-CLIENT-VERIFY': '0', 'X-Forwarded-Client-Cert': `Cert="${claim}"` };
    expect((await call(ems, '/postern/v1/hello', { headers })).body.error).toBe('no-certificate');
    for (const [wrong, error] of [
      [gatewayCertificate('no serial number'), 'no-certificate'],
      [gatewayCertificate('FGVM4', { to: -10 }), 'certificate-expired'],
      [gatewayCertificate('FGVM4', { from: 1000 }), 'certificate-expired'],
    ] as const) {
      expect((await call(ems, '/postern/v1/hello', { certificate: wrong })).body.error).toBe(error);
    }
    expect(ems.gateways()).toHaveLength(1);
  });

  it('a stranger among too many pushes out a stranger, never what the administrator decided', async () => {
    const ems = await emulator();
    for (let i = 0; i < 255; i++) ems.authorize(`FGVM${i}`);
    for (const cn of ['STRANGER1', 'STRANGER2']) await call(ems, '/postern/v1/hello', { certificate: gatewayCertificate(cn) });
    expect(ems.gateways().filter((g) => g.state === 'pending')).toMatchObject([{ cn: 'STRANGER2' }]);
    ems.authorize('FGVM255');
    expect(() => ems.authorize('FGVM256')).toThrow('at most 256');
    expect((await call(ems, '/postern/v1/hello', { certificate: gatewayCertificate('STRANGER3') })).status).toBe(401);
    expect(ems.gateways()).toHaveLength(256);
  });

  it('in the cloud the access key is who asks (§1.3)', async () => {
    const key = 'correct-horse-battery';
    const ems = await emulator({ accessKey: Secret.utf8(key) });
    const asks = (authorization: string) => call(ems, '/postern/v1/hello', { headers: { authorization }, certificate });
    expect((await asks(`Bearer ${key}`)).status).toBe(200);
    for (const wrong of ['', `Bearer ${key}x`, `Basic ${key}`, 'Bearer', `Bearer ${key} ${key}`]) {
      expect(await asks(wrong)).toMatchObject({ status: 401, body: { error: 'not-authorized' } });
    }
    expect(ems.gateways()).toEqual([]);
    expect(JSON.stringify(ems.save())).not.toContain(key);
    await expect(emulator({ accessKey: Secret.utf8('short') })).rejects.toThrow('16 to 512');
  });
});

describe('the calls (EMS API §3)', () => {
  let ems: EmsEmulator;
  const get = (path: string, wish: Parameters<typeof call>[2] = {}) => call(ems, `/postern/v1${path}`, { certificate, ...wish });
  beforeAll(async () => {
    ems = await emulator({ autoAuthorize: true, limits: { log: 4, endpoints: 8, tunnels: 2 } });
  });

  it('hello and token-keys say who it is', async () => {
    expect((await get('/hello')).body).toEqual({
      api: 1,
      serial: 'FCTEMS0000000001',
      tenant: '0'.repeat(32),
      version: '7.4.4',
      capabilities: ['websocket', 'sysinfo', 'tags', 'token-keys', 'tunnel-events'],
    });
    expect(await get('/token-keys')).toMatchObject({ status: 200, body: { keys: ems.tokenKeys() } });
    expect((await get('/hello')).headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
  });

  it('pages of one walk show one state; changes come after it', async () => {
    for (const uid of ['B', 'A', 'D', 'C']) ems.addEndpoint(uid, { tags: ['a'], addresses: ['10.0.0.1'] });
    const first = (await get('/devices?limit=2')).body;
    expect(first).toMatchObject({ complete: true, devices: [{ uid: 'A' }, { uid: 'B' }], removed: [], next: 'B', seq: ems.seq });
    ems.removeEndpoint('D');
    ems.setTags('C', ['b']);
    const second = (await get('/devices?limit=2&after=B')).body;
    expect(second).toMatchObject({
      seq: first.seq,
      complete: true,
      devices: [{ uid: 'C', tags: [{ name: 'a', type: 'zero_trust' }] }, { uid: 'D' }],
      next: null,
    });
    const changes = (await get(`/devices?since=${first.seq}`)).body;
    expect(changes).toMatchObject({
      complete: false,
      devices: [{ uid: 'C', tags: [{ name: 'b' }] }],
      removed: ['D'],
      next: null,
    });
    expect((await get(`/devices?since=${changes.seq}`)).body).toMatchObject({ devices: [], removed: [], seq: changes.seq });
    const split = (await get(`/devices?since=${first.seq}&limit=1`)).body;
    expect(split).toMatchObject({ devices: [{ uid: 'C' }], removed: [], next: 'C' });
    expect((await get(`/devices?since=${first.seq}&limit=1&after=C`)).body).toMatchObject({
      devices: [],
      removed: ['D'],
      next: null,
    });
  });

  it('what cannot be continued is 409 resync', async () => {
    const { seq } = ems;
    for (const path of [
      `/devices?since=${seq + 1}`,
      '/devices?since=5',
      '/devices?since=0&after=A',
      '/devices?after=ZZZ&since=7',
    ])
      expect(await get(path)).toMatchObject({ status: 409, body: { error: 'resync' } });
    for (const hostname of ['1', '2', '3']) for (const uid of ['A', 'B', 'C']) ems.setEndpoint(uid, { hostname });
    expect((await get(`/devices?since=${seq}`)).status).toBe(200); // nine changes of three devices: three lines of the log
    for (const uid of ['E', 'F', 'G']) ems.addEndpoint(uid);
    expect((await get(`/devices?since=${seq}`)).status).toBe(409);
  });

  it('looks up one device, and those with an address in any spelling', async () => {
    ems.setEndpoint('E', { addresses: ['2001:db8::5', '10.9.9.9'], publicIp: '192.0.2.1' });
    expect((await get('/devices/E')).body).toEqual(ems.endpoint('E'));
    for (const [path, status] of [
      ['/devices/e', 404],
      ['/devices/a%20b', 404],
      ['/devices/', 404],
      ['/devices/E/x', 404],
    ] as const)
      expect((await get(path)).status).toBe(status);
    const found = async (address: string) => (await get(`/devices?address=${address}`)).body;
    expect(await found('2001:DB8:0::0:5')).toMatchObject({ complete: false, devices: [{ uid: 'E' }], removed: [], next: null });
    expect((await found('192.0.2.1')).devices).toEqual([]);
    expect((await found('10.0.0.1')).devices).toHaveLength(3);
  });

  it.each([
    ['/devices?since=-1', 400, 'bad-request'],
    ['/devices?since=x', 400, 'bad-request'],
    ['/devices?since=1&since=2', 400, 'bad-request'],
    ['/devices?since=9007199254740992', 400, 'bad-request'],
    ['/devices?limit=0', 400, 'bad-request'],
    ['/devices?limit=1001', 400, 'bad-request'],
    ['/devices?after=a%20b', 400, 'bad-request'],
    ['/devices?address=10.1', 400, 'bad-request'],
    ['/devices?address=10.0.0.1&since=1', 400, 'bad-request'],
    ['/nothing', 404, 'not-found'],
    ['/toString', 404, 'not-found'],
    ['', 404, 'not-found'],
    ['/tunnels', 405, 'method-not-allowed'],
    ['/changes', 426, 'upgrade-required'],
  ])('GET %s is %i %s', async (path, status, error) => {
    expect(await get(path)).toMatchObject({ status, body: { error, message: expect.any(String) } });
  });

  it('takes tunnel events, the last of them, and refuses what is none', async () => {
    const event = { event: 'up', uid: 'A', gateway: 'dialup_0', address: '10.10.1.1', vdom: 'root' };
    const post = (body: unknown, headers: Readonly<Record<string, string>> = { 'Content-Type': 'application/json' }) =>
      get('/tunnels', { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
    for (const gateway of ['dialup_0', 'dialup_1', 'dialup_2']) expect((await post({ ...event, gateway })).status).toBe(204);
    expect(ems.tunnels()).toMatchObject([{ gateway: 'dialup_1' }, { ...event, gateway: 'dialup_2', by: GATEWAY }]);
    for (const wrong of [{ event: 'sideways' }, { uid: 'a b' }, { uid: 7 }, { gateway: '' }, { address: 'here' }, { vdom: null }])
      expect((await post({ ...event, ...wrong })).status).toBe(400);
    for (const body of ['', '{', 'null', '[]', '"\ud800"']) expect((await post(body)).status).toBe(400);
    expect(await post('x'.repeat(16_385))).toMatchObject({ status: 413, body: { error: 'too-large' } });
    expect((await post(event, { 'Content-Type': 'text/plain' })).status).toBe(415);
    expect((await get('/hello', { method: 'POST', headers: { 'Content-Type': 'application/json' } })).headers['allow']).toBe(
      'GET',
    );
    expect(ems.tunnels()).toHaveLength(2);
  });
});

describe('records (EMS API §2)', () => {
  it('are kept in one spelling, and `changed` follows what a gateway decides by', async () => {
    const { at, now } = clock();
    const ems = await emulator({ now });
    const then = Math.floor(at.ms / 1000);
    const made = ems.addEndpoint('U1', {
      addresses: ['2001:DB8::0:1'],
      macs: ['00-0C-29-AA-BB-CC'],
      certSn: '00ab',
      tags: ['a', 'a', { name: 'a', type: 'classification' }],
    });
    expect(made).toMatchObject({
      addresses: ['2001:db8::1'],
      macs: ['00:0c:29:aa:bb:cc'],
      certSn: 'AB',
      tags: [
        { name: 'a', type: 'zero_trust' },
        { name: 'a', type: 'classification' },
      ],
      registered: true,
      changed: then,
    });
    at.ms += 60_000;
    const { seq } = ems;
    expect(ems.setEndpoint('U1', { hostname: 'PC1', online: false }).changed).toBe(then);
    expect(ems.seq).toBe(seq + 1);
    ems.setEndpoint('U1', { hostname: 'PC1', online: false });
    expect(ems.seq).toBe(seq + 1); // nothing changed
    for (const [i, fields] of [{ tags: ['b'] }, { quarantined: true }, { registered: false }, { addresses: [] }].entries()) {
      at.ms += 1000;
      expect(ems.setEndpoint('U1', fields).changed).toBe(then + 61 + i);
    }
  });

  it.each([
    ['a b', {}, 'is no UID'],
    ['U', { addresses: ['10.1'] }, "'10.1' is not an IPv4 or IPv6 address"],
    ['U', { macs: ['00:11'] }, 'not a MAC address'],
    ['U', { certSn: 'xyz' }, 'hexadecimal'],
    ['U', { tenant: 'root' }, 'is no tenant'],
    ['U', { tags: [' a'] }, 'is no tag'],
    ['U', { tags: [''] }, 'is no tag'],
    ['U', { tags: ['a\u0007'] }, 'is no tag'],
    ['U', { hostname: 'x'.repeat(256) }, 'at most 255'],
    ['U', { addresses: new Array(17).fill('10.0.0.1') }, 'at most 16'],
  ])('%s %o is refused', async (uid, fields, why) => {
    const ems = await emulator();
    expect(() => ems.addEndpoint(uid, fields)).toThrow(why);
    expect(ems.endpoints()).toEqual([]);
  });

  it('have a bound, and names', async () => {
    const ems = await emulator({ limits: { endpoints: 1 } });
    ems.addEndpoint('U1');
    expect(() => ems.addEndpoint('U1')).toThrow('there already');
    expect(() => ems.addEndpoint('U2')).toThrow('at most 1');
    expect(() => ems.setTags('U2', ['a'])).toThrow("no endpoint 'U2'");
    ems.removeEndpoint('U1');
    expect(() => ems.removeEndpoint('U1')).toThrow("no endpoint 'U1'");
    ems.addEndpoint('U2');
  });
});

describe('another life', () => {
  it('has the same serial, CA, keys, devices and gateways, and larger sequence numbers', async () => {
    const { at, now } = clock();
    const one = await emulator({ serial: 'FCTEMS7', tenant: 'ab'.repeat(16), now });
    one.addEndpoint('U1', { tags: ['a'] });
    one.authorize(GATEWAY, fingerprintOf(certificate.certificate));
    await one.rotateTokenKey();
    const saved = JSON.parse(JSON.stringify(one.save()));
    at.ms -= 5000; // a clock that was set back
    const two = await emulator({ saved, now });
    expect(two).toMatchObject({ serial: 'FCTEMS7', tenant: 'AB'.repeat(16), ca: one.ca });
    expect(two.endpoints()).toEqual(one.endpoints());
    expect(two.tokenKeys()).toEqual(one.tokenKeys());
    expect(two.seq).toBeGreaterThan(one.seq);
    expect((await call(two, `/postern/v1/devices?since=${one.seq}`, { certificate })).status).toBe(409);
    expect((await call(two, '/postern/v1/devices', { certificate })).body.devices).toHaveLength(1);
  });

  it('two of them live side by side', async () => {
    const [one, two] = [await emulator({ serial: 'FCTEMS1' }), await emulator({ serial: 'FCTEMS2', autoAuthorize: true })];
    one.addEndpoint('U1');
    expect(two.endpoints()).toEqual([]);
    expect(one.port).not.toBe(two.port);
    expect((await call(one, '/postern/v1/hello', { certificate })).status).toBe(401);
    expect((await call(two, '/postern/v1/hello', { certificate })).body.serial).toBe('FCTEMS2');
    expect(one.tokenKeys()).not.toEqual(two.tokenKeys());
  });

  it('a taken port is the system\u2019s error', async () => {
    const one = await emulator();
    await expect(emulator({ port: one.port })).rejects.toThrow('EADDRINUSE');
  });
});

describe('connections', () => {
  it('a resumed TLS session still shows who it is', async () => {
    const ems = await emulator({ autoAuthorize: true });
    const agent = new Agent({ ca: ems.ca, cert: certificate.certificate, key: certificate.key, maxCachedSessions: 4 });
    const once = () =>
      new Promise<{ readonly status: number | undefined; readonly resumed: boolean }>((resolve, reject) => {
        const sent = request(`${ems.url}/postern/v1/hello`, { agent }, (response) => {
          // The socket of a response to https.request is a TLS socket.
          const resumed = (response.socket as import('node:tls').TLSSocket).isSessionReused();
          response.resume().on('end', () => resolve({ status: response.statusCode, resumed }));
        });
        sent.on('error', reject).end();
      });
    expect(await once()).toEqual({ status: 200, resumed: false });
    expect(await once()).toEqual({ status: 200, resumed: true });
    await ems.fault({ name: 'certificate', kind: 'wrong-ca' });
    await expect(once()).rejects.toThrow(/self-signed|certificate|signature/); // the old session opens nothing here
    agent.destroy();
  });

  it('are bounded', async () => {
    const ems = await emulator({ autoAuthorize: true, limits: { connections: 1 } });
    const socket = await listen(ems, certificate);
    await expect(call(ems, '/postern/v1/hello', { certificate })).rejects.toThrow();
    socket.socket.terminate();
  });

  it('rubbish, plain HTTP, huge heads, a body that nobody wants and a client that leaves in the middle harm nobody', async () => {
    const ems = await emulator({ autoAuthorize: true });
    const tcp = (octets: string) =>
      new Promise<void>((resolve) => {
        const socket = connect(ems.port, '127.0.0.1', () => socket.write(octets));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        socket.resume();
      });
    await Promise.all([
      tcp('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      tcp('\0'.repeat(1000)),
      tcp('\x16\x03\x01\xff\xff'.repeat(100)),
    ]);
    const path = '/postern/v1/tunnels';
    const raw = (octets: string, end: boolean) =>
      new Promise<string>((resolve) => {
        let text = '';
        const { certificate: cert, key } = certificate;
        const socket = tlsConnect({ port: ems.port, host: '127.0.0.1', ca: ems.ca, cert, key }, () => {
          socket.write(octets);
          if (end) socket.end();
        });
        socket.on('data', (part) => {
          text += String(part);
        });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(text));
      });
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n`;
    expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`, false)).toBe('');
    expect(await raw(`${head}\r\n`, false)).toMatch(/^HTTP\/1\.1 415[\s\S]*Connection: close/i);
    await raw(`${head}Content-Type: application/json\r\n\r\n{`, true);
    expect(await raw('GET http://elsewhere/postern/v1/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', false)).toMatch(
      / 400 /,
    );
    const flood = `GET /postern/v1/hello HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(600);
    await ems.fault({ name: 'slow', ms: 5 });
    const answers = (await raw(`${flood}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, false)).split('HTTP/1.1 ');
    expect(answers.filter((a) => a.startsWith('429')).length).toBeGreaterThan(0);
    await ems.clearFault();
    expect((await call(ems, '/postern/v1/hello', { certificate })).status).toBe(200);
    expect(ems.tunnels()).toEqual([]);
  });

  it('answers are counted by path and status', async () => {
    const ems = await emulator({ autoAuthorize: true });
    for (const path of ['hello', 'hello', 'devices/A', 'devices/B', 'what'])
      await call(ems, `/postern/v1/${path}`, { certificate });
    expect(Object.fromEntries(ems.counters.paths)).toEqual({
      '/postern/v1/hello 200': 2,
      '/postern/v1/devices/UID 404': 2,
      'other 404': 1,
    });
  });
});
