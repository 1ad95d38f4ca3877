import { afterAll, describe, expect, it, vi } from 'vitest';
import { EmsEmulator, type EmsFault, faultText, makeEmsCertificates, readFault } from '../../../src/lab/index.ts';
import { call, gatewayCertificate, listen } from './emsClient.ts';

const certificate = gatewayCertificate('FGVM01TM00000001');
const certificates = makeEmsCertificates({ serial: 'E', names: ['127.0.0.1'], now: Math.floor(Date.now() / 1000) });
const open: EmsEmulator[] = [];
async function emulator(o: Parameters<typeof EmsEmulator.start>[0] = {}) {
  const ems = await EmsEmulator.start({ certificates, autoAuthorize: true, ...o });
  open.push(ems);
  return ems;
}
afterAll(() => Promise.all(open.map((ems) => ems.close())));

const hello = (ems: EmsEmulator) => call(ems, '/postern/v1/hello', { certificate });
const devices = (ems: EmsEmulator, query = '') => call(ems, `/postern/v1/devices${query}`, { certificate });

describe('faults on demand (EMS API §7)', () => {
  it('down: nobody is there, and what was there is cut; then the same port again', async () => {
    const ems = await emulator();
    const { closed } = await listen(ems, certificate);
    const { port } = ems;
    await ems.fault({ name: 'down' });
    expect(await closed).toBe(1006);
    await expect(hello(ems)).rejects.toThrow('ECONNREFUSED');
    expect(ems.faults()).toEqual([{ name: 'down' }]);
    await ems.clearFault();
    expect(ems.port).toBe(port);
    expect((await hello(ems)).status).toBe(200);
  });

  it('flapping: down first, then up and down in turns', async () => {
    const ems = await emulator();
    await ems.fault({ name: 'flapping', up: 150, down: 100 });
    const seen: string[] = [];
    for (let i = 0; i < 400 && seen.join('') !== 'downupdown'; i++) {
      const is = await hello(ems).then(
        () => 'up',
        () => 'down',
      );
      if (is !== seen.at(-1)) seen.push(is);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    expect(seen).toEqual(['down', 'up', 'down']);
    await ems.clearFault('flapping');
    expect((await hello(ems)).status).toBe(200);
  });

  it('slow, with a status: each answer waits', async () => {
    const ems = await emulator();
    await ems.fault({ name: 'slow', ms: 30 });
    await ems.fault({ name: 'status', status: 500 });
    const begun = performance.now();
    expect(await hello(ems)).toMatchObject({ status: 500, body: { error: 'internal' } });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(29);
    await expect(listen(ems, certificate)).rejects.toThrow('refused: 500');
    await ems.fault({ name: 'status', status: 401 });
    await ems.clearFault('slow');
    expect(await hello(ems)).toMatchObject({ status: 401, body: { error: 'not-authorized' } });
    await ems.fault({ name: 'status', status: 429 });
    expect((await hello(ems)).headers['retry-after']).toBe('1');
    expect(ems.faults()).toEqual([{ name: 'status', status: 429 }]);
  });

  it('garbage of every kind', async () => {
    const ems = await emulator();
    for (const uid of ['A', 'B']) ems.addEndpoint(uid, { tags: ['a'] });
    const garbage = async (kind: Extract<EmsFault, { name: 'garbage' }>['kind']) => {
      await ems.fault({ name: 'garbage', kind });
      return devices(ems);
    };
    const broken = await garbage('json');
    expect(broken.status).toBe(200);
    expect(() => JSON.parse(broken.text)).toThrow();
    expect((await garbage('types')).body).toMatchObject({ seq: 'seven', complete: 'maybe', devices: {}, next: 0 });
    expect((await garbage('records')).body).toMatchObject({
      devices: [
        { uid: 'A', tags: [{ name: 'a' }] },
        { uid: 7, tags: {} },
      ],
    });
    expect((await hello(ems)).body).toMatchObject({ api: 1, capabilities: ['websocket', 'sysinfo', 'tags', 'token-keys', 7] });
    await expect(garbage('truncated')).rejects.toThrow('aborted');
    await expect(garbage('huge')).rejects.toThrow('without end');
    for (const [kind, text] of [
      ['json', /^\{.*\}\}$/],
      ['types', /"seven"/],
      ['records', /null/],
      ['huge', /x{1000}/],
    ] as const) {
      await ems.fault({ name: 'garbage', kind });
      const { socket } = await listen(ems, certificate);
      expect(await new Promise((resolve) => socket.once('message', (data) => resolve(String(data))))).toMatch(text);
      socket.terminate();
    }
    await ems.fault({ name: 'garbage', kind: 'truncated' });
    await expect(listen(ems, certificate).then((l) => l.closed)).resolves.toBe(1006);
    await ems.clearFault();
    expect((await devices(ems)).body.devices).toHaveLength(2);
  });

  it('a certificate of another CA, and another key of the same CA', async () => {
    const ems = await emulator();
    const { closed } = await listen(ems, certificate);
    await ems.fault({ name: 'certificate', kind: 'wrong-ca' });
    expect(await closed).toBe(1006);
    await expect(hello(ems)).rejects.toThrow(/certificate/);
    await ems.fault({ name: 'certificate', kind: 'changed-key' });
    expect((await hello(ems)).status).toBe(200);
    await ems.clearFault('certificate');
    expect((await hello(ems)).status).toBe(200);
  });

  it('stale frozen: all is answered as it was, nothing is told; then everything at once', async () => {
    const now = Date.now();
    const ems = await emulator({ pingEvery: 10, now: () => now }); // nobody is dead while the clock stands
    ems.addEndpoint('A', { tags: ['a'] });
    const { seq } = ems;
    const socket = await listen(ems, certificate);
    await socket.next();
    await ems.fault({ name: 'stale', kind: 'frozen' });
    ems.setTags('A', []);
    ems.addEndpoint('B');
    await ems.rotateTokenKey();
    expect((await devices(ems)).body).toMatchObject({ seq, devices: [{ uid: 'A', tags: [{ name: 'a' }] }] });
    expect((await devices(ems, `?since=${seq}`)).body).toMatchObject({ seq, devices: [], removed: [] });
    expect((await call(ems, '/postern/v1/token-keys', { certificate })).body.keys).toHaveLength(1);
    const late = await listen(ems, certificate);
    expect(await late.next()).toEqual({ type: 'hello', seq });
    await new Promise((resolve) => socket.socket.once('ping', resolve));
    await ems.clearFault('stale');
    const told = { type: 'changed', seq: ems.seq, uids: ['A', 'B'] };
    expect([await socket.next(), await late.next()]).toEqual([{ type: 'keys' }, { type: 'keys' }]);
    expect([await socket.next(), await late.next()]).toEqual([told, told]);
    expect((await call(ems, '/postern/v1/token-keys', { certificate })).body.keys).toEqual(ems.tokenKeys());
  });

  it('stale mute: calls for devices are taken and never answered, others are', async () => {
    const ems = await emulator();
    await ems.fault({ name: 'stale', kind: 'mute' });
    const [one, two] = [devices(ems), call(ems, '/api/v1/report/fct/sysinfo', { certificate })];
    const ended = Promise.allSettled([one, two]);
    expect((await hello(ems)).status).toBe(200);
    await vi.waitFor(() => {
      const { paths } = ems.counters;
      expect([paths.get('/postern/v1/devices 0'), paths.get('/api/v1/report/fct/sysinfo 0')]).toEqual([1, 1]);
    });
    await ems.clearFault();
    expect(await ended).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
    expect((await devices(ems)).status).toBe(200);
  });

  it('no-websocket: the capability is gone, and so is the path', async () => {
    const ems = await emulator();
    const { closed } = await listen(ems, certificate);
    await ems.fault({ name: 'no-websocket' });
    expect(await closed).toBe(1001);
    expect((await hello(ems)).text).not.toContain('websocket');
    await expect(listen(ems, certificate)).rejects.toThrow('refused: 404');
  });

  it('a close in the middle of faults is a close', async () => {
    const ems = await emulator();
    await ems.fault({ name: 'flapping', up: 1, down: 1 });
    const opening = ems.clearFault();
    await ems.close();
    await opening;
    await expect(hello(ems)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('faults as people write them', () => {
  it.each([
    ['down', undefined, { name: 'down' }],
    ['slow', '250', { name: 'slow', ms: 250 }],
    ['slow', undefined, { name: 'slow', ms: 1000 }],
    ['flapping', '2000:500', { name: 'flapping', up: 2000, down: 500 }],
    ['401', undefined, { name: 'status', status: 401 }],
    ['status', undefined, { name: 'status', status: 500 }],
    ['garbage', 'huge', { name: 'garbage', kind: 'huge' }],
    ['certificate', undefined, { name: 'certificate', kind: 'wrong-ca' }],
    ['stale', 'mute', { name: 'stale', kind: 'mute' }],
    ['no-websocket', undefined, { name: 'no-websocket' }],
  ] as const)('%s %s', (word, value, fault) => {
    expect(readFault(word, value)).toEqual(fault);
    expect(readFault(...(faultText(fault).split(' ') as [string, string?]))).toEqual(fault);
  });

  it.each([
    ['dwon', undefined, "there is no fault 'dwon': down, flapping"],
    ['down', 'now', "fault down takes no value, not 'now'"],
    ['slow', 'very', "fault slow takes MS (milliseconds, 1 to 600000), not 'very'"],
    ['slow', '0', 'fault slow takes'],
    ['flapping', '1', 'fault flapping takes UP:DOWN'],
    ['flapping', '1:2:3', 'fault flapping takes UP:DOWN'],
    ['status', '418', 'fault status takes 401, 403, 429, 500, 503'],
    ['garbage', 'yaml', 'fault garbage takes json, types'],
  ])('%s %s is refused', (word, value, why) => {
    expect(() => readFault(word, value)).toThrow(why);
  });
});
