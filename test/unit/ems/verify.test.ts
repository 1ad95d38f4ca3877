/** `execute fctems verify` and its sisters with a connector and an emulated EMS, over real HTTPS. */
import { describe, expect, it } from 'vitest';
import { issueCertificate } from '../../../crypto/index.ts';
import { EmsCallFailed, EmsHttp, type EmsPort, emsAdmin, NativeDriver, type ServerCertificate } from '../../../src/ems/index.ts';
import { type EmsFault, makeEmsCertificates } from '../../../src/lab/index.ts';
import { withEms as emsWorld, type Wish, type World } from './world.ts';

const now = Math.floor(Date.now() / 1000);
const other = makeEmsCertificates({ serial: 'FCTEMS2', names: ['127.0.0.1'], now });
const UNKNOWN: Wish = { ca: [other.ca.certificate] };
const client = issueCertificate({
  subject: [['CN', 'PSTRN1']],
  key: 'p256',
  notBefore: now - 60,
  notAfter: now + 3600,
  eku: ['clientAuth'],
});
const QUESTION = 'Do you wish to add the above certificate to trusted remote certificates? (y/n)';

type Heard = { readonly code: number; readonly text: string; readonly asked: readonly string[] };
type Scene = World & {
  does(what: 'verify' | 'unverify' | 'isVerified', answer?: boolean): Promise<Heard>;
  readonly told: string[];
};

function talkTo(admin: ReturnType<typeof emsAdmin>): Scene['does'] {
  return async (what, answer = false) => {
    const [heard, asked]: [string[], string[]] = [[], []];
    const code = await admin[what]({
      out: (text) => Promise.resolve(void heard.push(text)),
      ask: (question) => {
        asked.push(question);
        return Promise.resolve(answer);
      },
    });
    return { code, text: heard.join(''), asked };
  };
}

function withEms(wish: Wish, test: (scene: Scene) => Promise<void>): () => Promise<void> {
  return emsWorld(wish, async (world) => {
    const { ems, connector } = world;
    const told: string[] = [];
    const http = new EmsHttp({
      ...{ host: '127.0.0.1', port: wish.port ?? ems.port, sourceIp: undefined, client, timeout: 2000, accessKey: undefined },
      ca: wish.ca ?? [ems.ca],
      pinned: () => connector.pinned,
    });
    const driver = new NativeDriver(http, () => () => undefined);
    const note = (level: string, message: string) => void told.push(`${level} ${message}`);
    try {
      await test({ ...world, told, does: talkTo(emsAdmin(connector, { identify: () => driver.identify(), note })) });
    } finally {
      http.close();
    }
  });
}

describe('execute fctems verify', () => {
  it(
    'shows a certificate that nobody vouches for, asks, and remembers it',
    withEms(UNKNOWN, async ({ connector, does, is, told }) => {
      await is('Cert unauthorized');
      const { sha256 } = await connector.inspect();
      const { code, text, asked } = await does('verify', true);
      expect([code, asked]).toEqual([0, [QUESTION]]);
      expect(text).toMatch(
        /^\n {8}Subject: {5}.*CN = .*\n {8}Issuer: {6}.*\n {8}Valid from: {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}GMT\n/,
      );
      expect(text).toMatch(
        /^Postern: SHA-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}: \S+\n\nEMS configuration needs user to confirm server certificate\.$/m,
      );
      expect(text.replaceAll(':', '')).toContain(sha256);
      expect(text).toMatch(/\nCertificate successfully configured and verified\.\n$/);
      expect(connector.pinned).toBe(sha256);
      expect(told).toEqual(['warn the certificate of an EMS was accepted by hand']);
      await is('Connected');
      expect(await does('verify')).toEqual({ code: 0, text: 'Certificate successfully configured and verified.\n', asked: [] });
    }),
  );

  it(
    'a no leaves it as it is, and says why it is not verified',
    withEms(UNKNOWN, async ({ connector, does, told }) => {
      const { code, text, asked } = await does('verify');
      expect([code, asked.length, connector.pinned, told]).toEqual([1, 1, undefined, []]);
      expect(text).toContain(
        'certificate not configured/verified: 2\n' +
          'Could not verify server certificate based on current certificate authorities.\n' +
          'Error 1--92-60-0 in get SN call: EMS Certificate is not signed by a known CA.\n',
      );
    }),
  );

  it(
    'one that a known authority vouches for may be accepted by itself, and need not be',
    withEms({}, async ({ connector, does }) => {
      const no = await does('verify');
      expect(no).toMatchObject({
        code: 1,
        asked: [QUESTION],
        text: expect.stringContaining('once it is accepted, only this one counts'),
      });
      expect(no.text).toMatch(/vouches for it as before\n$/);
      expect(connector.pinned).toBeUndefined();
      expect(await does('verify', true)).toMatchObject({ code: 0 });
      expect(connector.pinned).toBeDefined();
    }),
  );

  const DENIED =
    'failure in certificate configuration/verification: -4\n' +
    'Could not verify EMS. Error 1--94-0-401 in get SN call: Authentication denied.\n';
  it(
    'says that the gateway is not authorised before it asks, where the authority is known',
    withEms({ ems: { autoAuthorize: false } }, async ({ does, ems }) => {
      expect(await does('verify', true)).toMatchObject({ code: 1, asked: [], text: expect.stringContaining(DENIED) });
      ems.authorize('PSTRN1');
      expect(await does('verify', true)).toMatchObject({ code: 0, asked: [QUESTION] });
    }),
  );

  it(
    'and after it, where it is not: then the certificate stays accepted',
    withEms({ ...UNKNOWN, ems: { autoAuthorize: false } }, async ({ connector, does }) => {
      const { code, text, asked } = await does('verify', true);
      expect([code, asked.length]).toEqual([1, 1]);
      expect(text).toContain(DENIED);
      expect(connector.pinned).toBeDefined();
    }),
  );

  it(
    'says that a certificate is not the one that was accepted, and takes the new one from a person only',
    withEms({}, async ({ connector, ems, does, is, told }) => {
      await does('verify', true);
      const before = connector.pinned;
      await is('Connected');
      await ems.fault({ name: 'certificate', kind: 'changed-key' });
      const changed =
        'Failed to verify the certificate for server "lab (ID: 3)".\n' +
        'Server certificate or configured certificate is not recognized.\n';
      const no = await does('verify');
      expect(no).toMatchObject({ code: 1, asked: [QUESTION] });
      expect(no.text.startsWith(`${changed}\n        Subject:`)).toBe(true);
      expect(connector.pinned).toBe(before);
      expect(await does('isVerified')).toMatchObject({ code: 1, text: changed });
      expect(await does('verify', true)).toMatchObject({ code: 0 });
      expect(connector.pinned).not.toBe(before);
      expect(told).toHaveLength(2);
    }),
  );

  it.each<readonly [string, EmsFault, string]>([
    ['down', { name: 'down' }, 'EMS server was not reachable.'],
    [
      'failing',
      { name: 'status', status: 500 },
      'EMS server connection failed because the server is not compatible. received https code 500',
    ],
    ['no EMS', { name: 'garbage', kind: 'json' }, 'EMS server connection failed because the server is not compatible.'],
  ])('an EMS that is %s', async (_, fault, expected) => {
    await withEms({}, async ({ ems, does }) => {
      await ems.fault(fault);
      const { code, text, asked } = await does('verify', true);
      expect([code, asked]).toEqual([1, []]);
      const [before, after] = ['Error in requesting EMS fabric connection: -5\n', 'Error (-1@_get_capabilities:461).\nPostern: '];
      expect(text.startsWith(`${before}issue in getting capabilities. ${expected}\n${after}`)).toBe(true);
    })();
  });
});

