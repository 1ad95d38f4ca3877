/**
 * What the gateway's debug stream must tell of a negotiation, line by line in FortiOS' words and order; the wording is that of
 * `diagnose debug application ike -1` on FortiOS 7.4.
 */
import { group, profile, type Shape } from './config.ts';

const unbound = '^ike V=root:0:[0-9a-f]{16}/0{16}:\\d+: ';
const gateway = `^ike V=root:0:${profile}: `;
const sa = `^ike V=root:0:${profile}:\\d+: `;
const instance = `^ike V=root:0:${profile}_\\d+:\\d+: `;
const child = `^ike V=root:0:${profile}_\\d+:\\d+:${profile}:\\d+: `;
const line = (prefix: string, words: string) => new RegExp(`${prefix}${words}`);

const opening = [
  line(unbound, 'responder received SA_INIT msg'),
  line(unbound, 'received notify type NAT_DETECTION_SOURCE_IP'),
  line(unbound, 'incoming proposal:'),
  line(unbound, 'matched proposal id \\d+'),
  line(unbound, `SA proposal chosen, matched gateway ${profile}$`),
  line(sa, 'processing NAT-D payload'),
  line(sa, 'responder preparing SA_INIT msg'),
  line(sa, 'sent IKE msg \\(SA_INIT_RESPONSE\\): '),
  line(sa, 'responder received AUTH msg'),
];

const closing = [
  line(sa, 'authentication succeeded'),
  line(sa, 'responder creating new child'),
  line(gateway, 'mode-cfg allocate 10\\.10\\.1\\.\\d+/'),
  line('', 'comparing selectors'),
  line('', 'matched proposal id \\d+'),
  line(sa, 'responder preparing AUTH msg'),
  line(gateway, 'adding new dynamic tunnel for '),
  line(instance, 'established IKE SA [0-9a-f]{16}/[0-9a-f]{16}'),
  line(instance, 'mode-cfg assigned \\(1\\) IPv4 address 10\\.10\\.1\\.\\d+'),
  line(child, 'added IPsec SA: SPIs=[0-9a-f]{8}/[0-9a-f]{8}'),
];

const eap = (user: string) => [
  line(sa, 'responder preparing EAP identity request'),
  line(sa, 'responder received EAP msg'),
  line(gateway, `EAP user "${user}"`),
  line(gateway, `auth group ${group}`),
  line('', 'FNBAM_CHALLENGED'),
  line(sa, 'responder preparing EAP pass through message'),
  line('', `EAP succeeded for user "${user}" group "${group}" 2FA=no`),
  line(sa, 'responder received AUTH msg'),
  line(sa, 'auth verify done'),
  line(sa, 'responder AUTH continuation'),
];

const certificate = [
  line(sa, 'received peer identifier '),
  line(sa, 'Validating X\\.509 certificate'),
  line(sa, "peer cert, subject='.*', issuer='.*'"),
  line(sa, 'certificate validation succeeded'),
];

/** The lines of a client that gets in, in order. */
export function success(shape: Shape, user = 'alice'): readonly RegExp[] {
  const middle = shape.endsWith('eap') ? eap(user) : shape === 'certificate' ? certificate : [line(sa, 'auth verify done')];
  return [...opening, ...middle, ...closing];
}
