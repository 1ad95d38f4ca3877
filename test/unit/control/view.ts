/** A view of a daemon with two EMS and a few gateways, for the commands and their layouts. */
import type { ControlView, EmsView, GatewayShown, TrafficOff, TrafficShown } from '../../../src/control/index.ts';
import { newCounters } from '../../../src/esp/counters.ts';

type EndpointRecord = EmsView['records'][number];
export type Told = { readonly names?: readonly string[]; readonly traffic?: TrafficShown | undefined; readonly off?: TrafficOff };

export const NOW = 1_795_765_000;
const TENANT = '0'.repeat(32);
const UID = 'F8A6AFF3531843B4972CBDBEEEB30E3C';

export const behind: EndpointRecord = {
  uid: UID,
  hostname: 'DESKTOP-1',
  user: 'alice',
  addresses: ['172.16.7.3', '2001:db8::3'],
  macs: ['02:09:0f:00:03:03', '02:09:0f:00:03:04'],
  tenant: TENANT,
  certSn: '2A3D0710258CF569961291DF259F6333B9540EF9',
  publicIp: '198.51.100.7',
  quarantined: false,
  online: true,
  registered: true,
  onNet: true,
  version: '7.4.5.1949',
  tags: [
    { name: 'Telemetry Connected', type: 'zero_trust' },
    { name: 'Low', type: 'classification' },
    { name: 'Outbreak', type: 'outbreak' },
  ],
  routes: [
    { ip: '172.16.7.3', mac: '02:09:0f:00:03:03', vpn: false, interface: 'port1', vdom: 'root', sn: 'PSTRN00000000001' },
    { ip: '10.10.1.1', mac: '', vpn: true, interface: 'dialup_0', vdom: 'guest', sn: 'PSTRN00000000001' },
  ],
  changed: 1_795_764_893,
};

/** Somewhere on the Internet, known by little. */
export const remote: EndpointRecord = {
  ...behind,
  uid: '9A016B5A6E914B42AD4168C066EB04CA',
  hostname: 'LAPTOP\u202e\u001b[2J',
  user: '',
  addresses: ['10.0.3.2'],
  macs: [],
  certSn: '',
  publicIp: '',
  quarantined: true,
  online: false,
  registered: false,
  onNet: false,
  version: '7.2.4',
  tags: [
    { name: 'Telemetry Connected', type: 'zero_trust' },
    { name: 'all_registered_clients', type: 'zero_trust' },
  ],
  routes: [],
};

export const first: EmsView = {
  number: 1,
  key: 'first',
  name: 'lab',
  server: 'ems.example:443',
  state: 'Connected',
  why: '',
  since: NOW - 3600,
  asOf: NOW - 5,
  identity: { serial: 'FCTEMS0000000001', tenant: TENANT, version: '7.4.4', capabilities: [] },
  tokenKeys: 2,
  websocket: true,
  trustedBy: 'pin',
  records: [behind, remote],
  outOfSync: false,
};

export const second: EmsView = {
  ...first,
  ...{ number: 2, key: 'second', name: 'spare', server: '[2001:db8::2]:8443', state: 'Not reachable', why: 'ECONNREFUSED' },
  ...{ since: NOW - 60, asOf: NOW - 900, tokenKeys: 0, websocket: false, trustedBy: 'authority', outOfSync: true },
  identity: { serial: 'FCTEMS0000000002', tenant: TENANT, version: '7.4.4', capabilities: [] },
  records: [behind],
};

export const established: GatewayShown = {
  name: 'dialup_0',
  id: 155,
  at: 'established',
  SPIi: 'db9b0112a09c6850',
  SPIr: 'ac673ffc75f4cdca',
  initiator: false,
  suite: 'aes256-sha256 ECP384',
  local: { address: '192.0.2.1', port: 4500 },
  remote: { address: '198.51.100.7', port: 55846 },
  natMe: true,
  natPeer: true,
  age: 34,
  messageIds: { sent: 1, received: 4 },
  peerId: '172.16.7.3',
  user: 'alice',
  group: 'local-group',
  fctUid: UID,
  assigned4: '10.212.134.200',
  assigned6: undefined,
  children: [
    {
      number: 7,
      phase2: 'DY',
      spiIn: 0x33fd7e58,
      spiOut: 0x8d64ca1,
      suite: 'aes256-sha256',
      state: 'installed',
      ...{ encr: 12, keyLength: 256, integ: 12, esn: false },
      addRoute: true,
      TSi: ['0:10.212.134.200-10.212.134.200:0'],
      TSr: ['0:10.50.0.0-10.50.0.255:0', '17:10.60.0.1-10.60.0.1:53'],
      expires: 43_100,
      lifetime: 43_200,
    },
  ],
};

