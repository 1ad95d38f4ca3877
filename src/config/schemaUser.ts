/** `user …` and `vpn certificate …`: who may come, and who we are. `endpoint-control fctems`: who knows about devices. */
import {
  inert,
  integer,
  later,
  names,
  note,
  option,
  optional,
  options,
  password,
  secretText,
  served,
  text,
  toggle,
} from './setting.ts';
import { ipv4 } from './settingNet.ts';
import { table } from './table.ts';

const fabric = 'fabric-object fabric-object-source fabric-force-sync uuid';

export const userLocal = table({
  path: 'user local',
  help: 'users with a password',
  keyMax: 64,
  words: {
    status: served(toggle('enable'), 'may this user log in'),
    type: served(
      option(['password', 'radius', 'tacacs+', 'ldap', 'saml'], 'password'),
      'password; the others are not served yet',
    ),
    passwd: served(password, 'password, or the pre-shared key under peertype dialup'),
    'ldap-server': later(text(35), 'LDAP'),
    'radius-server': later(text(35), 'RADIUS'),
    'tacacs+-server': later(text(35), 'TACACS+'),
    'two-factor': served(
      option(['disable', 'fortitoken', 'fortitoken-cloud', 'email', 'sms'], 'disable'),
      'second factors are not served yet: such a user cannot log in',
    ),
    'two-factor-authentication': later(optional(['fortitoken', 'email', 'sms']), 'second factors'),
    'two-factor-notification': later(optional(['email', 'sms']), 'second factors'),
    fortitoken: later(text(16), 'second factors'),
    'email-to': note(text(63)),
    'sms-server': later(option(['fortiguard', 'custom'], 'fortiguard'), 'second factors'),
    'sms-custom-server': later(text(35), 'second factors'),
    'sms-phone': note(text(15)),
    'passwd-policy': inert(text(35), 'passwords are not set by users here'),
    'passwd-time': note(text(63), 'when the password was set'),
    authtimeout: inert(integer(0, 1440, 0), 'a setting of the captive portal'),
    workstation: inert(text(35), 'a setting of the captive portal'),
    'auth-concurrent-override': later(toggle('disable'), 'limits per user'),
    'auth-concurrent-value': later(integer(0, 100, 0), 'limits per user'),
    'username-sensitivity': later(option(['disable', 'enable'], 'enable'), 'names without regard to case'),
    'ppk-secret': later(password, 'post-quantum pre-shared keys'),
    'ppk-identity': later(text(35), 'post-quantum pre-shared keys'),
    'qkd-profile': later(text(35), 'quantum key distribution'),
    id: note(integer(0, 4294967295, 0)),
  },
  idle: `username-case-insensitivity username-case-sensitivity ${fabric}`,
});

export const userGroup = table({
  path: 'user group',
  help: 'several users under one name',
  keyMax: 35,
  words: {
    'group-type': served(
      option(['firewall', 'fsso-service', 'rsso', 'guest'], 'firewall'),
      'firewall; the others are not served',
    ),
    member: served(names(511), 'users of this gateway'),
    authtimeout: inert(integer(0, 43200, 0), 'a setting of the captive portal'),
    'auth-concurrent-override': later(toggle('disable'), 'limits per user'),
    'auth-concurrent-value': later(integer(0, 100, 0), 'limits per user'),
    'http-digest-realm': inert(text(35), 'a setting of the web proxy'),
    'sso-attribute-value': inert(text(511), 'a setting of single sign-on'),
    id: note(integer(0, 4294967295, 0)),
  },
  idle: `company email expire expire-type max-accounts mobile-phone multiple-guest-add password scim-group-attr-type
    scim-groups scim-user-attr-type scim-users sms-custom-server sms-server sponsor user-id user-name ${fabric}`,
  idleBlocks: 'guest match',
});

export const userPeer = table({
  path: 'user peer',
  help: 'who a certificate must be',
  keyMax: 35,
  words: {
    ca: served(text(127), 'the certificate authority (vpn certificate ca) that must have issued it'),
    'mandatory-ca-verify': served(toggle('enable'), 'disable: any of our certificate authorities may have issued it'),
    subject: served(text(255), 'text that the subject must hold'),
    cn: served(text(255), 'common name that it must have'),
    'cn-type': served(option(['string', 'email', 'FQDN', 'ipv4', 'ipv6'], 'string'), 'how that is compared'),
    passwd: later(password, 'second factors'),
    'two-factor': later(toggle('disable'), 'second factors'),
    'mfa-mode': later(option(['none', 'password', 'subject-identity'], 'none'), 'second factors'),
    'mfa-server': later(text(35), 'second factors'),
    'mfa-username': later(text(35), 'second factors'),
    'mfa-password': later(password, 'second factors'),
    'ldap-mode': later(option(['password', 'principal-name'], 'password'), 'LDAP'),
    'ldap-server': later(text(35), 'LDAP'),
    'ldap-username': later(text(35), 'LDAP'),
    'ldap-password': later(password, 'LDAP'),
    'ocsp-override-server': later(text(35), 'revocation'),
    checkemail: later(text(127), 'further comparisons'),
    checkhost: later(text(127), 'further comparisons'),
    checkip: later(text(63), 'further comparisons'),
  },
});

