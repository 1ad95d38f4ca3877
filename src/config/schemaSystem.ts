/**
 * `system …`: little of it matters to a VPN gateway. The many other words of these tables are known by name, so that a
 * backup loads and a typing error is still found.
 */
import { integer, later, names, note, option, served, text, toggle } from './setting.ts';
import { ipv4, ipv6, prefix6, subnet4 } from './settingNet.ts';
import { table } from './table.ts';

export const systemGlobal = table({
  path: 'system global',
  help: 'the gateway itself',
  key: 'none',
  words: { hostname: note(text(35, 'postern'), 'its name'), alias: note(text(35)), timezone: note(text(63)) },
  idle: `admin-ble-button admin-concurrent admin-console-timeout admin-forticloud-sso-default-profile
    admin-forticloud-sso-login admin-host admin-hsts-max-age admin-http-rate-limit-exempt-auth
    admin-http-rate-limit-max-requests admin-http-request-body-timeout admin-http-request-header-timeout
    admin-http-unauthenticated-request-body-timeout admin-https-pki-required admin-https-redirect
    admin-https-ssl-banned-ciphers admin-https-ssl-ciphersuites admin-https-ssl-versions admin-lockout-duration
    admin-lockout-threshold admin-login-max admin-maintainer admin-port admin-reset-button admin-restrict-local admin-scp
    admin-server-cert admin-sport admin-ssh-grace-time admin-ssh-password admin-ssh-port admin-ssh-v1 admin-telnet
    admin-telnet-port admintimeout airplane-mode allow-traffic-redirect anti-replay application-bandwidth-tracking
    arp-max-entry asymroute auth-cert auth-http-port auth-https-port auth-ike-saml-port auth-keepalive
    auth-session-auto-backup auth-session-auto-backup-interval auth-session-limit auto-auth-extension-device autorun-log-fsck
    av-affinity av-failopen av-failopen-session batch-cmdb bfd-affinity block-session-timer br-fdb-max-entry cert-chain-max
    cfg-revert-timeout cfg-save check-protocol-header check-reset-range cli-audit-log cloud-communication clt-cert-req
    cmdbsvr-affinity compliance-check compliance-check-time cpu-use-threshold csr-ca-attribute daily-restart
    default-service-source-port delay-tcp-npu-session device-identification-active-scan-delay device-idle-timeout dh-params
    dhcp-lease-backup-interval dnsproxy-worker-count dst early-tcp-npu-session edit-vdom-prompt endpoint-control-fds-access
    endpoint-control-portal-port extender-controller-reserved-network failtime faz-disk-buffer-size fds-statistics
    fds-statistics-period fec-port fgd-alert-subscription forticonverter-config-upload forticonverter-integration
    fortiextender fortiextender-data-port fortiextender-discovery-lockdown fortiextender-provision-on-authorization
    fortiextender-vlan-mode fortigslb-integration fortiipam-integration fortiservice-port fortitoken-cloud
    fortitoken-cloud-push-status fortitoken-cloud-region fortitoken-cloud-sync-interval geoip-full-db gtpu-dynamic-source-port
    gui-allow-default-hostname gui-allow-incompatible-fabric-fgt gui-app-detection-sdwan gui-auto-upgrade-setup-warning
    gui-cdn-domain-override gui-cdn-usage gui-certificates gui-custom-language gui-custom-theme gui-date-format
    gui-date-time-source gui-device-latitude gui-device-longitude gui-display-hostname gui-firmware-upgrade-setup-warning
    gui-firmware-upgrade-warning gui-forticare-registration-setup-warning gui-fortigate-cloud-sandbox
    gui-fortiguard-resource-fetch gui-fortisandbox-cloud gui-ipv6 gui-lines-per-page gui-local-out
    gui-login-request-rate-limit gui-replacement-message-groups gui-rest-api-cache gui-restrict-theme-change gui-theme
    gui-wireless-opensecurity gui-workflow-management ha-affinity honor-df http-request-limit
    http-unauthenticated-request-limit httpd-max-worker-count hyper-scale-vdom-num igmp-state-limit ike-embryonic-limit
    interface-subnet-usage internet-service-database internet-service-download-list interval ip-conflict-detection
    ip-fragment-mem-thresholds ip-fragment-timeout ip-src-port-range ips-affinity ipsec-asic-offload ipsec-ha-seqjump-rate
    ipsec-hmac-offload ipsec-qat-offload ipsec-round-robin ipsec-soft-dec-async ipv6-accept-dad ipv6-allow-anycast-probe
    ipv6-allow-local-in-silent-drop ipv6-allow-multicast-probe ipv6-allow-traffic-redirect ipv6-fragment-timeout
    ipv6-snat-route-change irq-time-accounting language ldapconntimeout legacy-poe-device-support lldp-reception
    lldp-transmission log-daemon-cpu-threshold log-fsck-timeout log-single-cpu-high log-ssl-connection log-uuid-address
    log-uuid-policy login-timestamp long-vdom-name management-ip management-port management-port-use-admin-sport
    management-vdom max-dlpstat-memory max-route-cache-size mc-ttl-notchange memory-use-threshold-extreme
    memory-use-threshold-green memory-use-threshold-red miglog-affinity miglogd-children multi-factor-authentication
    multicast-forward ndp-max-entry npu-neighbor-update per-user-bal per-user-bwl pmtu-discovery policy-auth-concurrent
    post-login-banner pre-login-banner private-data-encryption proxy-auth-lifetime proxy-auth-lifetime-timeout
    proxy-auth-timeout proxy-cert-use-mgmt-vdom proxy-cipher-hardware-acceleration proxy-hardware-acceleration
    proxy-keep-alive-mode proxy-kxp-hardware-acceleration proxy-re-authentication-mode proxy-re-authentication-time
    proxy-resource-mode proxy-worker-count purdue-level quic-ack-thresold quic-congestion-control-algo quic-max-datagram-size
    quic-pmtud quic-tls-handshake-timeout quic-udp-payload-size-shaping-per-cid radius-port reboot-upon-config-restore refresh
    remoteauthtimeout reset-sessionless-tcp rest-api-key-url-query restart-time revision-backup-on-logout
    revision-image-auto-backup router-affinity scanunit-count scim-http-port scim-https-port scim-server-cert
    security-rating-result-submission security-rating-run-on-schedule send-pmtu-icmp sflowd-max-children-num
    single-vdom-npuvlink snat-route-change special-file-23-support speedtest-server speedtestd-ctrl-port
    speedtestd-server-port split-port ssd-trim-date ssd-trim-freq ssd-trim-hour ssd-trim-min ssd-trim-weekday ssh-cbc-cipher
    ssh-enc-algo ssh-hmac-md5 ssh-hostkey ssh-hostkey-algo ssh-hostkey-override ssh-hostkey-password ssh-kex-algo ssh-kex-sha1
    ssh-mac-algo ssh-mac-weak ssl-min-proto-version ssl-static-key-ciphers sslvpn-affinity sslvpn-cipher-hardware-acceleration
    sslvpn-ems-sn-check sslvpn-kxp-hardware-acceleration sslvpn-max-worker-count sslvpn-plugin-version-check sslvpn-web-mode
    strict-dirty-session-check strong-crypto switch-controller switch-controller-reserved-network sys-perf-log-interval
    syslog-affinity tcp-congestion-control tcp-halfclose-timer tcp-halfopen-timer tcp-option tcp-rst-timer tcp-timewait-timer
    telemetry-controller telemetry-data-port tftp tls-session-cache tp-mc-skip-policy traffic-priority traffic-priority-level
    two-factor-email-expiry two-factor-fac-expiry two-factor-ftk-expiry two-factor-ftm-expiry two-factor-sms-expiry
    udp-idle-timer upgrade-report url-filter-affinity url-filter-count user-device-store-max-device-mem
    user-device-store-max-devices user-device-store-max-unified-mem user-device-store-max-users
    user-history-password-threshold user-server-cert vdom-admin vdom-mode vip-arp-range virtual-server-count
    virtual-server-hardware-acceleration virtual-switch-vlan vpn-ems-sn-check wad-affinity wad-csvc-cs-count wad-csvc-db-count
    wad-memory-change-granularity wad-p2s-max-body-size wad-restart-end-time wad-restart-mode wad-restart-start-time
    wad-source-affinity wad-worker-count wad-worker-dev-cache wifi-ca-certificate wifi-certificate wimax-4g-usb
    wireless-controller wireless-controller-port wireless-mode`,
  idleBlocks: 'split-port-mode',
});

