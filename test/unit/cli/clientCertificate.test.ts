/** `postern client` with certificates on both ends, and with its secrets out of the environment. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CertificateOrder, issueCertificate } from '../../../crypto/index.ts';
import { judgeOf } from '../../../src/cli/client/trust.ts';
import { main } from '../../../src/cli/index.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { type Daemon, startDaemon } from '../../../src/daemon.ts';
import { DAY, family, issue, NOW } from '../../support/pki.ts';
import { fakeTerminal } from '../../support/terminal.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-client-'));
  await writeFile(at('psk'), 'kiesel-und-moos\n');
});
afterAll(async () => await rm(folder, { recursive: true }));

describe('certificates, and secrets of the environment', () => {
  const now = Math.floor(Date.now() / 1000);
  const made = (cn: string, more: Partial<CertificateOrder> = {}) =>
    issueCertificate({ subject: [['CN', cn]], key: 'p256', notBefore: now - 60, notAfter: now + 600, ...more });
  const ca = made('Test CA', { ca: {} });
  const [server, laptop] = ['vpn.lab.test', 'laptop.lab.test'].map((cn) => made(cn, { issuer: ca, dns: [cn] }));
  let daemon: Daemon | undefined;
  const port = (natt: boolean) => `${daemon?.listening.find((l) => l.natt === natt)?.port ?? 0}`;
  const common = () => ['client', '--ike-port', port(false), '--natt-port', port(true), '--dhgrp', '31', '--stay', '0'];

  beforeAll(async () => {
    await writeFile(at('ca.pem'), ca.certificate);
    await writeFile(at('other.pem'), made('Another CA', { ca: {} }).certificate);
    await writeFile(at('laptop.pem'), laptop?.certificate ?? '');
    await writeFile(at('laptop.key'), laptop?.key ?? '');
    const lines = (path: string, entry: string, sets: Readonly<Record<string, string>>) =>
      `config ${path}\nedit "${entry}"\n${Object.entries(sets)
        .map(([word, value]) => `set ${word} ${value}\n`)
        .join('')}next\nend\n`;
    const profile = (name: string, sets: Readonly<Record<string, string>>) =>
      lines('vpn ipsec phase1-interface', name, {
        ...{ type: 'dynamic', 'ike-version': '2', 'mode-cfg': 'enable', proposal: 'aes256gcm-prfsha256', dhgrp: '31' },
        ...{ 'ipv4-start-ip': '10.7.0.1', 'ipv4-end-ip': '10.7.0.9', authmethod: 'signature', certificate: '"gateway"' },
        ...{ localid: 'vpn.lab.test', ...sets },
      }) + lines('vpn ipsec phase2-interface', name, { phase1name: name, proposal: 'aes256gcm', pfs: 'disable' });
    const { config, findings } = loadConfig(
      [
        lines('vpn certificate ca', 'ca', { ca: `"${ca.certificate.trim()}"` }),
        lines('vpn certificate local', 'gateway', {
          'private-key': `"${server?.key.trim()}"`,
          certificate: `"${server?.certificate.trim()}"`,
        }),
        lines('user peer', 'laptops', { ca: '"ca"' }),
        lines('user local', 'alice', { type: 'password', passwd: 'wonder-land-7' }),
        lines('user group', 'staff', { member: '"alice"' }),
        profile('machines', { peertype: 'peer', peer: '"laptops"' }),
        profile('people', { peertype: 'any', eap: 'enable', 'eap-identity': 'send-request', authusrgrp: '"staff"' }),
      ].join(''),
    );
    expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
    const journal = { event: () => undefined, note: () => undefined, flush: () => undefined, counters: NO_LINES };
    daemon = await startDaemon({
      ...{ config, listen: ['127.0.0.1'], ikePort: 0, nattPort: 0, capture: undefined, captureKeys: undefined, journal },
    });
  });
  afterAll(async () => await daemon?.stop());
  const NO_LINES = { lines: 0, thinned: 0, dropped: 0 };
  const mine = () => ['--certificate', at('laptop.pem'), '--key', at('laptop.key'), '--id', 'laptop.lab.test'];

  it.each([['--no-fortinet'], ['--gateway-id', 'vpn.lab.test']])('on both ends, %s', async (...more) => {
    const { terminal, out } = fakeTerminal();
    expect(await main([...common(), ...mine(), '--ca', at('ca.pem'), ...more], terminal)).toBe(0);
    expect(out()).toMatch(/the gateway proved itself by ECDSA.*\n.*address 10\.7\.0\.\d, 1 child SA; hangs up in 0 s/);
  });

  it('of the gateway, with a user whose password is in the environment', async () => {
    vi.stubEnv('LAB_PASSWORD', 'wonder-land-7');
    const { terminal, out } = fakeTerminal();
    const more = ['--ca', at('ca.pem'), '--user', 'alice', '--password-env', 'LAB_PASSWORD'];
    expect(await main([...common(), ...more], terminal)).toBe(0);
    expect(out()).toContain('hung up');
    vi.stubEnv('LAB_PASSWORD', 'wrong');
    const wrong = fakeTerminal();
    expect(await main([...common(), ...more], wrong.terminal)).toBe(4);
    expect(wrong.out()).toMatch(/not connected: EAP: E=691.*\n.*usually: a wrong user or password/);
    vi.unstubAllEnvs();
  });

  it('another authority, another name: the gateway is not believed', async () => {
    const { terminal, out } = fakeTerminal();
    expect(await main([...common(), ...mine(), '--ca', at('other.pem')], terminal)).toBe(4);
    expect(out()).toMatch(/not connected: the certificate of the gateway: nobody in --ca has issued 'CN = vpn\.lab\.test'/);
    const second = fakeTerminal();
    const more = ['--ca', at('ca.pem'), '--gateway-id', 'mail.lab.test'];
    expect(await main([...common(), ...mine(), ...more], second.terminal)).toBe(4);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['no key beside the certificate', ['--certificate', 'laptop.pem'], /--certificate and --key go together/],
    ['the key of another', ['--certificate', 'ca.pem', '--key', 'laptop.key'], /is not the key of a certificate/],
    ['a certificate that is none', ['--certificate', 'psk', '--key', 'laptop.key'], /no certificate in PEM format/],
    ['a key that is none', ['--certificate', 'laptop.pem', '--key', 'psk'], /--key .*psk: /],
    ['two who we are', ['--certificate', 'laptop.pem', '--key', 'laptop.key', '--user', 'alice'], /exclude each other/],
    ['nobody who we are', [], /how do we prove who we are/],
  ])('%s: 2', async (_, more, said) => {
    const { terminal, err } = fakeTerminal();
    const files = more.map((word) => (/^(psk|.*\.(pem|key))$/.test(word) ? at(word) : word));
    expect(await main([...common(), '--ca', at('ca.pem'), ...files], terminal)).toBe(2);
    expect(err()).toMatch(said);
  });
});

describe('whom we believe', () => {
  const { root, intermediate, server, client } = family('p256');
  const judge = (...authorities: readonly { readonly cert: typeof root.cert }[]) =>
    judgeOf(
      authorities.map(({ cert }) => cert),
      () => NOW,
    );

  it('a chain to an authority, and a leaf that is named itself', () => {
    expect(judge(root)(server.cert, [intermediate.cert])).toBeUndefined();
    expect(judge(root)(server.cert, [client.cert, root.cert, intermediate.cert])).toBeUndefined();
    expect(judge(intermediate)(server.cert, [])).toBeUndefined();
    expect(judge(server)(server.cert, [])).toBeUndefined();
  });

  it('nobody without the intermediate, or below another authority', () => {
    expect(judge(root)(server.cert, [])).toMatch(/nobody in --ca has issued 'O = Lab, CN = vpn\.lab\.test'/);
    expect(judge(family('rsa2048').root)(server.cert, [intermediate.cert])).toMatch(/nobody in --ca/);
    expect(judge()(server.cert, [intermediate.cert, root.cert])).toMatch(/nobody in --ca/);
  });

  it('no leaf that issues, and no authority of the same name with another key', () => {
    const below = issue({ cn: 'below.lab.test', issuer: client });
    expect(judge(root)(below.cert, [client.cert, intermediate.cert])).toMatch(/nobody in --ca has issued .*below/);
    const twin = issue({ cn: 'Root p256', ca: {} });
    expect(judge(twin)(server.cert, [intermediate.cert])).toMatch(/nobody in --ca/);
  });

  it('nobody out of his time, authority or not', () => {
    const old = issue({ cn: 'old.lab.test', issuer: root, notBefore: NOW - 2 * DAY, notAfter: NOW - DAY });
    expect(judge(root)(old.cert, [])).toMatch(/old\.lab\.test' has expired/);
    const early = issue({ cn: 'early.lab.test', issuer: root, notBefore: NOW + DAY, notAfter: NOW + 2 * DAY });
    expect(judge(root)(early.cert, [])).toMatch(/early\.lab\.test' is not valid yet/);
    const late = issue({ cn: 'Late Root', ca: {}, notBefore: NOW - 2 * DAY, notAfter: NOW - DAY });
    expect(judge(late)(issue({ cn: 'x', issuer: late }).cert, [])).toMatch(/Late Root' has expired/);
  });

  it('no chain without an end', () => {
    let last = issue({ cn: 'Link 0', ca: {} });
    const links = Array.from({ length: 9 }, (_, i) => {
      last = issue({ cn: `Link ${i + 1}`, ca: {}, issuer: last });
      return last.cert;
    });
    expect(judge(root)(issue({ cn: 'end', issuer: last }).cert, links)).toMatch(/more than 8 certificates/);
  });
});
