import { describe, expect, it } from 'vitest';
import { loadConfig, showConfig } from '../../../src/config/index.ts';
import { gateway, users } from './text.ts';

const show = (text: string, options = {}) => showConfig(loadConfig(text), { secrets: true, ...options });

describe('show', () => {
  it('prints what differs from the defaults, in the layout and order of FortiOS', () => {
    const text = gateway([
      'set keylife 86400',
      'set dhgrp 20 21',
      'set dpd on-demand',
      'set keepalive 20',
      'set comments "for \\"us\\""',
    ]);
    expect(show(text, { path: 'vpn ipsec phase1-interface' })).toBe(`config vpn ipsec phase1-interface
    edit "dialup"
        set type dynamic
        set interface "wan1"
        set ike-version 2
        set psksecret "correct horse"
        set dhgrp 20 21
        set keepalive 20
        set comments "for \\"us\\""
    next
end
`);
  });
  it('prints nothing of what is all default', () => {
    expect(show('config system global\nset hostname "postern"\nend\nconfig postern settings\nend')).toBe('');
  });
  it('prints objects that are all default', () => {
    expect(show('config firewall address\nedit "any"\nnext\nend')).toBe(
      'config firewall address\n    edit "any"\n    next\nend\n',
    );
  });
  it('prints values in their canonical form', () => {
    expect(show('config firewall address\nedit x\nset subnet 10.1.2.3/8\nnext\nend')).toContain(
      'set subnet 10.0.0.0 255.0.0.0\n',
    );
    expect(show('config firewall address6\nedit x\nset ip6 2001:DB8:0::1/32\nnext\nend')).toContain('set ip6 2001:db8::/32\n');
  });
  it('prints tables within objects', () => {
    const hole = ['config ipv4-exclude-range', 'edit 1', 'set start-ip 10.0.0.1', 'set end-ip 10.0.0.2', 'next', 'end'];
    expect(show(gateway(hole))).toContain(`        config ipv4-exclude-range
            edit 1
                set start-ip 10.0.0.1
                set end-ip 10.0.0.2
            next
        end
`);
  });
  it('keeps words that do nothing here, and what it does not read, as they are', () => {
    const text = `config system interface
    edit "wan1"
        set vdom "root"
        set allowaccess ping https
        config vrrp
            edit 5
                set vrip 10.0.0.1
            next
        end
    next
end
config system admin
    edit "admin"
        # who
        set password ENC SH2abc=
    next
end
`;
    expect(show(text)).toBe(text);
  });
  it('keeps texts of several lines', () => {
    const text = 'config vpn certificate ca\n    edit "x"\n        set ca "-----BEGIN\nAAAA\n-----END"\n    next\nend\n';
    expect(show(text)).toBe(text);
  });
  it('prints EMS servers and what is ours about them, which loads again to the same', () => {
    const text = `config firewall address
    edit "helpdesk"
        set subnet 10.0.9.0 255.255.255.0
    next
end
${gateway(['set remote-gw-match ztna', 'set remote-gw-ztna-tags "EMS3_ZTNA_a b"', 'set ems-sn-check enable'])}
config endpoint-control fctems
    edit "cloud"
        set status enable
        set server "ems.example.net"
        set fortinetone-cloud-authentication enable
        set cloud-authentication-access-key "of the cloud"
        set ems-id 3
    next
end
config postern posture
    set lookup-wait 500
    set ztna-tag-notify 61702
    set serial-number "FGVM010000000001"
end
config postern ems
    edit "cloud"
        set token-key "-----BEGIN PUBLIC KEY-----
MIIB
-----END PUBLIC KEY-----" "{\\"kty\\":\\"RSA\\"}"
    next
end
config postern profile
    edit "dialup"
        set unknown-device token
        set posture-lost quarantine
        set quarantine-destination "helpdesk"
    next
end
`;
    const ours = text.slice(text.indexOf('config endpoint-control'));
    const { config, findings } = loadConfig(text);
    expect(findings).toEqual([]);
    expect(show(text).endsWith(ours)).toBe(true);
    const again = loadConfig(show(text));
    expect(again.findings).toEqual([]);
    expect(again.config.posture).toEqual(config.posture);
    const [was, is] = [config, again.config].map(({ fctems: [one] }) => ({ ...one, line: 0, accessKey: undefined }));
    expect(is).toEqual(was);
    const [key, keyAgain] = [config, again.config].map(({ fctems: [one] }) => one?.accessKey);
    expect(key !== undefined && keyAgain?.equals(key)).toBe(true);
    expect(again.config.profiles[0]?.match).toEqual(config.profiles[0]?.match);
    expect(showConfig(loadConfig(text))).not.toContain('of the cloud');
  });
  it('writes objects that were edited twice once', () => {
    expect(show(`${users}config user local\nedit "bob"\nset status disable\nnext\nend`)).toContain(
      '    edit "bob"\n        set status disable\n        set passwd "builder"\n    next\n',
    );
  });
});

describe('secrets', () => {
  it('are masked unless they are asked for', () => {
    const text = gateway([], users);
    const masked = showConfig(loadConfig(text));
    expect(masked).not.toMatch(/correct horse|wonderland|builder/);
    expect(masked).toContain('set psksecret ENC [secret]\n');
    expect(show(text)).toContain('set passwd "wonderland"\n');
  });
  it('that were encrypted stay as they came', () => {
    expect(show(gateway(['set psksecret ENC c2VjcmV0']))).toContain('set psksecret ENC c2VjcmV0\n');
  });
  it('that could not be read are masked too', () => {
    expect(showConfig(loadConfig(gateway(['set psksecret one two three'])))).not.toContain('two');
  });
  it('a mask does not load as a secret', () => {
    expect(loadConfig(showConfig(loadConfig(gateway()))).findings).toMatchObject([{ code: 'encrypted' }]);
  });
});
