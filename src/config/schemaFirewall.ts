/**
 * `firewall …`: addresses and services, which profiles refer to; policies, virtual IPs and access proxies, which wait
 * for their parts.
 */
import { integer, type Kind, later, names, note, option, options, served, text, toggle } from './setting.ts';
import { ipv4, ipv6, prefix6, subnet4 } from './settingNet.ts';
import { type Table, table } from './table.ts';

const uuid = note(text(63), 'a number that FortiOS gave it');
const annotations = { uuid, comment: note(text(255)), color: note(integer(0, 32, 0), 'colour of its icon') };
const start = { 'start-ip': served(ipv4(), 'first address, for iprange'), 'end-ip': served(ipv4(), 'last address, for iprange') };
const start6 = { 'start-ip': served(ipv6, 'first address, for iprange'), 'end-ip': served(ipv6, 'last address, for iprange') };
const addressTypes = [
  'ipmask',
  'iprange',
  'fqdn',
  'geography',
  'wildcard',
  'dynamic',
  'interface-subnet',
  'mac',
  'route-tag',
] as const;
const addressTypes6 = [
  'ipprefix',
  'iprange',
  'fqdn',
  'geography',
  'dynamic',
  'template',
  'mac',
  'route-tag',
  'wildcard',
] as const;
const fabric = 'fabric-object fabric-object-source fabric-force-sync custom-tags display-with';

export const address = table({
  path: 'firewall address',
  help: 'IPv4 addresses with a name',
  words: {
    type: served(option(addressTypes, 'ipmask'), 'ipmask and iprange can be used by profiles'),
    subnet: served(subnet4(), 'network, for ipmask'),
    ...start,
    fqdn: served(text(255), 'host name, for fqdn'),
    country: served(text(2), 'for geography'),
    'sub-type': served(
      option(
        [
          'sdn',
          'clearpass-spt',
          'fsso',
          'rsso',
          'ems-tag',
          'fortivoice-tag',
          'fortinac-tag',
          'swc-tag',
          'device-identification',
          'external-resource',
          'obsolete',
          'fortipolicy-tag',
          'obj-tag',
        ],
        'sdn',
      ),
      'for dynamic; ems-tag is a posture tag',
    ),
    'obj-tag': served(text(255), 'name of the tag'),
    'obj-type': served(option(['ip', 'mac'], 'ip'), 'what the tag resolves to'),
    'tag-type': served(text(63), 'zero_trust or classification'),
    'tag-detection-level': note(text(15), 'of the tag'),
    interface: served(text(35), 'for interface-subnet'),
    wildcard: served(subnet4(true), 'for wildcard'),
    macaddr: served(names(127), 'for mac'),
    ...annotations,
  },
  idle: `allow-routing associated-interface agent-id cache-ttl clearpass-spt end-mac start-mac epg-name filter fsso-group
    hw-model hw-vendor hw-version ipam-allocate-unique managed-subnetwork-size node-ip-only obj-id obsolete organization os
    passive-fqdn-learning policy-group route-tag sdn sdn-addr-type sdn-tag sso-attribute-value subnet-name sw-version tenant
    visibility wildcard-fqdn dirty ${fabric}`,
  idleBlocks: 'list tagging',
});

export const address6 = table({
  path: 'firewall address6',
  help: 'IPv6 addresses with a name',
  words: {
    type: served(option(addressTypes6, 'ipprefix'), 'ipprefix and iprange can be used by profiles'),
    ip6: served(prefix6(), 'prefix, for ipprefix'),
    ...start6,
    fqdn: served(text(255), 'host name, for fqdn'),
    country: served(text(2), 'for geography'),
    'obj-tag': served(text(255), 'name of the tag'),
    ...annotations,
  },
  idle: `cache-ttl end-mac start-mac epg-name filter host host-type macaddr obj-id obj-type passive-fqdn-learning route-tag
    sdn sdn-tag sdn-addr-type sub-type tag-type tag-detection-level template tenant visibility wildcard ${fabric}`,
  idleBlocks: 'list tagging subnet-segment',
});

