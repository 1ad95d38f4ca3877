/**
 * The clients of the load: lab clients that shake hands over a few sockets on loopback, and what is left of each once its child
 * SA stands: two ciphers, an address, and numbers. The sockets are the daemon's own kind, so that packets go by the batch.
 */
import { type EspOpener, type EspSealer, espOpener, espSealer, type KeyPair, randomOctets } from '../../../crypto/index.ts';
import { Secret } from '../../../crypto/secret.ts';
import { identity, type LabClient, type LabOptions } from '../../../src/lab/index.ts';
import { kernelSockets, systemCalls } from '../../../src/net/index.ts';
import { addressOctets } from '../../../src/net/sockaddr.ts';
import type { DatagramSocket, Endpoint } from '../../../src/net/sockets.ts';
import type { Carrier } from '../carrier.ts';
import { Crowd } from '../driver.ts';
import { ADDRESS, type CipherKeys } from './protocol.ts';

const psk = 'kiesel-und-moos-am-bach';
/** Clients that speak at a time. */
const TOGETHER = 64;
/** Sockets for all of them: each has clients that follow each other. */
const MOST_SOCKETS = 8;

/** One client, and the child SA that it has. */
export type Sa = {
  readonly sealer: EspSealer;
  readonly opener: EspOpener;
  /** On packets to the gateway, and on those from it. */
  readonly spiOut: number;
  readonly spiIn: number;
  /** Its inner address. */
  readonly address: Uint8Array;
  readonly socket: DatagramSocket;
  /**
   * The gateway. Each client has objects of its own: packets to the same one are joined to one message, and those of several
   * clients are not, as they would not be in the world. The second is for packets of one client that are not to be joined.
   */
  readonly to: readonly [Endpoint, Endpoint];
  sent: number;
  heard: number;
};

export type Ear = {
  /** Asked for every datagram; true: it was ESP. The octets are its own until it returns. */
  esp: (octets: Uint8Array, at: number, length: number) => boolean;
  sent: number;
  /** Not sent, and why. */
  readonly failed: Record<string, number>;
};

export type Clients = {
  readonly sas: readonly Sa[];
  readonly ports: readonly number[];
  /** Of the first one: for its cipher alone. */
  readonly keys: CipherKeys;
  close(): Promise<void>;
};

/** The gateway's configuration: all clients come from one address, hence the limits; policies, since every gateway has some. */
export function configText(cipher: string): string {
  const policy = (from: string, to: string) => [
    ...[`set srcintf "${from}"`, `set dstintf "${to}"`, 'set srcaddr "all"', 'set dstaddr "all"'],
    ...['set schedule "always"', 'set action accept', 'set service "ALL"', 'next'],
  ];
  return [
    'config postern settings',
    'set half-open-cookie-threshold 1000000',
    'set half-open-per-address 1000000',
    'set half-open-max 1000000',
    'set sa-max 1000000',
    'end',
    ...['config system interface', 'edit "wan"', 'next', 'edit "lan"', 'next', 'end'],
    'config vpn ipsec phase1-interface',
    ...['edit "bench"', 'set type dynamic', 'set interface "wan"', 'set ike-version 2', 'set net-device disable'],
    ...['set mode-cfg enable', 'set ipv4-start-ip 10.64.0.1', 'set ipv4-end-ip 10.65.255.254', 'set dpd disable'],
    ...['set nattraversal forced', 'set peertype any', `set psksecret ${psk}`, 'set localid "vpn.bench.test"'],
    ...['set proposal aes256gcm-prfsha256', 'set dhgrp 31', 'next', 'end'],
    'config vpn ipsec phase2-interface',
    ...['edit "bench"', 'set phase1name "bench"', `set proposal ${cipher}`, 'set pfs disable', 'next', 'end'],
    ...['config firewall policy', 'edit 1', ...policy('bench', 'lan'), 'edit 2', ...policy('lan', 'bench'), 'end', ''],
  ].join('\n');
}

/**
 * Brings so many clients up.
 *
 * @param progress told now and then how many there are
 */