describe('execute fctems unverify and is-verified', () => {
  it(
    'give up what was accepted, and say what is trusted',
    withEms(UNKNOWN, async ({ connector, does, is }) => {
      expect(await does('isVerified')).toMatchObject({ code: 1, text: expect.stringContaining('is not verified: ') });
      expect(await does('unverify')).toMatchObject({ code: 0, text: expect.stringContaining('no certificate of it') });
      await does('verify', true);
      await is('Connected');
      expect(await does('isVerified')).toMatchObject({
        code: 0,
        text: 'EMS "lab" (ID: 3): its certificate is verified: it was accepted by hand\n',
      });
      expect(await does('unverify')).toMatchObject({ code: 0, text: expect.stringContaining('no longer accepted') });
      expect(connector.pinned).toBeUndefined();
      await is('Cert unauthorized');
    }),
  );

  it(
    'a known authority is enough; an EMS that is away proves nothing',
    withEms({}, async ({ ems, does }) => {
      expect(await does('isVerified')).toMatchObject({ code: 0, text: expect.stringContaining('known authority') });
      await does('verify', true);
      await ems.fault({ name: 'down' });
      expect(await does('isVerified')).toMatchObject({
        code: 1,
        text: expect.stringMatching(/-5\n[\s\S]*Postern: accepted is the certificate with SHA-256/),
      });
    }),
  );
});

describe('a server that is not what it was a moment ago', () => {
  const shown = (fields: Partial<ServerCertificate>): ServerCertificate => ({
    chain: [],
    sha256: 'AB',
    trusted: 'no',
    why: 'self-signed',
    ...fields,
  });
  const port = (certificate: ServerCertificate): EmsPort & { readonly trusted: string[] } => {
    const trusted: string[] = [];
    return {
      ...{ number: 1, name: 'x', pinned: undefined, trusted },
      inspect: () => Promise.resolve(certificate),
      trust: (sha256) => Promise.resolve(void trusted.push(sha256)),
      untrust: () => Promise.resolve(false),
    };
  };
  const o = { identify: () => Promise.reject(new EmsCallFailed('certificate', 'it is\u001b[2J another')), note: () => undefined };

  it('shows no certificate, or one that nobody can read: nothing is asked', async () => {
    for (const chain of [[], [new Uint8Array(5)]]) {
      const p = port(shown({ chain }));
      expect(await talkTo(emsAdmin(p, o))('verify', true)).toMatchObject({
        code: 1,
        asked: [],
        text: expect.stringContaining('verified: 2\n'),
      });
      expect(p.trusted).toEqual([]);
    }
  });

  it('shows another one once the first is accepted: said, in words that give no orders to the terminal', async () => {
    const [leaf] = [new Uint8Array(Buffer.from(client.certificate.replace(/-----.*-----|\s/g, ''), 'base64'))];
    const p = port(shown({ chain: [leaf] }));
    const { code, text } = await talkTo(emsAdmin(p, o))('verify', true);
    expect([code, p.trusted]).toEqual([1, ['AB']]);
    expect(text).toMatch(/not recognized\.\nPostern: it is \[2J another\n$/);
  });
});