const group = {
  member: served(names(79), 'what it is made of'),
  exclude: later(toggle('disable'), 'groups with exceptions'),
  'exclude-member': later(names(79), 'groups with exceptions'),
  ...annotations,
};

export const addrgrp = table({
  path: 'firewall addrgrp',
  help: 'several IPv4 addresses under one name',
  words: group,
  idle: `type category allow-routing visibility ${fabric}`,
  idleBlocks: 'tagging',
});

export const addrgrp6 = table({
  path: 'firewall addrgrp6',
  help: 'several IPv6 addresses under one name',
  words: group,
  idle: `visibility ${fabric}`,
  idleBlocks: 'tagging',
});

export const service = table({
  path: 'firewall service custom',
  help: 'ports with a name',
  words: {
    protocol: served(
      option(
        [
          'TCP/UDP/SCTP',
          'TCP/UDP/UDP-Lite/SCTP',
          'ICMP',
          'ICMP6',
          'IP',
          'HTTP',
          'FTP',
          'CONNECT',
          'SOCKS-TCP',
          'SOCKS-UDP',
          'ALL',
        ],
        'TCP/UDP/SCTP',
      ),
      'kind of service',
    ),
    'protocol-number': served(integer(0, 255, 0), 'for IP'),
    'tcp-portrange': served(names(63), 'ports'),
    'udp-portrange': served(names(63), 'ports'),
    'udplite-portrange': served(names(63), 'ports'),
    'sctp-portrange': served(names(63), 'ports'),
    icmptype: served(integer(0, 4294967295, 0), 'for ICMP'),
    icmpcode: served(integer(0, 255, 0), 'for ICMP'),
    iprange: served(text(63), 'addresses'),
    fqdn: served(text(255), 'host name'),
    category: note(text(63)),
    ...annotations,
  },
  idle: `app-category app-service-type application check-reset-range helper proxy session-ttl tcp-halfclose-timer
    tcp-halfopen-timer tcp-rst-timer tcp-timewait-timer udp-idle-timer visibility ${fabric}`,
});

export const serviceGroup = table({
  path: 'firewall service group',
  help: 'several services under one name',
  words: { member: served(names(79), 'what it is made of'), ...annotations },
  idle: `proxy ${fabric}`,
});