export const userPeerGroup = table({
  path: 'user peergrp',
  help: 'several peers under one name',
  keyMax: 35,
  words: { member: served(names(35), 'peers, one of which the certificate must be') },
});

const sources = option(['factory', 'user', 'bundle', 'fortiguard'], 'user');

export const certificateLocal = table({
  path: 'vpn certificate local',
  help: 'our certificates with their keys',
  keyMax: 79,
  words: {
    certificate: served(text(65535), 'PEM: the certificate, and intermediates after it'),
    'private-key': served(secretText, 'PEM'),
    password: served(secretText, 'what opens the private key, when it is encrypted'),
    comments: note(text(511)),
    csr: note(text(65535), 'the request it was made from'),
    state: note(text(63), 'where it comes from'),
    range: note(option(['global', 'vdom'], 'global'), 'where it is seen'),
    source: note(sources, 'where it comes from'),
    'last-updated': note(integer(0, 4294967295, 0), 'when it came'),
  },
  idle: `acme-ca-url acme-domain acme-eab-key-hmac acme-eab-key-id acme-email acme-renew-window acme-rsa-key-size
    auto-regenerate-days auto-regenerate-days-warning ca-identifier cmp-path cmp-regeneration-method cmp-server
    cmp-server-cert details enroll-protocol est-ca-id est-client-cert est-http-password est-http-username
    est-regeneration-method est-server est-server-cert est-srp-password est-srp-username ike-localid ike-localid-type
    name-encoding private-key-retain scep-password scep-url source-ip`,
});

export const certificateCa = table({
  path: 'vpn certificate ca',
  help: 'certificate authorities that vouch for clients, and intermediates of our own certificates',
  keyMax: 79,
  words: {
    ca: served(text(65535), 'PEM'),
    range: note(option(['global', 'vdom'], 'vdom'), 'where it is seen'),
    source: note(sources, 'where it comes from'),
    'last-updated': note(integer(0, 4294967295, 0), 'when it came'),
  },
  idle: `auto-update-days auto-update-days-warning ca-identifier est-url fabric-ca non-fabric-name obsolete scep-url source-ip
    ssl-inspection-trusted trusted`,
});

const capabilities = [
  ...[
    'fabric-auth',
    'silent-approval',
    'websocket',
    'websocket-malware',
    'push-ca-certs',
    'common-tags-api',
    'tenant-id',
    'client-avatars',
  ],
  ...['single-vdom-connector', 'fgt-sysinfo-api', 'ztna-server-info', 'used-tags'],
];

export const fctems = table({
  path: 'endpoint-control fctems',
  help: 'FortiClient EMS servers',
  keyMax: 35,
  words: {
    status: served(toggle('disable'), 'is it asked'),
    name: served(text(35), 'its name, where it is edited by number'),
    server: served(text(255), 'host name or address'),
    'https-port': served(integer(1, 65535, 443), 'port'),
    'serial-number': served(text(16), 'FCTEMS and ten digits'),
    'tenant-id': served(text(32), '32 hexadecimal digits, zeros for the default site'),
    'source-ip': served(ipv4(), 'our address'),
    certificate: served(
      text(79),
      'certificate of the server or its authority, of vpn certificate ca: as releases before 7.0 have it',
    ),
    'fortinetone-cloud-authentication': served(toggle('disable'), 'EMS Cloud'),
    'cloud-authentication-access-key': served(password, 'EMS Cloud'),
    'cloud-server-type': inert(
      option(['production', 'alpha', 'beta'], 'production'),
      'the server is the one that `server` names',
    ),
    'ems-id': served(integer(1, 7, 0), 'its number in tags'),
    'dirty-reason': note(option(['none', 'mismatched-ems-sn'], 'none'), 'state'),
    'pull-sysinfo': inert(toggle('enable'), 'EMS tells it along with the tags'),
    'pull-vulnerabilities': inert(toggle('enable'), 'no such thing is fetched from EMS'),
    'pull-tags': served(toggle('enable'), 'what is fetched'),
    'pull-malware-hash': inert(toggle('enable'), 'no such thing is fetched from EMS'),
    'pull-avatars': inert(toggle('enable'), 'no such thing is fetched from EMS'),
    capabilities: note(options(capabilities), 'what the server can: it is asked'),
    'call-timeout': served(integer(1, 180, 30), 'seconds that a call may take'),
    'out-of-sync-threshold': served(integer(10, 3600, 180), 'seconds after which its word is stale'),
    'send-tags-to-all-vdoms': inert(toggle('disable'), 'there is one virtual domain'),
    'websocket-override': served(toggle('disable'), 'use no websocket'),
    'preserve-ssl-session': inert(toggle('disable'), 'connections are kept alive, sessions are not resumed'),
    'interface-select-method': inert(option(['auto', 'sdwan', 'specify'], 'auto'), 'the routes of the machine decide'),
    interface: inert(text(15), 'the routes of the machine decide; source-ip is served'),
    'trust-ca-cn': inert(toggle('enable'), 'an authority counts by its key, never by its name alone'),
    'verifying-ca': served(text(79), 'authority of its certificate'),
    'ca-cn-info': note(text(255), 'name of the authority'),
  },
  idle: 'admin-username admin-password admin-type source-ip-interface vrf-select',
});
