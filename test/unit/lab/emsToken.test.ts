import { createPublicKey, verify } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { EmsEmulator, makeEmsCertificates } from '../../../src/lab/index.ts';
import { call, gatewayCertificate } from './emsClient.ts';

const certificate = gatewayCertificate('FGVM01TM00000001', { to: 400 * 86_400 }); // the clock below is ahead
const certificates = makeEmsCertificates({ serial: 'E', names: ['127.0.0.1'], now: Math.floor(Date.now() / 1000) });
const at = { ms: 1_800_000_000_500 };
const open: EmsEmulator[] = [];
async function emulator(o: Parameters<typeof EmsEmulator.start>[0] = {}) {
  const ems = await EmsEmulator.start({ certificates, autoAuthorize: true, now: () => at.ms, ...o });
  open.push(ems);
  return ems;
}
afterAll(() => Promise.all(open.map((ems) => ems.close())));

const part = (token: string, i: number) => Buffer.from(token.split('.')[i] ?? '', 'base64url');
/** Does this key verify the token? By Node's own RSA, not by the library that signed. */
function good(token: string, pem: string | undefined): boolean {
  const signed = token.split('.').slice(0, 2).join('.');
  return verify('sha256', Buffer.from(signed), createPublicKey(pem ?? ''), part(token, 2));
}

describe('zero-trust tokens (EMS API §5)', () => {
  it("have FortiClient's claims, exactly and in its order, RS256 with RSA-2048", async () => {
    const ems = await emulator();
    ems.addEndpoint('6108A9179A5C40D7BD57504E15114C1F', {
      certSn: '1C60ACA9',
      tags: [
        'all_registered_clients',
        { name: 'Low', type: 'classification' },
        { name: 'Storm', type: 'outbreak' },
        { name: 'Switch', type: 'fabric' },
      ],
    });
    const token = await ems.issueToken('6108A9179A5C40D7BD57504E15114C1F');
    expect(part(token, 0).toString()).toBe('{"alg":"RS256","typ":"JWT"}');
    expect(part(token, 1).toString()).toBe(
      '{"endpoint":{"uid":"6108A9179A5C40D7BD57504E15114C1F","tags":[{"name":"all_registered_clients","type":1,"levl":null},' +
        '{"name":"Low","type":3,"levl":null}],"nwifs":null,"ztna_cert_sn":"1C60ACA9","owner":null},' +
        '"exp":1800003600,"iat":1800000000}',
    );
    expect(part(token, 2)).toHaveLength(256);
    expect(good(token, ems.tokenKeys()[0])).toBe(true);
    expect(good(token, (await emulator()).tokenKeys()[0])).toBe(false);
  });

  it('live as long as is wished, from when is wished', async () => {
    const ems = await emulator({ tokenLifetime: 60 });
    ems.addEndpoint('U');
    const claims = async (wish?: Parameters<EmsEmulator['issueToken']>[1]) =>
      JSON.parse(part(await ems.issueToken('U', wish), 1).toString());
    expect(await claims()).toMatchObject({ iat: 1_800_000_000, exp: 1_800_000_060 });
    expect(await claims({ lifetime: -5 })).toMatchObject({ exp: 1_799_999_995 });
    expect(await claims({ lifetime: 10, issuedAt: 1000 })).toMatchObject({ iat: 1000, exp: 1010 });
    await expect(ems.issueToken('U', { lifetime: 1.5 })).rejects.toThrow('whole number of seconds');
    await expect(ems.issueToken('V')).rejects.toThrow("no endpoint 'V'");
  });

  it('a key that was replaced is told until its last token has ended', async () => {
    const ems = await emulator({ tokenLifetime: 100 });
    ems.addEndpoint('U');
    const token = await ems.issueToken('U');
    await ems.rotateTokenKey();
    expect(ems.tokenKeys()).toHaveLength(2);
    expect(ems.tokenKeys().map((pem) => good(token, pem))).toEqual([false, true]);
    expect((await call(ems, '/postern/v1/token-keys', { certificate })).body.keys).toEqual(ems.tokenKeys());
    at.ms += 101_000;
    expect(ems.tokenKeys()).toHaveLength(1);
    expect(good(await ems.issueToken('U'), ems.tokenKeys()[0])).toBe(true);
  });
});