export const policy = table({
  path: 'firewall policy',
  help: 'which traffic may pass',
  key: 'number',
  words: {
    name: note(text(35)),
    uuid,
    status: served(toggle('enable'), 'is it in force'),
    action: served(option(['accept', 'deny', 'ipsec'], 'deny'), 'what happens to the traffic'),
    srcintf: served(names(79), 'where it comes from: an interface, or a phase1-interface'),
    dstintf: served(names(79), 'where it goes'),
    srcaddr: served(names(79), 'source addresses'),
    dstaddr: served(names(79), 'destination addresses or virtual IPs'),
    srcaddr6: served(names(79), 'source addresses'),
    dstaddr6: served(names(79), 'destination addresses'),
    service: served(names(79), 'services'),
    schedule: served(text(35), 'when'),
    groups: served(names(79), 'user groups; of a phase1-interface without authusrgrp they are its EAP groups'),
    users: served(names(79), 'users'),
    nat: served(toggle('disable'), 'hide the source address'),
    logtraffic: served(option(['all', 'utm', 'disable'], 'utm'), 'what is logged'),
    'ztna-status': served(toggle('disable'), 'ask for posture tags'),
    'ztna-ems-tag': served(names(79), 'posture tags'),
    'ztna-ems-tag-secondary': served(names(79), 'posture tags, one of which is needed too'),
    'ztna-tags-match-logic': served(option(['or', 'and'], 'or'), 'one tag or all'),
    comments: note(text(1023)),
    label: note(text(63)),
    'global-label': note(text(63)),
  },
  idle: `anti-replay app-category app-group app-monitor application application-list auth-cert auth-path auth-redirect-addr
    auto-asic-offload av-profile block-notification captive-portal-exempt capture-packet casb-profile cgn-eif cgn-eim
    cgn-log-server-grp cgn-resource-quota cgn-session-quota cifs-profile custom-log-fields decrypted-traffic-mirror
    delay-tcp-npu-session devices diameter-filter-profile diffserv-copy diffserv-forward diffserv-reverse diffservcode-forward
    diffservcode-rev disclaimer dlp-profile dlp-sensor dnsfilter-profile dsri dstaddr-negate dstaddr6-negate dynamic-shaping
    email-collect emailfilter-profile fec file-filter-profile firewall-session-dirty fixedport fsso fsso-agent-for-ntlm
    fsso-groups geoip-anycast geoip-match http-policy-redirect icap-profile identity-based-route inbound inspection-mode
    internet-service internet-service-custom internet-service-custom-group internet-service-fortiguard internet-service-group
    internet-service-id internet-service-name internet-service-negate internet-service-src internet-service-src-custom
    internet-service-src-custom-group internet-service-src-fortiguard internet-service-src-group internet-service-src-id
    internet-service-src-name internet-service-src-negate internet-service6 internet-service6-custom
    internet-service6-custom-group internet-service6-fortiguard internet-service6-group internet-service6-name
    internet-service6-negate internet-service6-src internet-service6-src-custom internet-service6-src-custom-group
    internet-service6-src-fortiguard internet-service6-src-group internet-service6-src-name internet-service6-src-negate
    ippool ips-sensor ips-voip-filter learning-mode llm-profile log-http-transaction logtraffic-start match-vip match-vip-only
    nat46 nat64 natinbound natip natoutbound network-service-dynamic network-service-src-dynamic np-acceleration ntlm
    ntlm-enabled-browsers ntlm-guest outbound passive-wan-health-measurement pcp-inbound pcp-outbound pcp-poolname
    per-ip-shaper permit-any-host permit-stun-host policy-behaviour-type policy-expiry policy-expiry-date
    policy-expiry-date-utc policy-offload poolname poolname6 port-preserve port-random profile-group profile-protocol-options
    profile-type radius-ip-auth-bypass radius-mac-auth-bypass redirect-url replacemsg-override-group reputation-direction
    reputation-direction6 reputation-minimum reputation-minimum6 rsso rtp-addr rtp-nat scan-botnet-connections
    schedule-timeout sctp-filter-profile send-deny-packet service-negate session-ttl sgt sgt-check skip-vrf-match
    spamfilter-profile src-vendor-mac srcaddr-negate srcaddr6-negate ssh-filter-profile ssh-policy-redirect ssl-mirror
    ssl-mirror-intf ssl-ssh-profile tcp-mss-receiver tcp-mss-sender tcp-session-without-syn telemetry-profile timeout-send-rst
    tos tos-mask tos-negate traffic-shaper traffic-shaper-reverse url-category utm-status videofilter-profile
    virtual-patch-profile vlan-cos-fwd vlan-cos-rev vlan-filter voip-profile vpntunnel waf-profile wanopt wanopt-detection
    wanopt-passive-opt wanopt-peer wanopt-profile wccp webcache webcache-https webfilter-profile webproxy-forward-server
    webproxy-profile wsso ztna-destination ztna-device-ownership ztna-ems-tag-negate ztna-ems-tag6 ztna-geo-tag
    ztna-policy-redirect ${fabric}`,
});

const tlsVersions = ['ssl-3.0', 'tls-1.0', 'tls-1.1', 'tls-1.2', 'tls-1.3'] as const;

