import { describe, expect, it } from 'vitest';
import { steps, swanctlConf } from '../../../src/cli/lab/client.ts';
import { labConfig } from '../../../src/cli/lab/config.ts';

const secrets = {
  psk: 'group-key',
  users: [
    { name: 'alice', password: 'pw-a' },
    { name: 'bob', password: 'pw-b' },
  ],
};
const place = { address: '192.0.2.1', ikePort: 500, nattPort: 4500, gateway: 'vpn.postern.lab' };

describe("the lab client's swanctl.conf", () => {
  it('is balanced, names the gateway, and has a secret for everybody', () => {
    const text = swanctlConf(secrets, place);
    expect(text.match(/\{/g)?.length).toBe(text.match(/\}/g)?.length);
    expect(text).toMatch(/remote_addrs = 192\.0\.2\.1\n/);
    for (const secret of ['group-key', 'pw-a', 'pw-b']) expect(text.split(`secret = "${secret}"`)).toHaveLength(2);
    expect(text).not.toMatch(/_port/);
  });

  it('with high ports starts on our NAT-T port from its own: then strongSwan sends the non-ESP marker', () => {
    const text = swanctlConf(secrets, { ...place, ikePort: 5500, nattPort: 5501 });
    expect(text.match(/local_port = 4500\n {8}remote_port = 5501\n/g)).toHaveLength(3);
  });

  it('the steps name the files and hold no secret', () => {
    const text = steps({ swanctl: '/x/swanctl.conf', ca: '/x/ca.pem', ems: '/x/ems' }, place).join('\n');
    expect(text).toContain('/x/swanctl.conf');
    expect(text).toContain('/x/ca.pem');
    expect(text).not.toMatch(/group-key|pw-a/);
  });
});

describe("the lab's configuration", () => {
  it('asks for the certificate profile by peer ID, before the one that takes anybody', () => {
    const ems = { port: 8013, ca: 'EMSCA', tag: 'EMS1_ZTNA_healthy' };
    const text = labConfig(secrets, { certificate: 'CERT\n', key: 'KEY\n' }, ems, 'vpn.postern.lab');
    expect(text.indexOf('edit "lab-cert"')).toBeLessThan(text.indexOf('edit "lab"\n'));
    expect(text).toContain('set psksecret group-key');
    expect(text).toContain('set private-key "KEY"');
  });
});
