import { describe, expect, it } from 'vitest';
import { issueCertificate } from '../../../crypto/index.ts';
import { IdType } from '../../../src/wire/index.ts';
import { gateway, profileOf, told } from './text.ts';

const times = { notBefore: 1_700_000_000, notAfter: 2_000_000_000 };
const root = issueCertificate({ subject: [['CN', 'Test Root']], key: 'p256', ca: {}, ...times });
const middle = issueCertificate({ subject: [['CN', 'Test Middle']], key: 'p256', ca: {}, issuer: root, ...times });
const own = issueCertificate({
  subject: [
    ['O', 'Example'],
    ['CN', 'vpn.example'],
  ],
  key: 'p256',
  issuer: middle,
  dns: ['vpn.example'],
  ...times,
});
const other = issueCertificate({ subject: [['CN', 'other.example']], key: 'p256', issuer: root, ...times });

const local = (name: string, certificate: string, key: string, ...more: string[]) =>
  `config vpn certificate local
edit "${name}"
set certificate "${certificate}"
set private-key "${key}"
${more.join('\n')}
next
end
`;
const ca = (name: string, pem: string) => `config vpn certificate ca\nedit "${name}"\nset ca "${pem}"\nnext\nend\n`;
const ours = local('vpn', own.certificate, own.key) + ca('root', root.certificate) + ca('middle', middle.certificate);
const signature = ['set authmethod signature', 'set certificate "vpn"', 'set peertype any'];
const byCertificate = (lines: readonly string[] = [], more = ours) => gateway([...signature, ...lines], more);

describe('our certificate', () => {
  it('is read with its chain: leaf first, intermediates from the authorities, no root', () => {
    const { localAuth } = profileOf(byCertificate());
    if (localAuth.kind !== 'certificate') throw new Error('no certificate');
    expect(localAuth.certificates.map(({ name, chain }) => [name, chain.map(({ cn }) => cn)])).toEqual([
      ['vpn', ['vpn.example', 'Test Middle']],
    ]);
    expect(localAuth).toMatchObject({ hashes: [4, 3, 2, 5], rsaFormat: 'pkcs1', sendChain: true });
  });
  it('may bring its intermediates', () => {
    const more = local('vpn', `${own.certificate}\n${middle.certificate}`, own.key) + ca('root', root.certificate);
    const { localAuth } = profileOf(byCertificate([], more));
    expect(localAuth.kind === 'certificate' && localAuth.certificates[0]?.chain.map(({ cn }) => cn)).toEqual([
      'vpn.example',
      'Test Middle',
    ]);
  });
  it('signs with the hashes that are set, and no others', () => {
    const { localAuth } = profileOf(
      byCertificate(['set signature-hash-alg sha2-256 sha1', 'set rsa-signature-format pss', 'set send-cert-chain disable']),
    );
    expect(localAuth).toMatchObject({ hashes: [2, 1, 5], rsaFormat: 'pss', sendChain: false });
  });
  it('gives its subject as identity with localid-type asn1dn', () => {
    expect(profileOf(byCertificate(['set localid-type asn1dn'])).localId?.idType).toBe(IdType.DER_ASN1_DN);
  });
  it.each([
    [
      'is not named',
      ['unset certificate'],
      ours,
      `error missing: 'dialup' authenticates by signature and has no certificate: set certificate "NAME"`,
    ],
    [
      'is not defined',
      ['set certificate "vnp"'],
      ours,
      "error reference: certificate of dialup: 'vnp' is not defined: add it with its key under 'config vpn certificate local'",
    ],
    [
      'has the key of another',
      [],
      local('vpn', own.certificate, other.key) + ca('root', root.certificate),
      /^error conflict: the private key of 'vpn' is not the key of its certificate/,
    ],
    [
      'is no PEM',
      [],
      local('vpn', 'AAAA', own.key) + ca('root', root.certificate),
      "error value: vpn certificate local 'vpn': no certificate in PEM format",
    ],
    [
      'has a key that is none',
      [],
      local('vpn', own.certificate, 'AAAA') + ca('root', root.certificate),
      /^error value: vpn certificate local 'vpn': /,
    ],
    [
      'has an encrypted passphrase',
      [],
      local('vpn', own.certificate, own.key, 'set password ENC abc') + ca('root', root.certificate),
      /^error encrypted: password is encrypted/,
    ],
  ])('%s: an error', (_, lines, more, message) => {
    expect(told(byCertificate(lines, more))).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)]);
  });
  it.each([
    ['certificate', 'private-key', `the certificate 'vpn' has no key: set private-key "-----BEGIN PRIVATE KEY-----…"`],
    ['private-key', 'certificate', `the certificate 'vpn' is empty: set certificate "-----BEGIN CERTIFICATE-----…"`],
  ])('with %s and no %s: an error', (has, _, message) => {
    const pem = has === 'certificate' ? own.certificate : own.key;
    const more = `config vpn certificate local\nedit "vpn"\nset ${has} "${pem}"\nnext\nend\n${ca('root', root.certificate)}`;
    expect(told(byCertificate([], more))).toEqual([`error missing: ${message}`]);
  });
  it('that nobody uses is not looked into', () => {
    expect(told(gateway([], local('factory', 'AAAA', 'BBBB', 'set password ENC abc')))).toEqual([]);
  });
});