export const vip = table({
  path: 'firewall vip',
  help: 'virtual IPs: the outer address of an access proxy',
  later: 'the access proxy is not served yet',
  words: {
    type: served(
      option(['static-nat', 'load-balance', 'server-load-balance', 'dns-translation', 'fqdn', 'access-proxy'], 'static-nat'),
      'access-proxy',
    ),
    'server-type': served(
      option(['http', 'https', 'imaps', 'pop3s', 'smtps', 'ssl', 'tcp', 'udp', 'ip', 'ssh'], 'https'),
      'protocol of clients',
    ),
    extip: served(text(63), 'outer address or range'),
    extintf: served(text(35), 'outer interface'),
    extport: served(text(63), 'outer port or range'),
    mappedip: served(names(63), 'inner addresses'),
    mappedport: served(text(63), 'inner port or range'),
    'ssl-certificate': served(names(79), 'certificates shown to clients'),
    'ssl-min-version': served(option(tlsVersions, 'tls-1.1'), 'lowest TLS version'),
    'ssl-max-version': served(option(tlsVersions, 'tls-1.3'), 'highest TLS version'),
    'client-cert': served(toggle('enable'), 'ask clients for a certificate'),
    'empty-cert-action': served(option(['accept', 'block', 'accept-unmanageable'], 'block'), 'clients without one'),
    'user-agent-detect': served(toggle('enable'), 'tell browsers from other clients'),
    status: served(toggle('enable'), 'is it in force'),
    protocol: served(option(['tcp', 'udp', 'sctp', 'icmp'], 'tcp'), 'for port forwarding'),
    portforward: served(toggle('disable'), 'port forwarding'),
    id: note(integer(0, 65535, 0), 'a number of your own'),
    ...annotations,
  },
  idle: `add-nat46-route arp-reply auth-portal auth-virtual-host dns-mapping-ttl extaddr gratuitous-arp-interval
    gslb-domain-name gslb-hostname h2-support h3-support http-cookie-age http-cookie-domain http-cookie-domain-from-host
    http-cookie-generation http-cookie-path http-cookie-share http-ip-header http-ip-header-name http-multiplex
    http-multiplex-max-concurrent-request http-multiplex-max-request http-multiplex-ttl http-redirect
    http-supported-max-version https-cookie-secure ipv6-mappedip ipv6-mappedport ldb-method mapped-addr
    max-embryonic-connections monitor nat-source-vip nat44 nat46 one-click-gslb-server outlook-web-access persistence
    portmapping-type service src-filter src-vip-filter srcintf-filter ssl-accept-ffdhe-groups ssl-algorithm
    ssl-client-fallback ssl-client-rekey-count ssl-client-renegotiation ssl-client-session-state-max
    ssl-client-session-state-timeout ssl-client-session-state-type ssl-dh-bits ssl-hpkp ssl-hpkp-age ssl-hpkp-backup
    ssl-hpkp-include-subdomains ssl-hpkp-primary ssl-hpkp-report-uri ssl-hsts ssl-hsts-age ssl-hsts-include-subdomains
    ssl-http-location-conversion ssl-http-match-host ssl-mode ssl-pfs ssl-send-empty-frags ssl-server-algorithm
    ssl-server-max-version ssl-server-min-version ssl-server-renegotiation ssl-server-session-state-max
    ssl-server-session-state-timeout ssl-server-session-state-type weblogic-server websphere-server ${fabric}`,
  idleBlocks: 'gslb-public-ips quic realservers ssl-cipher-suites ssl-server-cipher-suites',
});