export const systemSettings = table({
  path: 'system settings',
  help: 'the virtual domain',
  key: 'none',
  words: {
    'ike-port': served(integer(1024, 65535, 500, [500]), 'UDP port of IKE'),
    'ike-natt-port': served(integer(1024, 65535, 4500), 'UDP port of NAT traversal'),
    'ike-tcp-port': later(integer(1, 65535, 443), 'IKE over TCP'),
    'ike-session-resume': later(toggle('disable'), 'session resumption (RFC 5723)'),
    'ike-quick-crash-detect': later(toggle('disable'), 'quick crash detection (RFC 6290)'),
    'ike-dn-format': later(option(['with-space', 'no-space'], 'with-space'), 'writing names without blanks'),
    'ike-policy-route': later(toggle('disable'), 'policy routing of IKE'),
    comments: note(text(255)),
  },
  idle: `allow-linkdown-path allow-subnet-overlap application-bandwidth-tracking asymroute asymroute-icmp asymroute6
    asymroute6-icmp auxiliary-session bfd bfd-desired-min-tx bfd-detect-mult bfd-dont-enforce-src-port bfd-required-min-rx
    block-land-attack central-nat compliance-check consolidated-firewall-mode default-app-port-as-service
    default-policy-expiry-days default-voip-alg-mode deny-tcp-with-icmp detect-unknown-esp device dhcp-proxy
    dhcp-proxy-interface dhcp-proxy-interface-select-method dhcp-proxy-vrf-select dhcp-server-ip dhcp6-server-ip
    discovered-device-timeout dyn-addr-session-check ecmp-max-paths email-portal-check-dns ext-resource-session-check
    firewall-session-dirty fqdn-session-check fw-session-hairpin gateway gateway6 gui-advanced-policy
    gui-advanced-wireless-features gui-allow-unnamed-policy gui-antivirus gui-ap-profile gui-application-control gui-casb
    gui-default-policy-columns gui-dhcp-advanced gui-dlp gui-dlp-advanced gui-dlp-profile gui-dns-database gui-dnsfilter
    gui-domain-ip-reputation gui-dos-policy gui-dynamic-device-os-id gui-dynamic-profile-display gui-dynamic-routing
    gui-email-collection gui-endpoint-control gui-endpoint-control-advanced gui-enforce-change-summary gui-explicit-proxy
    gui-file-filter gui-fortiap-split-tunneling gui-fortiextender-controller gui-gtp gui-icap gui-implicit-policy gui-ips
    gui-load-balance gui-local-in-policy gui-local-reports gui-multicast-policy gui-multiple-interface-policy
    gui-multiple-utm-profiles gui-nat46-64 gui-object-colors gui-ot gui-per-policy-disclaimer gui-policy-based-ipsec
    gui-policy-disclaimer gui-policy-learning gui-proxy-inspection gui-replacement-message-groups
    gui-route-tag-address-creation gui-security-profile-group gui-spamfilter gui-sslvpn gui-sslvpn-clients
    gui-sslvpn-personal-bookmarks gui-sslvpn-realms gui-switch-controller gui-threat-weight gui-traffic-shaping
    gui-videofilter gui-virtual-patch-profile gui-voip-profile gui-vpn gui-waf-profile gui-wan-load-balancing gui-wanopt-cache
    gui-webfilter gui-webfilter-advanced gui-wireless-controller gui-ztna h323-direct-model http-external-dest
    implicit-allow-dns inspection-mode intree-ses-best-route internet-service-app-ctrl-size internet-service-database-cache ip
    ip6 ipv6-exhausted-mode-cfg lan-extension-controller-addr lan-extension-controller-port link-down-access lldp-reception
    lldp-transmission location-id mac-ttl manageip manageip6 multicast-forward multicast-skip-policy multicast-ttl-notchange
    nat46-force-ipv4-packet-forwarding nat46-generate-ipv6-fragment-header nat64-force-ipv6-packet-forwarding ngfw-mode opmode
    policy-offload-level prp-trailer-action sccp-port sctp-session-without-init ses-denied-multicast-traffic
    ses-denied-traffic sip-expectation sip-helper sip-nat-trace sip-ssl-port sip-tcp-port sip-udp-port snat-hairpin-traffic
    ssl-ssh-profile status strict-src-check tcp-session-without-syn utf8-spam-tagging v4-ecmp-mode vdom-type vpn-stats-log
    vpn-stats-period wccp-cache-engine`,
});

