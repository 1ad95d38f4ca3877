/** The capture: every datagram in and out, as a pcap file that Wireshark reads. Only on an explicit flag. */
import { openPrivateFile, type PrivateFile } from './file.ts';
import { pcapHeader, pcapRecord } from './pcap.ts';
import { addressOctets } from './sockaddr.ts';
import type { Endpoint } from './sockets.ts';

export type Capture = {
  /** One datagram; `at` is unix time in ms. Octets are copied. */
  packet(from: Endpoint, to: Endpoint, octets: Uint8Array, at: number): void;
  close(): Promise<void>;
  /** Datagrams that were not written: the disk was too slow or full, or the file at its limit. */
  readonly dropped: number;
  readonly failed: string | undefined;
};

/** Waiting for the disk at most, and in the file at most. */
const QUEUE = 8 * 1024 * 1024;
const LIMIT = 1024 * 1024 * 1024;

/**
 * Starts a capture file, replacing an old one; mode 0600.
 *
 * @throws EnvironmentRefused when the file cannot be made
 */
export async function openCapture(
  path: string,
  bounds: { readonly queue?: number; readonly limit?: number } = {},
): Promise<Capture> {
  const file: PrivateFile = await openPrivateFile(path, {
    append: false,
    queue: bounds.queue ?? QUEUE,
    limit: bounds.limit ?? LIMIT,
    what: 'the capture',
    flag: '--capture FILE.pcap',
  });
  file.write(pcapHeader());
  let unwritable = 0;
  return {
    packet(from, to, octets, at) {
      const [source, target] = [addressOctets(from.address), addressOctets(to.address)];
      if (source === undefined || target?.length !== source.length) unwritable += 1;
      else file.write(pcapRecord({ address: source, port: from.port }, { address: target, port: to.port }, octets, at));
    },
    close: () => file.close(),
    get dropped() {
      return file.dropped + unwritable;
    },
    get failed() {
      return file.failed;
    },
  };
}
