/** A data plane and the clients at the other ends of its SAs, each with keys and a sequence of its own. */
import { type EspTransform, espOpener, espSealer, espSizes } from '../../../crypto/index.ts';
import type { FirewallRule } from '../../../src/config/index.ts';
import {
  DataPlane,
  type DropReason,
  type EspChild,
  type Path,
  type PlaneOptions,
  type Selector,
} from '../../../src/esp/index.ts';
import { pad, unpad } from '../../../src/esp/packet.ts';
import { judge } from '../../../src/posture/index.ts';
import { evidence, NOW, silent, UID } from '../../support/posture.ts';
import { ip4, udp, v4 } from './packets.ts';

const verdict = judge(
  undefined,
  evidence({ device: { by: 'uid', uid: UID, ip: undefined, certificate: undefined } }, silent),
  undefined,
  NOW,
);
if (verdict.kind !== 'clear') throw new Error('no clearance');
export const clearance = verdict;

export const GCM: EspTransform = { encr: 20, keyLength: 256, integ: 0, esn: false };
export const CBC: EspTransform = { encr: 12, keyLength: 256, integ: 12, esn: false };
export const path = (address = '198.51.100.7', port = 4500): Path => ({
  local: { address: '192.0.2.1', port: 4500 },
  remote: { address, port },
  natt: true,
});

export const everything = (octets = 4): Selector => ({
  protocol: 0,
  startPort: 0,
  endPort: 65_535,
  start: new Uint8Array(octets),
  end: new Uint8Array(octets).fill(255),
});
export const host = (octets: Uint8Array): Selector => ({ ...everything(octets.length), start: octets, end: octets });

export type Client = {
  readonly child: EspChild;
  seal(
    inner: Uint8Array,
    options?: { readonly next?: number; readonly number?: number; readonly tail?: number; readonly padding?: number },
  ): Uint8Array;
  open(esp: Uint8Array): Uint8Array;
};

/** A client `n` with the lease 10.0.0.n; its SPIs are 1000 + n and 2000 + n. */
export function client(n: number, transform = GCM, change: Partial<EspChild> = {}): Client {
  const sizes = espSizes(transform.encr, transform.keyLength, transform.integ);
  if (sizes === undefined) throw new Error('no such transform');
  const material = (way: number): [Uint8Array, Uint8Array] => [
    new Uint8Array(sizes.encrKeyOctets).fill(n * 2 + way),
    new Uint8Array(sizes.integKeyOctets).fill(n * 2 + way),
  ];
  const made = <T>(cipher: T | undefined): T => {
    if (cipher === undefined) throw new Error('no such transform');
    return cipher;
  };
  const lease = v4(`10.0.0.${n}`);
  const child: EspChild = {
    spiIn: 1000 + n,
    spiOut: 2000 + n,
    gateway: `dial_${n}`,
    profile: 'dial',
    leases: [lease],
    TSi: [host(lease)],
    TSr: [everything()],
    esn: transform.esn,
    replay: true,
    opener: made(espOpener(transform, ...material(0))),
    sealer: made(espSealer(transform, ...material(1))),
    path: path(),
    ...change,
  };
  const sealer = made(espSealer(transform, ...material(0)));
  const opener = made(espOpener(transform, ...material(1)));
  let sequence = 0;
  return {
    child,
    seal(inner, { next = (inner[0] ?? 0) >>> 4 === 6 ? 41 : 4, number = sequence + 1, tail = 0, padding } = {}) {
      sequence = number;
      const packet = new Uint8Array(inner.length + tail + 100);
      const view = new DataView(packet.buffer);
      view.setUint32(0, child.spiIn);
      view.setUint32(4, number % 2 ** 32);
      if (sizes.ivOctets >= 8) view.setUint32(12, number);
      const at = 8 + sizes.ivOctets;
      packet.set(inner, at);
      const plain = pad(packet, at, inner.length + tail, sizes.blockOctets, next);
      if (padding !== undefined) packet[at + plain - 2] = padding;
      return packet.slice(0, sealer.seal(packet, at, plain, packet, 0, Math.floor(number / 2 ** 32)));
    },
    open(esp) {
      const out = esp.slice();
      const at = 8 + sizes.ivOctets;
      const plain = opener.open(out, 0, out.length, 0, out, at);
      if (plain < 0) throw new Error('the ICV does not fit');
      return out.slice(at, at + unpad(out, at, plain));
    },
  };
}

export class World {
  readonly inside: Uint8Array[] = [];
  readonly outside: { readonly octets: Uint8Array; readonly path: Path }[] = [];
  readonly plane: DataPlane;
  now = 0;

  constructor(rules: readonly FirewallRule[] = [], options: Partial<PlaneOptions> = {}) {
    this.plane = new DataPlane({
      sink: {
        inner: (b, at, n) => this.inside.push(b.slice(at, at + n)),
        outer: (b, at, n, to) => this.outside.push({ octets: b.slice(at, at + n), path: to }),
      },
      random: (octets) => octets.fill(7),
      rules,
      tunnels: ['dial', 'other'],
      ...options,
    });
  }

  /** Clients whose valves are open. */
  connect(...clients: readonly Client[]): void {
    for (const { child } of clients) {
      this.plane.install(child, this.now);
      this.plane.open(child.spiIn, clearance);
    }
  }

  in(esp: Uint8Array, from = path()): DropReason | undefined {
    return this.plane.inbound(esp, 0, esp.length, from, this.now);
  }

  out(inner: Uint8Array): DropReason | undefined {
    return this.plane.outbound(inner.slice(), 0, inner.length, this.now);
  }
}

/** A packet of client 1 and its answer; the client with two children that follow each other, none of them connected. */
export const up = ip4('10.0.0.1', '10.9.9.9', 17, udp(1000, 7));
export const down = ip4('10.9.9.9', '10.0.0.1', 17, udp(7, 1000));
export const successive = () => ({ w: new World(), old: client(1), heir: client(1, GCM, { spiIn: 5001, spiOut: 6001 }) });
