/**
 * What the interop tests need of the machine. Where something is missing they are skipped, and say what it is; in continuous
 * integration (CI=true) that is a failure.
 */
import { accessSync, constants } from 'node:fs';
import { describe, it } from 'vitest';

const programs = {
  '/usr/sbin/charon-systemd': 'charon-systemd',
  '/usr/sbin/swanctl': 'strongswan-swanctl',
  '/usr/bin/pki': 'strongswan-pki',
  '/usr/bin/tshark': 'tshark',
  '/usr/bin/tcpdump': 'tcpdump',
  '/usr/bin/ping': 'iputils-ping',
  '/usr/sbin/nft': 'nftables',
  '/usr/sbin/ip': 'iproute2',
  '/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so': 'libcharon-extra-plugins',
  '/usr/lib/ipsec/plugins/libstrongswan-eap-mschapv2.so': 'libcharon-extauth-plugins',
  '/usr/lib/ipsec/plugins/libstrongswan-chapoly.so': 'libstrongswan-extra-plugins',
  '/usr/lib/ipsec/plugins/libstrongswan-gcrypt.so': 'libstrongswan-standard-plugins',
} as const;

/** What is missing, in words: Debian packages by name, root, the TUN device. */
export function lacking(): readonly string[] {
  const packages = Object.entries(programs).flatMap(([file, name]) => (isThere(file) ? [] : [name]));
  const root = process.getuid?.() === 0 ? [] : ['root'];
  // strongSwan's resolve plugin would hand the tests' DNS servers to it, and so to the whole machine.
  const resolvconf = isThere('/sbin/resolvconf') ? ['a machine without /sbin/resolvconf'] : [];
  const tun = isThere('/dev/net/tun') ? [] : ['/dev/net/tun'];
  return [...root, ...tun, ...resolvconf, ...new Set(packages)];
}

/** A `describe` whose tests run against real peers. */
export function interop(name: string, tests: () => void): void {
  const missing = lacking();
  if (missing.length === 0) describe(name, tests);
  else if (process.env['CI'] === 'true') {
    describe(name, () => {
      it('runs in continuous integration', () => {
        throw new Error(`this machine lacks ${missing.join(', ')}`);
      });
    });
  } else describe.skipIf(true)(`${name} [skipped: needs ${missing.join(', ')}]`, tests);
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.F_OK);
    return true;
  } catch {
    return false;
  }
}
