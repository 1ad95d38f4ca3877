/** A real daemon on loopback, asking emulated EMS over real HTTPS, with clients shaped like FortiClient on real sockets. */
import { randomOctets, Secret } from '../../crypto/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Daemon, startDaemon } from '../../src/daemon.ts';
import { Dial, EmsEmulator, type EmsFault, fortiClientConnect, identity, type LabOptions } from '../../src/lab/index.ts';
import type { Event, Journal } from '../../src/log/index.ts';

export const UID = 'F8A6AFF3531843B4972CBDBEEEB30E3C';
export const IP = '10.160.1.197';
export const NUMBER = 61_702;
const [PSK, PASSWORD] = ['kiesel-und-moos', 'wonder-land-7'];

export type Wish = {
  /** Lines of fctems, of `postern posture` and of `postern profile`. */
  readonly fctems?: readonly string[];
  readonly posture?: readonly string[];
  readonly profile?: readonly string[];
  readonly tags?: string;
  /** Keys of the EMS' tokens, configured beforehand: for one that is never reached. */
  readonly tokenKeys?: boolean;
  /** What is wrong with EMS from before the daemon starts: it has never said a word to it. */
  readonly fault?: EmsFault | 'away';
  /** With the lab host behind the gateway. */
  readonly lab?: boolean;
};

export type Stage = {
  readonly ems: EmsEmulator;
  readonly daemon: Daemon;
  readonly lines: string[];
  readonly events: Event[];
  told<K extends Event['kind']>(kind: K): readonly Extract<Event, { readonly kind: K }>[];
  /** Dials as the device UID, and waits for the end of IKE_AUTH. */
  dial(wish?: Partial<LabOptions> & { readonly uid?: string; readonly ip?: string; readonly announced?: boolean }): Promise<Dial>;
  until(done: () => boolean | Promise<boolean>, ms?: number): Promise<void>;
  /** Reads the configuration again, which is of these wishes now. */
  reload(wish: Wish): ReturnType<Daemon['reload']>;
};

