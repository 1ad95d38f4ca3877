/** The lab's configuration, as FortiOS text: the same text a FortiGate would take. Pure. */

export type LabSecrets = {
  readonly psk: string;
  readonly users: readonly { readonly name: string; readonly password: string }[];
};
/** PEM texts. */
export type LabCertificate = { readonly certificate: string; readonly key: string };

/** What the split tunnel protects. */
export const LAB_LAN = '10.50.0.0/24';
/** The peer ID that chooses the profile with the certificate. */
export const CERTIFICATE_CLIENT = 'client@cert.postern.lab';

/** Where the lab's EMS listens, its CA (PEM), and the tag that a device must have. */
export type LabEmsPlace = { readonly port: number; readonly ca: string; readonly tag: string };

/**
 * Two profiles on one address: the gateway proves itself with the group's key, or with its certificate. The first one opens only
 * to devices with the tag.
 */
export function labConfig(secrets: LabSecrets, gateway: LabCertificate, ems: LabEmsPlace, name: string): string {
  const users = secrets.users.map(
    (u) => `    edit "${u.name}"\n        set type password\n        set passwd ${u.password}\n    next`,
  );
  const members = secrets.users.map((u) => `"${u.name}"`).join(' ');
  return `# The lab of \`postern lab\`. It is yours: change it, restart, try again. Remove the directory for a new one.
config system global
    set hostname "postern-lab"
end
config user local
${users.join('\n')}
end
config user group
    edit "lab-users"
        set member ${members}
    next
end
config system interface
    edit "port1"
        set description "any local address"
    next
end
config firewall address
    edit "lab-clients"
        set type iprange
        set start-ip 10.212.134.100
        set end-ip 10.212.134.149
    next
    edit "lab-cert-clients"
        set type iprange
        set start-ip 10.212.134.200
        set end-ip 10.212.134.249
    next
    edit "lab-lan"
        set subnet 10.50.0.0 255.255.255.0
    next
end
config vpn certificate local
    edit "lab-gateway"
        set private-key "${gateway.key.trim()}"
        set certificate "${gateway.certificate.trim()}"
    next
end
config vpn certificate ca
    edit "lab-ems-ca"
        set ca "${ems.ca.trim()}"
    next
end
config endpoint-control fctems
    edit 1
        set status enable
        set name "lab-ems"
        set server "127.0.0.1"
        set https-port ${ems.port}
        set verifying-ca "lab-ems-ca"
        set out-of-sync-threshold 60
    next
end
config vpn ipsec phase1-interface
    edit "lab-cert"
        set type dynamic
        set interface "port1"
        set ike-version 2
        set authmethod signature
        set certificate "lab-gateway"
        set peertype one
        set peerid "${CERTIFICATE_CLIENT}"
${common(name, 'lab-cert-clients')}
    next
    edit "lab"
        set type dynamic
        set interface "port1"
        set ike-version 2
        set peertype any
        set remote-gw-match ztna
        set remote-gw-ztna-tags "${ems.tag}"
${common(name, 'lab-clients')}
        set psksecret ${secrets.psk}
    next
end
config vpn ipsec phase2-interface
    edit "lab-cert"
        set phase1name "lab-cert"
        set proposal aes128gcm aes256gcm aes256-sha256 chacha20poly1305
        set dhgrp 31 20 14
    next
    edit "lab"
        set phase1name "lab"
        set proposal aes128gcm aes256gcm aes256-sha256 chacha20poly1305
        set dhgrp 31 20 14
    next
end
`;
}

const common = (name: string, pool: string): string => `        set localid-type fqdn
        set localid "${name}"
        set net-device disable
        set mode-cfg enable
        set proposal aes128gcm-prfsha256 aes256gcm-prfsha384 aes256-sha256 chacha20poly1305-prfsha256
        set dhgrp 31 20 14
        set eap enable
        set eap-identity send-request
        set authusrgrp "lab-users"
        set assign-ip-from name
        set ipv4-name "${pool}"
        set ipv4-split-include "lab-lan"
        set dns-mode manual
        set ipv4-dns-server1 10.50.0.53`;