export const secondaryIp = table({
  path: 'secondaryip',
  help: 'more addresses',
  key: 'number',
  words: { ip: served(subnet4(true), 'address and netmask') },
  idle: 'allowaccess detectprotocol detectserver gwdetect ha-priority ping-serv-status secip-relay-ip',
});

export const interfaceIpv6 = table({
  path: 'ipv6',
  help: 'IPv6 of the interface',
  key: 'none',
  words: {
    'ip6-address': served(prefix6(true), 'address and prefix length'),
    'ip6-mode': served(
      option(['static', 'dhcp', 'pppoe', 'delegated', 'auto'], 'static'),
      'other than static: the address is not known here',
    ),
  },
  idle: `autoconf cli-conn6-status dhcp6-client-options dhcp6-information-request dhcp6-prefix-delegation dhcp6-prefix-hint
    dhcp6-prefix-hint-plt dhcp6-prefix-hint-vlt dhcp6-relay-interface-id dhcp6-relay-ip dhcp6-relay-service
    dhcp6-relay-source-interface dhcp6-relay-source-ip dhcp6-relay-type icmp6-send-redirect interface-identifier ip6-adv-rio
    ip6-allowaccess ip6-default-life ip6-delegated-prefix-iaid ip6-dns-server-override ip6-hop-limit ip6-link-mtu
    ip6-manage-flag ip6-max-interval ip6-min-interval ip6-other-flag ip6-prefix-mode ip6-reachable-time ip6-retrans-time
    ip6-route-pref ip6-send-adv ip6-subnet ip6-upstream-interface nd-cert nd-cga-modifier nd-mode nd-security-level
    nd-timestamp-delta nd-timestamp-fuzz ra-send-mtu unique-autoconf-addr vrip6_link_local vrrp-virtual-mac6`,
  idleBlocks: `client-options dhcp6-iapd-list ip6-delegated-prefix-list ip6-dnssl-list ip6-extra-addr ip6-prefix-list
    ip6-rdnss-list ip6-route-list vrrp6`,
});

