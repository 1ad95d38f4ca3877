/** remote-gw-match geography on a real daemon: the operator's MMDB file says where 127.0.0.1 is. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { randomOctets, Secret } from '../../../crypto/index.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { startDaemon } from '../../../src/daemon.ts';
import { Dial, identity } from '../../../src/lab/index.ts';
import { mmdb } from '../../support/mmdb.ts';

const PSK = 'kiesel-und-moos';
const JOURNAL = {
  ...{ event: () => undefined, note: () => undefined, flush: () => undefined },
  counters: { lines: 0, thinned: 0, dropped: 0 },
};

it.each<[string, string, 'established' | 'failed']>([
  ['where the profile wants it', 'CH', 'established'],
  ['elsewhere', 'DE', 'failed'],
])('a client %s: %s', async (_, country, end) => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-geo-'));
  const path = join(folder, 'countries.mmdb');
  await writeFile(path, mmdb({ '127.0.0.0/8': country }));
  const { config, findings } = loadConfig(`config postern posture
    set geoip-database "${path}"
end
config vpn ipsec phase1-interface
    edit "ra"
        set type dynamic
        set ike-version 2
        set peertype any
        set mode-cfg enable
        set psksecret ${PSK}
        set proposal aes128gcm-prfsha256
        set dhgrp 31
        set ipv4-start-ip 10.139.1.2
        set ipv4-end-ip 10.139.1.250
        set remote-gw-match geography
        set remote-gw-country "CH"
    next
end
config vpn ipsec phase2-interface
    edit "ra"
        set phase1name "ra"
        set proposal aes128gcm
        set pfs disable
    next
end
`);
  expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
  const daemon = await startDaemon({
    ...{ config, listen: ['127.0.0.1'], ikePort: 0, nattPort: 0, capture: undefined, captureKeys: undefined, journal: JOURNAL },
  });
  const port = (natt: boolean) => daemon.listening.find((l) => l.natt === natt)?.port ?? 0;
  const dial = await Dial.start({
    ...{ remote: { address: '127.0.0.1', port: port(false) }, nattPort: port(true), random: randomOctets },
    keyPair: (group) => group.generate(),
    auth: { kind: 'psk', psk: Secret.utf8(PSK), id: identity('alice@lab.test') },
    gateway: { kind: 'psk', psk: Secret.utf8(PSK) },
    ...{ ikeProposals: ['aes128gcm-prfsha256'], groups: [31], espProposals: ['aes128gcm'] },
  });
  await dial.connected();
  expect(dial.client.at).toBe(end);
  await dial.hangUp();
  await daemon.stop();
  await rm(folder, { recursive: true });
});