/** The same with everything that FortiOS shows. */
export const whole: GatewayShown = {
  ...established,
  interface: 'port1',
  established: { age: 34, took: 20 },
  lifetime: { whole: 86_400, rekey: 86_066 },
  ...{ profile: 'dialup', keepalive: 10, dpd: { mode: 'on-idle', idle: 20_000, retry: 3, count: 1, seqno: 7 } },
  messageIds: { sent: 0, received: 6 },
  posture: { standing: 'clear', by: 'ems', tag: 'EMS1_ZTNA_Telemetry Connected', seconds: 170, restraint: 'none' },
};

export const gateways: readonly GatewayShown[] = [
  established,
  {
    ...established,
    ...{ name: 'dialup_1', id: 156, natMe: false, natPeer: false, user: undefined, group: undefined, fctUid: undefined },
    ...{ SPIi: '1111111111111111', SPIr: '2222222222222222', assigned4: undefined, assigned6: 'fd00::7', children: [] },
    ...{ local: { address: '2001:db8::1', port: 500 }, remote: { address: '2001:db8::7', port: 500 }, age: 7200 },
  },
  {
    ...established,
    ...{ name: 'dialup_1', id: 159, initiator: true, natMe: false, natPeer: false, user: undefined, group: undefined },
    ...{ SPIi: '3333333333333333', SPIr: '4444444444444444', fctUid: undefined, assigned4: undefined, assigned6: 'fd00::7' },
    ...{ local: { address: '2001:db8::1', port: 500 }, remote: { address: '2001:db8::7', port: 500 }, age: 10, children: [] },
  },
  {
    ...established,
    ...{ name: 'dialup', id: 160, at: 'eap', age: 2, natMe: false, peerId: undefined, user: undefined, group: undefined },
    ...{ SPIi: '5555555555555555', SPIr: '6666666666666666', fctUid: undefined, assigned4: undefined, children: [] },
  },
  { ...established, name: 'dialup_9', id: 12, at: 'closed' },
];

const counters = { inPackets: 2, inOctets: 168, inErrors: 3, outPackets: 482, outOctets: 47_064, outErrors: 1 };
const drops = newCounters().drops;

/** What a data plane with the child of `established` shows. */
export const traffic: TrafficShown = {
  now: 100_000,
  plane: {
    total: { ...counters, inErrors: 5, drops: { ...drops, replay: 2, source: 1, 'unknown-spi': 2, 'too-big': 1 } },
    flows: 4,
    clients: [{ gateway: 'dialup_0', counters: { ...counters, drops }, lastIn: 85_000, lastOut: 98_700 }],
    sas: [
      {
        ...{ spiIn: 0x33fd7e58, spiOut: 0x8d64ca1, gateway: 'dialup_0', profile: 'dialup', valve: 'quarantine' },
        ...{ sequence: 0xf1, highest: 2, mtu: 1422, outerMtu: 1500, window: 2048, replay: true, soft: false },
        counters: { ...counters, drops: { ...drops, replay: 2, source: 1, 'too-big': 1 } },
      },
    ],
  },
};

export function view({ names = ['lab', 'spare'], ...told }: Told): ControlView {
  const shown = 'traffic' in told ? told.traffic : traffic;
  const all = [first, second].flatMap((ems, i) => (names[i] === undefined ? [] : [{ ...ems, name: names[i] }]));
  const say = (what: string, code: number) => async (talk: { out(text: string): Promise<void> }) => {
    await talk.out(`${what}\n`);
    return code;
  };
  return {
    now: () => NOW,
    ems: () => all,
    tunnels: () => Promise.resolve({ gateways, traffic: shown }),
    trafficOff: () => told.off,
    reload: () => Promise.resolve({ ok: names.length > 0, text: 'gw.conf: no findings\nin force' }),
    admin: (key) => ({
      verify: say(`verify ${key}`, 0),
      unverify: say(`unverify ${key}`, 0),
      isVerified: say(`isVerified ${key}`, 1),
    }),
  };
}
