/** `vpn ipsec phase2-interface`: every word of FortiOS 7.6.5. The default of `proposal` is the list of FortiOS' wizard. */
import { addke, DH_GROUPS } from './schemaPhase1.ts';
import { inert, integer, later, note, option, options, served, text, toggle } from './setting.ts';
import { espProposals, ipv4, ipv6, prefix6, subnet4 } from './settingNet.ts';
import { table } from './table.ts';

const inherit = option(['phase1', 'enable', 'disable'], 'phase1');
const kinds = option(['subnet', 'range', 'ip', 'name', 'subnet6', 'range6', 'ip6', 'name6'], 'subnet');
const initiator = 'a setting of gateways that dial out';

export const phase2 = table({
  path: 'vpn ipsec phase2-interface',
  help: 'what goes through the tunnel, and how it is protected',
  keyMax: 35,
  words: {
    phase1name: served(text(35), 'the phase1-interface it belongs to'),
    proposal: served(
      espProposals('aes128-sha1', 'aes256-sha1', 'aes128-sha256', 'aes256-sha256', 'aes128gcm', 'aes256gcm', 'chacha20poly1305'),
      'algorithms, the preferred first',
    ),
    pfs: served(toggle('enable'), 'a Diffie-Hellman exchange of its own at each rekey'),
    dhgrp: served(options(DH_GROUPS, ['20']), 'groups for pfs, the preferred first; FortiOS takes three'),
    addke1: addke,
    addke2: addke,
    addke3: addke,
    addke4: addke,
    addke5: addke,
    addke6: addke,
    addke7: addke,
    keylifeseconds: served(integer(120, 172800, 43200), 'seconds until the child SA is replaced'),
    keylifekbs: served(integer(5120, 4294967295, 5120), 'kilobytes in one direction until the child SA is replaced'),
    'keylife-type': served(option(['seconds', 'kbs', 'both'], 'seconds'), 'what counts beside time, which always does'),
    replay: served(toggle('enable'), 'refuse packets that have come before'),
    encapsulation: later(option(['tunnel-mode', 'transport-mode'], 'tunnel-mode'), 'transport mode'),
    'src-addr-type': served(kinds, 'how our side of the traffic is given'),
    'src-subnet': served(subnet4(), 'our side, for subnet'),
    'src-start-ip': served(ipv4(), 'our side, for range and ip'),
    'src-end-ip': served(ipv4(), 'our side, for range'),
    'src-name': served(text(79), 'our side, for name: an address object'),
    'src-subnet6': served(prefix6(), 'our side, for subnet6'),
    'src-start-ip6': served(ipv6, 'our side, for range6 and ip6'),
    'src-end-ip6': served(ipv6, 'our side, for range6'),
    'src-name6': served(text(79), 'our side, for name6'),
    'src-port': served(integer(0, 65535, 0), 'port on our side, 0 is all'),
    'dst-addr-type': served(kinds, "how the client's side is given"),
    'dst-subnet': served(subnet4(), "the client's side, for subnet; 0.0.0.0/0 means its leased address under mode-cfg"),
    'dst-start-ip': served(ipv4(), "the client's side, for range and ip"),
    'dst-end-ip': served(ipv4(), "the client's side, for range"),
    'dst-name': served(text(79), "the client's side, for name: an address object"),
    'dst-subnet6': served(prefix6(), "the client's side, for subnet6"),
    'dst-start-ip6': served(ipv6, "the client's side, for range6 and ip6"),
    'dst-end-ip6': served(ipv6, "the client's side, for range6"),
    'dst-name6': served(text(79), "the client's side, for name6"),
    'dst-port': served(integer(0, 65535, 0), "port on the client's side, 0 is all"),
    protocol: served(integer(0, 255, 0), 'IP protocol, 0 is all'),
    comments: note(text(255)),
    'add-route': served(inherit, 'the same for what goes through here; phase1: as the phase 1 says'),
    'inbound-dscp-copy': later(inherit, 'the data plane'),
    diffserv: later(toggle('disable'), 'the data plane'),
    diffservcode: later(text(15), 'the data plane'),
    'ipv4-df': later(toggle('disable'), 'the data plane'),
    'single-source': later(toggle('disable'), 'the data plane'),
    'route-overlap': later(option(['use-old', 'use-new', 'allow'], 'use-new'), 'the data plane'),
    'dhcp-ipsec': later(toggle('disable'), 'addresses from DHCP'),
    l2tp: later(toggle('disable'), 'L2TP over IPsec'),
    keepalive: inert(toggle('disable'), initiator),
    'auto-negotiate': inert(toggle('disable'), initiator),
    'initiator-ts-narrow': inert(toggle('disable'), initiator),
    'auto-discovery-sender': inert(inherit, 'a setting of tunnels between FortiGates'),
    'auto-discovery-forwarder': inert(inherit, 'a setting of tunnels between FortiGates'),
  },
});