export const systemInterface = table({
  path: 'system interface',
  help: 'interfaces, for the addresses that profiles answer on',
  keyMax: 35,
  words: {
    ip: served(subnet4(true), 'address and netmask'),
    mode: served(option(['static', 'dhcp', 'pppoe'], 'static'), 'other than static: the address is not known here'),
    'secondary-IP': served(toggle('disable'), 'has more addresses'),
    alias: note(text(63)),
    description: note(text(255)),
    role: note(option(['lan', 'wan', 'dmz', 'undefined'], 'undefined'), 'what it is for'),
    'snmp-index': note(integer(0, 2147483647, 0), 'a number that FortiOS gave it'),
    color: note(integer(0, 32, 0), 'colour of its icon'),
    vdom: note(text(31), 'its virtual domain'),
    type: note(text(31), 'kind of interface'),
  },
  idle: `ac-name aggregate aggregate-type algorithm allowaccess ap-discover arpforward atm-protocol auth-cert auth-portal-addr
    auth-type auto-auth-extension-device autogenerated bandwidth-measure-time bfd bfd-desired-min-tx bfd-detect-mult
    bfd-required-min-rx broadcast-forticlient-discovery broadcast-forward captive-portal cli-conn-status dedicated-to
    default-purdue-level defaultgw detected-peer-mtu detectprotocol detectserver device-access-list device-identification
    device-identification-active-scan device-netscan device-user-identification devindex dhcp-broadcast-flag
    dhcp-classless-route-addition dhcp-client-identifier dhcp-relay-agent-option dhcp-relay-allow-no-end-option
    dhcp-relay-circuit-id dhcp-relay-interface dhcp-relay-interface-select-method dhcp-relay-ip dhcp-relay-link-selection
    dhcp-relay-request-all-server dhcp-relay-service dhcp-relay-source-ip dhcp-relay-type dhcp-relay-vrf-select
    dhcp-renew-time dhcp-smart-relay disc-retry-timeout disconnect-threshold distance dns-server-override dns-server-protocol
    drop-fragment drop-overlapped-fragment eap-ca-cert eap-identity eap-method eap-password eap-supplicant eap-user-cert
    egress-cos egress-shaping-profile eip endpoint-compliance estimated-downstream-bandwidth estimated-upstream-bandwidth
    exclude-signatures explicit-ftp-proxy explicit-web-proxy external fail-action-on-extender fail-alert-interfaces
    fail-alert-method fail-detect fail-detect-option fdp fortiheartbeat fortilink fortilink-backup-link
    fortilink-neighbor-detect fortilink-split-interface fortilink-stacking forward-domain forward-error-correction
    gateway-address gi-gk gwaddr gwdetect ha-priority icmp-accept-redirect icmp-send-redirect ident-accept idle-timeout
    ike-saml-server inbandwidth ingress-cos ingress-shaping-profile ingress-spillover-threshold interconnect-profile interface
    internal ip-managed-by-fortiipam ipmac ips-sniffer-mode ipunnumbered l2forward l2tp-client lacp-ha-secondary lacp-ha-slave
    lacp-mode lacp-speed lcp-echo-interval lcp-max-echo-fails link-up-delay lldp-network-policy lldp-reception
    lldp-transmission macaddr managed-subnetwork-size management-ip measured-downstream-bandwidth measured-upstream-bandwidth
    mediatype member min-links min-links-down mirroring-direction mirroring-port monitor-bandwidth mtu mtu-override mux-type
    ndiscforward netbios-forward netflow-sample-rate netflow-sampler netflow-sampler-id np-qos-profile outbandwidth
    padt-retry-timeout password phy-mode physical ping-serv-status poe polling-interval port-mirroring pppoe-egress-cos
    pppoe-unnumbered-negotiate pptp-auth-type pptp-client pptp-password pptp-server-ip pptp-timeout pptp-user
    preserve-session-route priority priority-override profiles proxy-captive-portal pvc-atm-qos pvc-chan pvc-crc pvc-pcr
    pvc-scr pvc-vlan-id pvc-vlan-rx-id pvc-vlan-rx-op pvc-vlan-tx-id pvc-vlan-tx-op reachable-time redundant-interface
    remote-ip replacemsg-override-group retransmission ring-rx ring-tx sample-direction sample-rate scan-botnet-connections
    security-8021x-dynamic-vlan-id security-8021x-master security-8021x-member-mode security-8021x-mode security-exempt-list
    security-external-logout security-external-web security-groups security-ip-auth-bypass security-mac-auth-bypass
    security-mode security-redirect-url select-profile-30a-35b service-name sflow-sampler sfp-dsl sfp-dsl-adsl-fallback
    sfp-dsl-autodetect sfp-dsl-mac speed spillover-threshold src-check status stp stp-edge stp-ha-secondary stpforward
    stpforward-mode strip-priority-vlan-tag subst substitute-dst-mac sw-algorithm swc-first-create swc-vlan switch
    switch-controller-access-vlan switch-controller-arp-inspection switch-controller-dhcp-snooping
    switch-controller-dhcp-snooping-option82 switch-controller-dhcp-snooping-verify-mac switch-controller-dynamic
    switch-controller-feature switch-controller-igmp-snooping switch-controller-igmp-snooping-fast-leave
    switch-controller-igmp-snooping-proxy switch-controller-iot-scanning switch-controller-learning-limit
    switch-controller-mgmt-vlan switch-controller-nac switch-controller-netflow-collect switch-controller-offload
    switch-controller-offload-gw switch-controller-offload-ip switch-controller-rspan-mode switch-controller-source-ip
    switch-controller-traffic-policy system-id system-id-type tc-mode tcp-mss telemetry-discover trunk trust-ip-1 trust-ip-2
    trust-ip-3 trust-ip6-1 trust-ip6-2 trust-ip6-3 trusted username vci vectoring vindex virtual-mac vlan-id vlan-op-mode
    vlan-protocol vlanforward vlanid vpi vrf vrrp-virtual-mac wccp weight wifi-5g-threshold wifi-acl wifi-ap-band wifi-auth
    wifi-auto-connect wifi-auto-save wifi-broadcast-ssid wifi-dns-server1 wifi-dns-server2 wifi-encrypt
    wifi-fragment-threshold wifi-gateway wifi-key wifi-keyindex wifi-mac-filter wifi-passphrase wifi-radius-server
    wifi-rts-threshold wifi-security wifi-ssid wifi-usergroup wins-ip`,
  blocks: [secondaryIp, interfaceIpv6],
  idleBlocks: `client-options dhcp-snooping-server-list egress-queues l2tp-client-settings managed-device mirroring-filter
    phy-setting tagging vrrp wifi-mac-list wifi-networks`,
});

export const systemDns = table({
  path: 'system dns',
  help: 'DNS servers, which dns-mode auto gives to clients',
  key: 'none',
  words: {
    primary: served(ipv4(), 'DNS server'),
    secondary: served(ipv4(), 'DNS server'),
    'ip6-primary': served(ipv6, 'DNS server'),
    'ip6-secondary': served(ipv6, 'DNS server'),
    domain: note(names(127), "the gateway's own search domains"),
  },
  idle: `alt-primary alt-secondary cache-notfound-responses dns-cache-limit dns-cache-ttl dns-over-tls fqdn-cache-ttl
    fqdn-max-refresh fqdn-min-refresh hostname-limit hostname-ttl interface interface-select-method log protocol retry
    root-servers server-hostname server-select-method source-ip source-ip-interface ssl-certificate timeout vrf-select`,
});