/** Plays with all of it, and ends all of it. */
export function staged(wish: Wish, play: (stage: Stage) => Promise<void>): () => Promise<void> {
  return async () => {
    const ems = await EmsEmulator.start({ autoAuthorize: true });
    ems.addEndpoint(UID, { addresses: [IP], tags: ['a'] });
    if (wish.fault === 'away') await ems.close();
    else if (wish.fault !== undefined) await ems.fault(wish.fault);
    const load = (wanted: Wish) => {
      const { config, findings } = loadConfig(configOf(ems, wanted));
      const errors = findings.filter(({ level }) => level === 'error').map(({ line, message }) => `${line}: ${message}`);
      if (errors.length > 0) throw new Error(errors.join('\n'));
      return config;
    };
    const config = load(wish);
    let next = wish;
    const [lines, events]: [string[], Event[]] = [[], []];
    const journal: Journal = {
      event: (event) => void events.push(event),
      note: () => undefined,
      flush: () => undefined,
      counters: { lines: 0, thinned: 0, dropped: 0 },
    };
    const daemon = await startDaemon({
      ...{ config, listen: ['127.0.0.1'], ikePort: 0, nattPort: 0, capture: undefined, captureKeys: undefined, journal },
      inner: wish.lab === true ? { kind: 'lab' } : undefined,
      reread: () => Promise.resolve({ kind: 'loaded', config: load(next), text: '' }),
    });
    daemon.debug.subscribe((line) => lines.push(line));
    const dials: Dial[] = [];
    const until = async (done: () => boolean | Promise<boolean>, ms = 4000) => {
      for (const end = Date.now() + ms; !(await done()); ) {
        if (Date.now() > end) throw new Error(`it never came to that:\n${lines.slice(-20).join('\n')}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const port = (natt: boolean) => daemon.listening.find((l) => l.natt === natt)?.port ?? 0;
    try {
      // The first attempt to reach EMS is over, whatever came of it.
      const slow = wish.fault !== undefined && wish.fault !== 'away' && wish.fault.name === 'slow';
      if (!slow) await until(() => daemon.connectors.every((c) => c.status().why !== 'it has not been asked yet'));
      await play({
        ...{ ems, daemon, lines, events, until },
        async reload(wanted) {
          next = wanted;
          return await daemon.reload();
        },
        told: <K extends Event['kind']>(kind: K) =>
          events.filter((event): event is Extract<Event, { readonly kind: K }> => event.kind === kind),
        async dial({ uid = UID, ip = IP, announced = false, ...more } = {}) {
          const dial = await Dial.start({
            ...{ remote: { address: '127.0.0.1', port: port(false) }, nattPort: port(true), random: randomOctets },
            keyPair: (group) => group.generate(),
            auth: { kind: 'eap', user: 'alice', password: Secret.utf8(PASSWORD), methods: ['mschapv2'], id: identity(ip) },
            gateway: { kind: 'psk', psk: Secret.utf8(PSK) },
            ...{ ikeProposals: ['aes128gcm-prfsha256'], groups: [31], espProposals: ['aes128gcm'] },
            claims: fortiClientConnect({ uid, ip, user: 'alice', emssn: ems.serial, emsid: ems.tenant, tags: announced }),
            ...more,
          });
          dials.push(dial);
          await dial.connected();
          return dial;
        },
      });
      if ((await daemon.counters())['faults'] !== 0) throw new Error('the daemon had faults');
    } finally {
      for (const dial of dials) await dial.hangUp();
      await daemon.stop();
      if (wish.fault !== 'away') await ems.close();
    }
  };
}

const block = (path: string, lines: readonly string[]) =>
  lines.length === 0 ? '' : `config ${path}\n${lines.join('\n')}\nend\n`;

function configOf(
  ems: EmsEmulator,
  { fctems = [], posture = [], profile = [], tags = '"EMS3_ZTNA_a"', tokenKeys }: Wish,
): string {
  const keys = ems.tokenKeys().map((key) => `"${key.trim()}"`);
  return [
    block('user local', ['edit "alice"', 'set type password', `set passwd ${PASSWORD}`, 'next']),
    block('user group', ['edit "people"', 'set member "alice"', 'next']),
    block('vpn certificate ca', ['edit "ems-ca"', `set ca "${ems.ca.trim()}"`, 'next']),
    block('endpoint-control fctems', [
      ...['edit 3', 'set status enable', 'set name "lab"', 'set server "127.0.0.1"', `set https-port ${ems.port}`],
      ...['set verifying-ca "ems-ca"', `set serial-number ${ems.serial}`, ...fctems, 'next'],
    ]),
    tokenKeys === true ? block('postern ems', ['edit 3', `set token-key ${keys.join(' ')}`, 'next']) : '',
    block('postern posture', posture),
    profile.length === 0 ? '' : block('postern profile', ['edit "ra"', ...profile, 'next']),
    block('vpn ipsec phase1-interface', [
      ...[
        'edit "ra"',
        'set type dynamic',
        'set ike-version 2',
        'set peertype any',
        'set mode-cfg enable',
        `set psksecret ${PSK}`,
      ],
      ...['set proposal aes128gcm-prfsha256', 'set dhgrp 31', 'set eap enable', 'set eap-identity send-request'],
      ...['set authusrgrp "people"', 'set ipv4-start-ip 10.139.1.2', 'set ipv4-end-ip 10.139.1.250', 'set ems-sn-check enable'],
      ...['set remote-gw-match ztna', `set remote-gw-ztna-tags ${tags}`, 'next'],
    ]),
    block('vpn ipsec phase2-interface', [
      'edit "ra"',
      'set phase1name "ra"',
      'set proposal aes128gcm',
      'set pfs disable',
      'next',
    ]),
  ].join('');
}