const realserver = <A>(ip: Kind<A>) =>
  table({
    path: 'realservers',
    help: 'servers behind it',
    key: 'number',
    words: {
      'addr-type': served(option(['ip', 'fqdn'], 'ip'), 'how the server is given'),
      address: served(text(79), 'address object, for fqdn'),
      ip: served(ip, 'address of the server'),
      domain: served(text(255), 'host name'),
      port: served(integer(0, 65535, 443), 'port of the server'),
      mappedport: served(text(63), 'ports, for tcp-forwarding'),
      status: served(option(['active', 'standby', 'disable'], 'active'), 'is it in use'),
      type: served(option(['tcp-forwarding', 'ssh'], 'tcp-forwarding'), 'for tcp-forwarding'),
      weight: served(integer(1, 255, 1), 'share of the load'),
      'http-host': served(text(63), 'for http-host'),
      'health-check': served(toggle('disable'), 'ask whether it lives'),
      'health-check-proto': served(option(['ping', 'http', 'tcp-connect'], 'ping'), 'how'),
      'tunnel-encryption': served(toggle('enable'), 'for tcp-forwarding'),
      'external-auth': served(toggle('disable'), 'authentication by the server'),
    },
    idle: 'holddown-interval ssh-client-cert ssh-host-key ssh-host-key-validation translate-host verify-cert',
  });

export const realserver4 = realserver(ipv4());
export const realserver6 = realserver(ipv6);

const apiGateway = (path: string, servers: Table) =>
  table({
    path,
    help: 'which requests go to which servers',
    key: 'number',
    words: {
      'url-map': served(text(511, '/'), 'path that requests begin with'),
      'url-map-type': served(option(['sub-string', 'wildcard', 'regex'], 'sub-string'), 'how it is compared'),
      service: served(
        option(['http', 'https', 'tcp-forwarding', 'samlsp', 'web-portal', 'saas', 'ftp', 'pop3', 'imap', 'smtp'], 'https'),
        'kind of server',
      ),
      'virtual-host': served(text(79), 'host name of requests'),
      'ldb-method': served(
        option(['static', 'round-robin', 'weighted', 'first-alive', 'http-host'], 'static'),
        'how the load is shared',
      ),
      'h2-support': served(toggle('enable'), 'HTTP/2'),
      'h3-support': served(toggle('disable'), 'HTTP/3'),
      persistence: served(option(['none', 'http-cookie'], 'none'), 'stay with one server'),
      'saml-server': served(text(35), 'SAML server'),
      'saml-redirect': served(toggle('enable'), 'send users back after SAML'),
      application: served(names(79), 'SaaS applications'),
    },
    idle: `http-cookie-age http-cookie-domain http-cookie-domain-from-host http-cookie-generation http-cookie-path
    http-cookie-share https-cookie-secure ssl-algorithm ssl-dh-bits ssl-max-version ssl-min-version ssl-renegotiation
    ssl-vpn-web-portal`,
    blocks: [servers],
    idleBlocks: 'quic ssl-cipher-suites',
  });

export const apiGateway4 = apiGateway('api-gateway', realserver4);
export const apiGateway6 = apiGateway('api-gateway6', realserver6);

export const accessProxy = table({
  path: 'firewall access-proxy',
  help: 'applications reached through a virtual IP without a VPN',
  later: 'the access proxy is not served yet',
  words: {
    vip: served(text(79), 'its virtual IP'),
    'auth-portal': served(toggle('disable'), 'authentication portal'),
    'auth-virtual-host': served(text(79), 'host of the portal'),
    'log-blocked-traffic': served(toggle('enable'), 'log what is refused'),
    'client-cert': served(toggle('enable'), 'ask clients for a certificate'),
    'empty-cert-action': served(option(['accept', 'block', 'accept-unmanageable'], 'block'), 'clients without one'),
    'user-agent-detect': served(toggle('enable'), 'tell browsers from other clients'),
    'decrypted-traffic-mirror': served(text(35), 'copies of the traffic'),
    'add-vhost-domain-to-dnsdb': served(toggle('disable'), 'answer DNS for the hosts'),
    'svr-pool-multiplex': served(toggle('disable'), 'share connections to servers'),
    'svr-pool-ttl': served(integer(0, 2147483647, 15), 'seconds to keep them'),
    'http-supported-max-version': served(options(['http1', 'http2']), 'HTTP versions'),
  },
  idle: 'svr-pool-server-max-concurrent-request svr-pool-server-max-request',
  blocks: [apiGateway4, apiGateway6],
});