describe("the shape of FortiOS' paths (EMS API §6)", () => {
  const get = async (ems: EmsEmulator, path: string) => {
    const { status, body } = await call(ems, `/api/v1/${path}`, { certificate });
    return { status, ...body };
  };
  const success = { retval: 1, message: 'Success.' };

  it('says who it is, with its keys', async () => {
    const ems = await emulator();
    expect(await get(ems, 'system/serial_number')).toEqual({
      status: 200,
      result: success,
      data: {
        serial_number: 'FCTEMS0000000001',
        tenant_id: '0'.repeat(32),
        version: '7.4.4',
        capabilities: ['common-tags-api', 'ztna-server-info', 'silent-approval'],
        ztna_server_info: { public_keys: ems.tokenKeys() },
      },
    });
  });

  it('tells tags and system information in walks of their own', async () => {
    const ems = await emulator();
    for (const uid of ['A', 'B', 'C'])
      ems.addEndpoint(uid, { tags: ['a', { name: 'Low', type: 'classification' }], hostname: uid });
    ems.setEndpoint('B', {
      tags: [],
      routes: [{ ip: '10.0.0.1', mac: '', vpn: true, interface: 'port1', vdom: 'root', sn: 'FG' }],
    });
    const { seq } = ems;
    const tags = [
      { name: 'a', type: 1 },
      { name: 'Low', type: 3 },
    ];
    expect(await get(ems, 'report/fct/uid_tags?count=2')).toEqual({
      status: 200,
      result: success,
      data: {
        updated: seq,
        is_final: false,
        full: true,
        fcts: [
          { uid: 'A', tags },
          { uid: 'B', tags: [] },
        ],
        removed: [],
        next: 'B',
      },
    });
    expect(await get(ems, 'report/fct/sysinfo')).toMatchObject({
      data: {
        is_final: true,
        fcts: [
          { uid: 'A', host: 'A' },
          {
            uid: 'B',
            is_registered: true,
            is_onnet: false,
            routes: [{ ip: '10.0.0.1', mac: '', is_vpn: true, intf: 'port1', vdom: 'root', sn: 'FG' }],
          },
          { uid: 'C' },
        ],
      },
    });
    ems.removeEndpoint('C');
    expect(await get(ems, 'report/fct/uid_tags?count=2&after=B')).toMatchObject({
      data: { updated: seq, is_final: true, fcts: [{ uid: 'C', tags }], next: null },
    });
    expect(await get(ems, `report/fct/sysinfo?updated_after=${seq}`)).toMatchObject({
      data: { updated: seq + 1, full: false, fcts: [], removed: ['C'] },
    });
    expect(await get(ems, 'report/fct/tags')).toMatchObject({
      data: {
        updated: seq + 1,
        tags: [
          { name: 'Low', type: 3, uids: ['A'] },
          { name: 'a', type: 1, uids: ['A'] },
        ],
      },
    });
  });

  it('what cannot be continued is told whole, page by page', async () => {
    const ems = await emulator();
    for (const uid of ['A', 'B']) ems.addEndpoint(uid);
    expect(await get(ems, 'report/fct/uid_tags?updated_after=5&count=1')).toMatchObject({
      data: { full: true, fcts: [{ uid: 'A' }], next: 'A' },
    });
    expect(await get(ems, 'report/fct/uid_tags?updated_after=5&count=1&after=A')).toMatchObject({
      data: { full: true, fcts: [{ uid: 'B' }], next: null },
    });
  });

  it('refuses in its own words', async () => {
    const ems = await emulator();
    expect(await get(ems, 'report/fct/uid_tags?count=0')).toMatchObject({ status: 400, result: { retval: -3 }, data: null });
    expect(await get(ems, 'report/fct/sysinfo?after=A')).toMatchObject({ status: 400, result: { retval: -3 } });
    expect(await get(ems, 'report/fct/avatars')).toMatchObject({ status: 404, result: { retval: -2 } });
    await ems.fault({ name: 'status', status: 503 });
    expect(await get(ems, 'system/serial_number')).toMatchObject({ status: 503, result: { retval: -5 }, data: null });
    await ems.clearFault();
    ems.deny('FGVM01TM00000001');
    expect(await get(ems, 'system/serial_number')).toEqual({
      status: 403,
      result: { retval: -4, message: 'Authentication denied.' },
      data: null,
    });
  });
});