export async function openClients(
  count: number,
  o: { readonly nattPort: number; readonly cipher: string; readonly ear: Ear; readonly progress: (there: number) => void },
): Promise<Clients> {
  const calls = await systemCalls();
  if (typeof calls === 'string') throw new Error(`no load without the kernel's own calls: ${calls}`);
  const open = kernelSockets(calls);
  const sockets: DatagramSocket[] = [];
  const sas: Sa[] = [];
  const known = new Set<number>();
  let keys: CipherKeys | undefined;
  let number = 0;
  const close = async () => {
    for (const { sealer, opener } of sas) for (const side of [sealer, opener]) side.dispose();
    await Promise.all(sockets.map((socket) => socket.close()));
  };
  try {
    const shares = Math.min(count, MOST_SOCKETS);
    for (let share = 1; share <= shares; share++) {
      let arrived: Carrier['arrived'] = () => undefined;
      const socket = await open({ address: ADDRESS, family: 4, name: 'lo' }, 0, {
        passing: (octets, at, length) => o.ear.esp(octets, at, length),
        arrived: (octets, from) => arrived({ octets, from, to: { address: ADDRESS, port: socket.port } }),
        sent: (datagrams) => {
          o.ear.sent += datagrams;
        },
        queueFull: () => fail(o.ear, 'queueFull'),
        failed: (code) => fail(o.ear, code),
      });
      sockets.push(socket);
      const carrier = carrierOf(socket, o.nattPort);
      arrived = (packet) => carrier.arrived(packet);
      const crowd = new Crowd(carrier, () => client(number++, o.cipher));
      const until = Math.round((count * share) / shares);
      while (sas.length < until) {
        for (const one of await crowd.connect(Math.min(500, until - sas.length), TOGETHER)) {
          const made = saOf(one, socket, o.nattPort);
          keys ??= made.keys;
          // SPIs are by chance: that two of them are the same happens, and cannot be told apart by who hears for all.
          if (known.has(made.sa.spiIn)) continue;
          known.add(made.sa.spiIn);
          sas.push(made.sa);
        }
        crowd.forget();
        o.progress(sas.length);
      }
    }
    if (keys === undefined) throw new Error('a load of no clients');
    return { sas, keys, ports: sockets.map(({ port }) => port), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function fail({ failed }: Ear, why: string): void {
  failed[why] = (failed[why] ?? 0) + 1;
}

/** IKE over one of the sockets, on the NAT-T ports from the first word. */
function carrierOf(socket: DatagramSocket, nattPort: number): Carrier {
  const local = { port: socket.port, nattPort: socket.port };
  return {
    ...{ address: ADDRESS, local, remote: { port: nattPort, nattPort } },
    send(packets) {
      for (const { octets, to } of packets) socket.send(to, octets);
      return Promise.resolve();
    },
    look: () => new Promise((resolve) => setTimeout(resolve, 1)),
    arrived: () => undefined,
    close: () => undefined,
  };
}

let pair: KeyPair | undefined;

function client(n: number, cipher: string): Omit<LabOptions, 'local' | 'remote' | 'nattPorts'> {
  const secret = Secret.utf8(psk);
  return {
    auth: { kind: 'psk', psk: secret, id: identity(`client-${n}.bench.test`) },
    gateway: { kind: 'psk', psk: secret },
    gatewayId: identity('vpn.bench.test'),
    ikeProposals: ['aes256gcm-prfsha256'],
    groups: [31],
    espProposals: [cipher],
    natt: 'start4500',
    random: randomOctets,
    // One public value for all: it is the load that counts here.
    keyPair: (group) => {
      pair ??= group.generate();
      return pair;
    },
  };
}

const gateway = (port: number): Endpoint => ({ address: ADDRESS, port });

function saOf({ status }: LabClient, socket: DatagramSocket, nattPort: number): { readonly sa: Sa; readonly keys: CipherKeys } {
  const { children, assigned } = status;
  const [child, address] = [children[0], addressOctets(assigned[0] ?? '')];
  if (child === undefined || address === undefined) throw new Error('a client without a child or an address');
  const { encr, keyLength, integ, esn } = child.suite;
  const transform = { encr, keyLength, integ, esn };
  const sealer = espSealer(transform, child.keys.out.encr, child.keys.out.integ);
  const opener = espOpener(transform, child.keys.in.encr, child.keys.in.integ);
  if (sealer === undefined || opener === undefined) throw new Error('a child suite without algorithms');
  const to = [gateway(nattPort), gateway(nattPort)] as const;
  const { spiOut, spiIn } = child;
  return {
    sa: { sealer, opener, spiOut, spiIn, address, socket, to, sent: 0, heard: 0 },
    keys: { transform, ...child.keys.out },
  };
}
