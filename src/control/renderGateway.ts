/**
 * `diagnose vpn ike gateway list` in FortiOS' layout. Of the keys nothing is shown: their lines stand empty, as FortiOS prints
 * keys that do not exist. Lines that count over the whole life of a gateway are left out, since nobody here counts that. Lines
 * that begin with `Postern:` are ours.
 */
import { printable } from '../wire/index.ts';
import type { GatewayShown } from './view.ts';

const show = (text: string): string => printable(text, 256);

/** SAs of one gateway as a paragraph each; the name of a dial-up client's gateway is its instance, `dialup_0`. */
export function gatewayList(all: readonly GatewayShown[]): readonly string[] {
  const gateways = new Map<string, GatewayShown[]>();
  for (const sa of all) {
    if (sa.at === 'closed') continue; // only its last answer is remembered
    // Those that are still negotiating share the name of their profile.
    const key = `${sa.name} ${sa.at === 'established' ? '' : `${sa.remote.address}:${sa.remote.port}`}`;
    const there = gateways.get(key);
    if (there === undefined) gateways.set(key, [sa]);
    else there.push(sa);
  }
  return [...gateways.values()].map(
    (sas) => `${[...header(sas), ...sas.flatMap((sa) => ['', ...securityAssociation(sa)])].join('\n')}\n`,
  );
}

function header(sas: readonly GatewayShown[]): readonly string[] {
  const sa = sas.at(-1); // the newest: what a rekey has replaced comes first
  if (sa === undefined) return [];
  const { local, remote, assigned4, assigned6 } = sa;
  const nat = [...(sa.natMe ? ['me'] : []), ...(sa.natPeer ? ['peer'] : [])].join(' ');
  const when = <T>(value: T | undefined, line: (value: T) => readonly string[]) => (value === undefined ? [] : line(value));
  return [
    'vd: root/0',
    `name: ${show(sa.name)}`,
    'version: 2',
    ...when(sa.interface, (name) => [`interface: ${show(name)}`]),
    `addr: ${local.address}:${local.port} -> ${remote.address}:${remote.port}`,
    `tun_id: ${assigned4 ?? '0.0.0.0'}/${assigned6 ?? '::'}`,
    'remote_location: 0.0.0.0',
    'network-id: 0',
    'transport: UDP',
    `created: ${sas.reduce((oldest, { age }) => Math.max(oldest, age), 0)}s ago`,
    ...when(sa.user, (user) => [`eap-user: ${show(user)}`, '2FA: no']),
    ...when(sa.group, (group) => ['groups:', `    ${show(group)}`]),
    ...when(sa.peerId, (id) => [`peer-id: ${show(id)}`, 'peer-id-auth: no']),
    ...when(sa.fctUid, (uid) => [`FortiClient UID: ${show(uid)}`]),
    ...when(assigned4, (address) => [`assigned IPv4 address: ${address}/255.255.255.255`]),
    ...when(assigned6, (address) => [`assigned IPv6 address: ${address}/128`]),
    ...(nat === '' ? [] : [`nat: ${nat}`]),
    'pending-queue: 0',
    'PPK: no',
  ];
}

function securityAssociation(sa: GatewayShown): readonly string[] {
  const { established, lifetime, messageIds, peerId } = sa;
  const [proposal = '', group] = sa.suite.split(' '); // FortiOS shows no group
  const hex = (n: number) => n.toString(16).padStart(8, '0');
  return [
    `  id/spi: ${sa.id} ${sa.SPIi}/${sa.SPIr}`,
    `  direction: ${sa.initiator ? 'initiator' : 'responder'}`,
    `  status: ${statusOf(sa, established)}`,
    `  proposal: ${proposal}`,
    '  child: no',
    '  SK_ei:',
    '  SK_er:',
    '  SK_ai:',
    '  SK_ar:',
    '  PPK: no',
    `  message-id sent/recv: ${messageIds.sent}/${messageIds.received}`,
    '  QKD: no',
    ...(lifetime === undefined ? [] : [`  lifetime/rekey: ${lifetime.whole}/${lifetime.rekey}`]),
    ...(peerId === undefined ? [] : [`  peer-id: ${show(peerId)}`]),
    ...(group === undefined ? [] : [`  Postern: Diffie-Hellman group ${group}`]),
    ...(sa.posture === undefined ? [] : [`  Postern: ${postureText(sa.posture)}`]),
    ...sa.children.map(
      (c) => `  Postern: ${show(c.phase2)} SPIs=${hex(c.spiIn)}/${hex(c.spiOut)} ${c.suite} ${c.state}, expires in ${c.expires}s`,
    ),
  ];
}

function postureText({ standing, by, tag, seconds, restraint }: NonNullable<GatewayShown['posture']>): string {
  if (restraint !== 'none') return `posture lost, left with '${restraint}'; it is judged again at every change`;
  if (standing === 'probation') return `posture: waits for the announced token, without traffic, for ${seconds}s`;
  const source = by === 'ems' ? 'EMS' : 'a token';
  return `posture: cleared by ${source}, tag ${show(tag ?? '')}, for ${seconds}s unless it is renewed`;
}

/** The words for a negotiation are ours but for 'connecting'. */
function statusOf({ at, age }: GatewayShown, established: GatewayShown['established']): string {
  if (at !== 'established') return `connecting, ${at}, started ${age}s ago`;
  if (established === undefined) return `established, started ${age}s ago`;
  return `established ${age}-${established.age}s ago = ${established.took}ms`;
}
