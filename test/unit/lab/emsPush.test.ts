import { afterAll, describe, expect, it, vi } from 'vitest';
import { EmsEmulator, makeEmsCertificates } from '../../../src/lab/index.ts';
import { call, gatewayCertificate, listen } from './emsClient.ts';

const GATEWAY = 'FGVM01TM00000001';
const certificate = gatewayCertificate(GATEWAY);
const certificates = makeEmsCertificates({ serial: 'E', names: ['127.0.0.1'], now: Math.floor(Date.now() / 1000) });
const open: EmsEmulator[] = [];
async function emulator(o: Parameters<typeof EmsEmulator.start>[0] = {}) {
  const ems = await EmsEmulator.start({ certificates, autoAuthorize: true, ...o });
  open.push(ems);
  return ems;
}
afterAll(() => Promise.all(open.map((ems) => ems.close())));

describe('changes over a WebSocket (EMS API §4)', () => {
  it('tells every change at once, those of one moment together', async () => {
    const ems = await emulator();
    const { next } = await listen(ems, certificate);
    expect(await next()).toEqual({ type: 'hello', seq: ems.seq });
    ems.addEndpoint('A');
    expect(await next()).toEqual({ type: 'changed', seq: ems.seq, uids: ['A'] });
    ems.addEndpoint('C');
    ems.addEndpoint('B');
    ems.setTags('C', ['x']);
    ems.removeEndpoint('A');
    expect(await next()).toEqual({ type: 'changed', seq: ems.seq, uids: ['A', 'B', 'C'] });
    await ems.rotateTokenKey();
    expect(await next()).toEqual({ type: 'keys' });
  });

  it('what happened since is told at the start; when that is not known, that anything may have', async () => {
    const ems = await emulator({ limits: { log: 2 } });
    const { seq } = ems;
    for (const uid of ['A', 'B']) ems.addEndpoint(uid);
    const known = await listen(ems, certificate, `?since=${seq}`);
    expect([await known.next(), await known.next()]).toEqual([
      { type: 'hello', seq: seq + 2 },
      { type: 'changed', seq: seq + 2, uids: ['A', 'B'] },
    ]);
    ems.addEndpoint('C');
    for (const since of [seq, seq + 100]) {
      const forgotten = await listen(ems, certificate, `?since=${since}`);
      expect([await forgotten.next(), await forgotten.next()]).toEqual([
        { type: 'hello', seq: seq + 3 },
        { type: 'changed', seq: seq + 3, uids: [] },
      ]);
    }
  });

  it('tells more than a thousand devices in messages of a thousand', async () => {
    const ems = await emulator();
    const { next } = await listen(ems, certificate);
    await next();
    for (let i = 0; i < 2001; i++) ems.addEndpoint(`U${i}`);
    const sizes = [await next(), await next(), await next()].map(({ seq, uids }) => [seq, Array.isArray(uids) && uids.length]);
    expect(sizes).toEqual([1000, 1000, 1].map((n) => [ems.seq, n]));
  });

  it('pings, and lets go of who does not answer', async () => {
    const at = { ms: Date.now() };
    const ems = await emulator({ pingEvery: 10, now: () => at.ms });
    const [alive, dead] = [await listen(ems, certificate), await listen(ems, certificate, '', { autoPong: false })];
    at.ms += 20;
    await vi.waitFor(() => expect(Math.min(alive.pings, dead.pings)).toBeGreaterThan(2));
    at.ms += 10;
    expect(await dead.closed).toBe(1006);
    expect(alive.socket.readyState).toBe(alive.socket.OPEN);
    await vi.waitFor(() => expect(ems.counters.webSockets).toBe(1));
  });

  it('is for listening: a client that speaks is closed', async () => {
    const ems = await emulator();
    const [talker, shouter] = [await listen(ems, certificate), await listen(ems, certificate)];
    talker.socket.send('hello?');
    expect(await talker.closed).toBe(1008);
    shouter.socket.send('x'.repeat(5000));
    expect(await shouter.closed).toBe(1009);
  });

  it('is refused as any call is, and ends with the authorisation', async () => {
    const ems = await emulator();
    const [one, two] = [await listen(ems, certificate), await listen(ems, gatewayCertificate('FGVM2'))];
    ems.deny(GATEWAY);
    ems.forget('FGVM2');
    expect([await one.closed, await two.closed]).toEqual([4403, 4401]);
    await expect(listen(ems, certificate)).rejects.toThrow('refused: 403');
    await expect(listen(ems, gatewayCertificate('no serial'))).rejects.toThrow('refused: 401');
    const good = gatewayCertificate('FGVM3');
    await expect(listen(ems, good, '?since=x')).rejects.toThrow('refused: 400');
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket' };
    expect((await call(ems, '/postern/v1/devices', { certificate: good, headers })).status).toBe(404);
    expect((await call(ems, '/postern/v1/changes', { certificate: good, headers })).status).toBe(400);
    expect((await call(ems, '/postern/v1/hello', { certificate: good, headers: { ...headers, Upgrade: 'h2c' } })).status).toBe(
      200,
    );
  });

  it('says that it stops', async () => {
    const ems = await emulator();
    const { closed } = await listen(ems, certificate);
    await ems.close();
    await ems.close();
    expect([1001, 1006]).toContain(await closed);
  });
});