describe("clients' certificates", () => {
  it('may come from any of our authorities with peertype any', () => {
    const { remoteAuth } = profileOf(byCertificate());
    expect(remoteAuth.kind === 'certificate' && remoteAuth.anchors.map(({ cn }) => cn)).toEqual(['Test Root', 'Test Middle']);
  });
  it('need an authority', () => {
    expect(told(byCertificate([], local('vpn', own.certificate, own.key)))).toEqual([
      "error missing: 'dialup' takes certificates, and no authority vouches for them: add one under 'config vpn certificate ca'",
    ]);
  });
  it('may be asked for by a gateway with a pre-shared key', () => {
    const profile = profileOf(gateway(['set authmethod-remote signature', 'set peertype any'], ours));
    expect([profile.localAuth.kind, profile.remoteAuth.kind]).toEqual(['psk', 'certificate']);
  });
  it('are not asked for when only the gateway has one', () => {
    const profile = profileOf(byCertificate(['set authmethod-remote psk']));
    expect([profile.localAuth.kind, profile.remoteAuth.kind]).toEqual(['certificate', 'psk']);
  });
  it('authorities that are no PEM are an error', () => {
    expect(told(byCertificate([], ours + ca('broken', 'AAAA')))).toEqual([
      "error value: vpn certificate ca 'broken': no certificate in PEM format",
    ]);
  });
});

describe('user peer', () => {
  const peer = (name: string, ...lines: string[]) => `config user peer\nedit "${name}"\n${lines.join('\n')}\nnext\nend\n`;
  const withPeer = (lines: readonly string[], ...rule: string[]) =>
    byCertificate(['set peertype peer', ...lines], ours + peer('ann', ...rule));

  it('is authority, subject and common name', () => {
    const { peer: match } = profileOf(
      withPeer(['set peer "ann"'], 'set ca "root"', 'set subject "O = Example"', 'set cn "ann"', 'set cn-type FQDN'),
    );
    expect(match).toEqual({
      kind: 'peers',
      peers: [
        {
          name: 'ann',
          anchors: [expect.objectContaining({ cn: 'Test Root' })],
          subject: 'O = Example',
          cn: 'ann',
          cnType: 'FQDN',
        },
      ],
    });
  });
  it('may be one of a peergrp', () => {
    const two = 'config user peergrp\nedit "two"\nset member "ann" "ben"\nnext\nend\n';
    const more = ours + peer('ann', 'set ca "root"') + peer('ben', 'set ca "middle"') + two;
    const { peer: match } = profileOf(byCertificate(['set peertype peergrp', 'set peergrp "two"'], more));
    expect(match.kind === 'peers' && match.peers.map(({ name }) => name)).toEqual(['ann', 'ben']);
  });
  it('without its authority takes any of ours, only when it says so', () => {
    const { peer: match } = profileOf(withPeer(['set peer "ann"'], 'set mandatory-ca-verify disable', 'set cn "ann"'));
    expect(match.kind === 'peers' && match.peers[0]?.anchors).toHaveLength(2);
  });
  it.each([
    [
      'no peer named',
      [],
      ['set ca "root"'],
      `error missing: 'dialup' has peertype peer and no peer: set peer "...", or peertype any`,
    ],
    [
      'a peer that is not defined',
      ['set peer "anna"'],
      ['set ca "root"'],
      "error reference: user peer 'anna' is not defined: add it under 'config user peer'",
    ],
    [
      'no authority',
      ['set peer "ann"'],
      ['set cn "ann"'],
      `error missing: user peer 'ann' names no authority: set ca "NAME", or mandatory-ca-verify disable for any of ours`,
    ],
    [
      'an authority that is not defined',
      ['set peer "ann"'],
      ['set ca "rood"'],
      "error reference: user peer ann: the authority 'rood' is not defined: add it under 'config vpn certificate ca'",
    ],
    [
      'a second factor, which is not left out',
      ['set peer "ann"'],
      ['set ca "root"', 'set two-factor enable'],
      "error later: user peer 'ann' asks for a second factor, which is not served yet, and is not left out: unset it",
    ],
  ])('%s: an error', (_, lines, rule, message) => expect(told(withPeer(lines, ...rule))).toContain(message));
});
