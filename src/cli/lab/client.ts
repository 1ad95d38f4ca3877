/** What a strongSwan client needs to meet the lab: its swanctl.conf, and the commands to type. Pure. */
import { CERTIFICATE_CLIENT, LAB_LAN, type LabSecrets } from './config.ts';
import { DEVICES } from './ems.ts';

export type LabPlace = {
  /** Where the client reaches us. */
  readonly address: string;
  readonly ikePort: number;
  readonly nattPort: number;
  readonly gateway: string;
};

/**
 * A swanctl.conf with its secrets, EAP for the user in all of it: `lab` is a healthy device, `lab-sick` one without the tag, both
 * with the pre-shared key; `lab-cert` looks at the gateway's certificate, and no tag is asked for.
 *
 * With other ports than 500 and 4500 the client starts on our NAT-T port from its own 4500: strongSwan puts the non-ESP
 * marker in front of IKE only when neither port is 500.
 */
export function swanctlConf(secrets: LabSecrets, place: LabPlace): string {
  const [user] = secrets.users;
  const standard = place.ikePort === 500 && place.nattPort === 4500;
  const ports = standard ? '' : `\n        local_port = 4500\n        remote_port = ${place.nattPort}`;
  const connection = (name: string, id: string, remote: string) => `    ${name} {
        version = 2
        remote_addrs = ${place.address}${ports}
        vips = 0.0.0.0
        proposals = aes128gcm16-prfsha256-curve25519, aes256-sha256-modp2048
        local {
            auth = eap-mschapv2
            eap_id = ${user?.name ?? ''}
            id = ${id}
        }
        remote {
            ${remote}
            id = ${place.gateway}
        }
        children {
            ${name} {
                remote_ts = ${LAB_LAN}
                esp_proposals = aes128gcm16-x25519, aes256-sha256-modp2048
            }
        }
    }`;
  return `connections {
${connection('lab', DEVICES[0].address, 'auth = psk')}
${connection('lab-sick', DEVICES[1].address, 'auth = psk')}
${connection('lab-cert', CERTIFICATE_CLIENT, 'auth = pubkey\n            cacerts = postern-lab-ca.pem')}
}
secrets {
    ike-lab {
        id = ${place.gateway}
        secret = "${secrets.psk}"
    }
${secrets.users.map((u) => `    eap-${u.name} {\n        id = ${u.name}\n        secret = "${u.password}"\n    }`).join('\n')}
}
`;
}

/** How our own client connects and pings, lines: needs no rights and nothing installed. */
export function tryOut(
  files: { readonly psk: string; readonly password: string },
  { users: [user] }: LabSecrets,
  { address, ikePort, nattPort }: LabPlace,
): readonly string[] {
  const [{ uid, address: ip }] = DEVICES;
  return [
    'At once, in another terminal, without rights: connect as the healthy device and ping through the tunnel.',
    '',
    `  ${POSTERN} client --gateway ${address} --ike-port ${ikePort} --natt-port ${nattPort} \\`,
    `    --psk-file ${files.psk} --user ${user?.name ?? ''} --password-file ${files.password} --uid ${uid} --ip ${ip} \\`,
    `    --ping ${LAB_HOST}`,
  ];
}

/** An address behind the gateway that answers. */
export const LAB_HOST = '10.50.0.1';

/** The steps for a person, lines. */
export function steps(
  paths: { readonly swanctl: string; readonly ca: string; readonly ems: string },
  place: LabPlace,
): readonly string[] {
  const state = paths.ems === '.state/ems' ? '' : ` --state ${paths.ems}`;
  return [
    'On a Debian or Ubuntu machine that reaches this one (or here, in another network namespace):',
    '',
    '  apt-get install strongswan-swanctl charon-systemd libcharon-extauth-plugins libstrongswan-extra-plugins',
    `  # copy ${paths.swanctl} to /etc/swanctl/conf.d/postern-lab.conf`,
    `  # copy ${paths.ca} to /etc/swanctl/x509ca/postern-lab-ca.pem`,
    '  swanctl --load-all',
    `  swanctl --initiate --child lab         # the device ${DEVICES[0].address}: EMS knows it, with the tag "healthy"`,
    `  swanctl --initiate --child lab-sick    # the device ${DEVICES[1].address}: known, without the tag: refused`,
    '  swanctl --initiate --child lab-cert    # the gateway shows its certificate; no tag is asked for',
    '  swanctl --list-sas',
    '  swanctl --terminate --ike lab',
    '',
    'While `lab` is up, be the administrator of the EMS, here in another terminal, and see the tunnel fall:',
    '',
    `  ${POSTERN} ems tag remove ${DEVICES[0].uid} healthy${state}   # at once; \`tag add\` lets it in again`,
    `  ${POSTERN} ems tag add ${DEVICES[1].uid} healthy${state}      # now lab-sick connects`,
    `  ${POSTERN} ems fault down${state}                             # EMS is silent: its last word holds for a minute`,
    `  ${POSTERN} ems fault clear${state}`,
    '',
    `The gateway is ${place.address}, its name ${place.gateway}; a client gets an address of 10.212.134.0/24.`,
  ];
}

const POSTERN = 'node bin/postern.mjs';
