/** ESP as an attacker has it: datagrams taken from the wire, and packets sealed with keys that a gateway wrote out. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { espSealer, espSizes } from '../../../crypto/index.ts';
import { pad } from '../../../src/esp/packet.ts';
import { addresses } from './namespaces.ts';
import { type Daemon, must, start, until } from './processes.ts';
import { datagrams } from './tshark.ts';

/** Listens on an interface until it has seen so many datagrams to the gateway's NAT-T port; gives the ESP packets among them. */
export async function tap(o: {
  readonly namespace: string;
  readonly file: string;
  readonly to: string;
  readonly count: number;
}): Promise<() => Promise<readonly Buffer[]>> {
  const filter = `dst host ${o.to} and udp dst port 4500 and greater 80`;
  const dump: Daemon = start('tcpdump', ['-i', 'wan', '-U', '-c', `${o.count}`, '-w', o.file, filter], {
    namespace: o.namespace,
  });
  await until('tcpdump listens', () => dump.stderr.some((line) => line.includes('listening on')) || undefined);
  return async () => {
    await dump.ended;
    const all = (await datagrams(o.file)).map(({ hex }) => Buffer.from(hex, 'hex'));
    return all.filter((octets) => octets.length > 8 && octets.readUInt32BE() !== 0);
  };
}

export type Forger = {
  readonly spi: number;
  /** An inner packet in ESP with the client's own key. `padding`: another pad length than the right one. */
  seal(inner: Uint8Array, number: number, o?: { readonly next?: number; readonly padding?: number }): Buffer;
};

const program = fileURLToPath(new URL('./echo.ts', import.meta.url));
/** The port to give `injected` for datagrams that are to leave from charon's. */
export const CHARON = 6666;

/** From here on what a program of this namespace sends from `CHARON` leaves from charon's own port, which is taken. */
export async function speakAsCharon(namespace: string): Promise<void> {
  await must('nft', ['-f', '-'], {
    namespace,
    input: `table ip forge {
      chain out {
        type filter hook output priority mangle
        udp sport ${CHARON} udp sport set 4500
      }
    }`,
  });
}

/** Sends datagrams to the gateway's NAT-T port, one after the other. */
export async function injected(namespace: string, from: string, port: number, all: readonly Uint8Array[]): Promise<void> {
  const input = all.map((octets) => `${Buffer.from(octets).toString('hex')}\n`).join('');
  await must(process.execPath, [program, 'inject', addresses.gateway, from, `${port}`], { namespace, input });
}

/** By the newest line of `esp_sa` for packets from this address to the gateway; AES-256-GCM only. */
export async function forger(keys: string, from: string): Promise<Forger> {
  const lines = (await readFile(join(keys, 'esp_sa'), 'utf8')).trim().split('\n');
  const rows = lines.map((line) => [...line.matchAll(/"([^"]*)"/g)].map(([, field = '']) => field));
  const row = rows.findLast(([, source, , , cipher]) => source === from && cipher?.startsWith('AES-GCM'));
  const [, , , name = '', , key = ''] = row ?? [];
  const spi = Number(name);
  const transform = { encr: 20, keyLength: 256, integ: 0, esn: false };
  const sealer = espSealer(transform, Buffer.from(key.slice(2), 'hex'), new Uint8Array(0));
  const sizes = espSizes(20, 256, 0);
  if (sealer === undefined || sizes === undefined) throw new Error('no AES-GCM');
  return {
    spi,
    seal(inner, number, { next = 4, padding } = {}) {
      const packet = Buffer.alloc(inner.length + 100);
      packet.writeUInt32BE(spi, 0);
      packet.writeUInt32BE(number, 4);
      packet.writeUInt32BE(0xffff_ffff, 8); // an IV that the client itself never comes to
      packet.writeUInt32BE(number, 12);
      const at = 8 + sizes.ivOctets;
      packet.set(inner, at);
      const plain = pad(packet, at, inner.length, sizes.blockOctets, next);
      if (padding !== undefined) packet[at + plain - 2] = padding;
      return packet.subarray(0, sealer.seal(packet, at, plain, packet, 0, 0));
    },
  };
}
