import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  callAdmin,
  EmsEmulator,
  EmsNotRunning,
  EmsStore,
  makeEmsCertificates,
  readStore,
  serveAdmin,
} from '../../../src/lab/index.ts';

const certificates = makeEmsCertificates({ serial: 'E', names: ['127.0.0.1'], now: Math.floor(Date.now() / 1000) });
let dir = '';
let ems: EmsEmulator;
let flushed = 0;
let close = () => Promise.resolve();
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-ems-'));
  ems = await EmsEmulator.start({ certificates });
  const door = await serveAdmin(ems, dir, () => {
    flushed += 1;
    return Promise.resolve();
  });
  close = () => door.close();
});
afterAll(async () => {
  await close();
  await ems.close();
  await rm(dir, { recursive: true });
});

const place = async (): Promise<{ readonly port: number; readonly token: string }> =>
  JSON.parse(await readFile(join(dir, 'admin.json'), 'utf8'));
const post = async (body: string, authorization?: string) => {
  const { port, token } = await place();
  const response = await fetch(`http://127.0.0.1:${port}/command`, {
    method: 'POST',
    body,
    headers: { Authorization: authorization ?? `Bearer ${token}` },
  });
  return { status: response.status, body: await response.json() };
};

describe("the administrator's door", () => {
  it('is for who can read the state directory, and for nobody else', async () => {
    expect((await stat(join(dir, 'admin.json'))).mode & 0o777).toBe(0o600);
    for (const wrong of ['', 'Bearer', 'Bearer x', `Basic ${(await place()).token}`])
      expect(await post('{"do":"endpoint-list"}', wrong)).toMatchObject({ status: 401, body: { error: 'not-authorized' } });
    expect(await post('{"do":"endpoint-list"}')).toEqual({ status: 200, body: { gives: [] } });
  });

  it('does what the emulator does, and answers when it is on the disk', async () => {
    const before = flushed;
    await callAdmin(dir, 'endpoint-add', { uid: 'U1', fields: { tags: ['a'], addresses: ['10.0.0.1'] } });
    expect(flushed).toBe(before + 1);
    await callAdmin(dir, 'endpoint-set', { uid: 'U1', fields: { quarantined: true } });
    await callAdmin(dir, 'tag-add', { uid: 'U1', tag: { name: 'a', type: 'classification' } });
    expect(ems.endpoint('U1')).toMatchObject({ quarantined: true, tags: [{ type: 'zero_trust' }, { type: 'classification' }] });
    await callAdmin(dir, 'tag-remove', { uid: 'U1', name: 'a', type: 'zero_trust' });
    expect(ems.endpoint('U1')?.tags).toEqual([{ name: 'a', type: 'classification' }]);
    expect(await callAdmin(dir, 'token', { uid: 'U1', lifetime: 5 })).toMatch(/^eyJ/);
    expect(await callAdmin(dir, 'fault', { name: 'slow', value: '5' })).toEqual(['slow 5']);
    expect(await callAdmin(dir, 'fault', { name: '401' })).toEqual(['slow 5', 'status 401']);
    expect(await callAdmin(dir, 'fault-clear', { name: 'slow' })).toEqual(['status 401']);
    expect(await callAdmin(dir, 'fault-clear', {})).toEqual([]);
    await callAdmin(dir, 'gateway-authorize', { cn: 'FG1' });
    expect(await callAdmin(dir, 'gateway-list', {})).toMatchObject([{ cn: 'FG1', state: 'authorized' }]);
    await callAdmin(dir, 'gateway-forget', { cn: 'FG1' });
    await callAdmin(dir, 'rotate-key', {});
    expect(ems.tokenKeys()).toHaveLength(2);
    expect(await callAdmin(dir, 'endpoint-remove', { uid: 'U1' })).toBeNull();
    expect(await callAdmin(dir, 'endpoint-list', {})).toEqual([]);
  });

  it.each([
    ['{', 400],
    ['[]', 400],
    ['{"do":"toString"}', 400],
    ['{"do":"endpoint-add","uid":"U"}', 400],
    ['{"do":"endpoint-add","uid":7,"fields":{}}', 400],
    ['{"do":"endpoint-add","uid":"U","fields":{"tags":[7]}}', 400],
    ['{"do":"endpoint-add","uid":"U","fields":{"uid":"V"}}', 400],
    ['{"do":"endpoint-add","uid":"U","fields":{"constructor":"V"}}', 400],
    ['{"do":"endpoint-add","uid":"U","fields":{"routes":[{"ip":"10.0.0.1"}]}}', 400],
    ['{"do":"tag-add","uid":"U","tag":"a"}', 400],
    ['{"do":"token","uid":"U","lifetime":"5"}', 400],
    ['{"do":"fault-clear","name":"all"}', 400],
  ])('%s is %i', async (body, status) => {
    expect((await post(body)).status).toBe(status);
    expect(ems.endpoints()).toEqual([]);
  });

  it('is refused in words', async () => {
    await expect(callAdmin(dir, 'gateway-forget', { cn: 'FG2' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(callAdmin(dir, 'endpoint-add', { uid: 'a b', fields: {} })).rejects.toThrow('is no UID');
  });

  it('that nobody opens says so', async () => {
    await expect(callAdmin(join(dir, 'none'), 'tunnels', {})).rejects.toThrow(EmsNotRunning);
    const other = await mkdtemp(join(tmpdir(), 'postern-ems-'));
    await writeFile(join(other, 'admin.json'), JSON.stringify({ ...(await place()), token: 'of somebody else' }));
    await expect(callAdmin(other, 'tunnels', {})).rejects.toThrow(EmsNotRunning);
    await rm(other, { recursive: true });
  });
});

describe('the state directory of an EMS', () => {
  it('is written a moment after a change, whole, for this user alone, and read again', async () => {
    const state = join(dir, 'state');
    expect(await readStore(state)).toBeUndefined();
    const store = new EmsStore(
      state,
      () => ems.save(),
      () => expect.unreachable(),
    );
    ems.addEndpoint('U9', { tags: ['a', { name: 'Low', type: 'classification' }], addresses: ['2001:db8::1'] });
    ems.authorize('FG9');
    store.dirty();
    await store.flush();
    expect((await stat(state)).mode & 0o777).toBe(0o700);
    expect((await stat(join(state, 'ems.json'))).mode & 0o777).toBe(0o600);
    const saved = await readStore(state);
    expect(saved).toEqual(JSON.parse(JSON.stringify(ems.save())));
    ems.removeEndpoint('U9');
    await store.flush();
    expect((await readStore(state))?.endpoints).toHaveLength(1); // nobody said that anything is different
    store.dirty();
    await store.flush();
    expect((await readStore(state))?.endpoints).toEqual([]);
  });

  it.each([
    ['no JSON', () => '{'],
    ['another thing', () => '{"pid":1}'],
    ['a record that is none', (text: string) => text.replace('"quarantined":false', '"quarantined":"no"')],
    ['an address that is none', (text: string) => text.replace('10.7.7.7', '10.7.7.777')],
    ['a gateway that is none', (text: string) => text.replace('"state":"authorized"', '"state":"adored"')],
    [
      'a key that is none',
      (text: string) => text.replace(/"tokenKeys":\[\{"key":"-----BEGIN PRIVATE KEY-----\\n\w{9}/, '$&AAAA'),
    ],
    [
      'a certificate of another key',
      (text: string) => text.replace(/("server":\{"certificate":")[^"]+/, `$1${pem(certificates.ca.certificate)}`),
    ],
  ])('with %s is refused', async (_, spoil) => {
    const state = join(dir, 'spoilt');
    await mkdir(state, { recursive: true });
    const whole = await EmsEmulator.start({ certificates });
    whole.addEndpoint('U1', { addresses: ['10.7.7.7'] });
    whole.authorize('FG1');
    const text = JSON.stringify(whole.save());
    await whole.close();
    await writeFile(join(state, 'ems.json'), text);
    expect(await readStore(state)).toBeDefined();
    expect(spoil(text)).not.toBe(text);
    await writeFile(join(state, 'ems.json'), spoil(text));
    await expect(readStore(state)).rejects.toThrow('is not what the emulator wrote');
  });

  it('that cannot be written is told, and tried again with the next change', async () => {
    const state = join(dir, 'late', 'state');
    const troubles: unknown[] = [];
    const store = new EmsStore(
      state,
      () => ems.save(),
      (error) => troubles.push(error),
    );
    store.dirty();
    await expect(store.flush()).rejects.toThrow('ENOENT');
    expect(await readStore(state)).toBeUndefined(); // makes the directory
    await store.flush();
    expect(await readStore(state)).toBeDefined();
    expect(troubles).toEqual([]);
  });
});

const pem = (text: string): string => JSON.stringify(text).slice(1, -1);
