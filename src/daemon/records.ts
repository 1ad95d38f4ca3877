/**
 * What leaves the process only on an explicit flag: the capture of all datagrams, and the key table that opens it. Each says
 * at the start that it is on, loudly; and once, when it can no longer keep up.
 */
import type { IkeKeyTable } from '../ike/index.ts';
import type { Journal } from '../log/index.ts';
import { type Capture, type Endpoint, type EspKeys, type KeyTable, openCapture, openKeyTable } from '../net/index.ts';

export type RecordOptions = { readonly capture: string | undefined; readonly captureKeys: string | undefined };

export type Records = {
  /** octets[at…at+length), all of them by default. */
  packet(from: Endpoint, to: Endpoint, octets: Uint8Array, at?: number, length?: number): void;
  keys(table: IkeKeyTable): void;
  /** One direction of a child SA. */
  espKeys(keys: EspKeys): void;
  close(): Promise<void>;
};

/**
 * Opens what was asked for; without flags it costs a call per datagram and nothing else.
 *
 * @throws EnvironmentRefused when a file cannot be made
 */
export async function openRecords(o: RecordOptions, journal: Journal, unixMs: () => number = preciseUnixMs): Promise<Records> {
  const capture: Capture | undefined = o.capture === undefined ? undefined : await openCapture(o.capture);
  let table: KeyTable | undefined;
  try {
    table = o.captureKeys === undefined ? undefined : await openKeyTable(o.captureKeys);
  } catch (error) {
    await capture?.close();
    throw error;
  }
  if (o.capture !== undefined)
    journal.note('warn', 'CAPTURE ON: every datagram, IKE and ESP, is written to a file', { file: o.capture });
  if (o.captureKeys !== undefined) {
    journal.note(
      'warn',
      'CAPTURE KEYS ON: the session keys of every peer, of IKE and of ESP, are written out; ' +
        'whoever has the files reads what every peer sends and gets, inside of the tunnel, too',
      { directory: o.captureKeys },
    );
  }
  const once = new Set<string>();
  const say = (text: string, fields: { readonly why?: string }) => {
    if (once.has(text)) return;
    once.add(text);
    journal.note('error', text, fields);
  };
  return {
    packet(from, to, octets, at = 0, length = octets.length) {
      if (capture === undefined) return;
      capture.packet(from, to, octets.subarray(at, at + length), unixMs());
      if (capture.failed !== undefined) say('the capture file cannot be written any more', { why: capture.failed });
      else if (capture.dropped > 0)
        say('the capture is incomplete: datagrams were left out', { why: 'slow disk, or the file is at its limit' });
    },
    keys(keys) {
      if (table === undefined || table.add(keys)) return;
      if (table.failed !== undefined) say('the key table cannot be written any more', { why: table.failed });
      else
        say('an IKE SA is missing in the key table', {
          why: `Wireshark has no name for its algorithms (ENCR ${keys.encr}, INTEG ${keys.integ})`,
        });
    },
    espKeys(keys) {
      if (table === undefined || table.addEsp(keys)) return;
      if (table.failed !== undefined) say('the key table cannot be written any more', { why: table.failed });
      else
        say('a child SA is missing in the key table', {
          why: `Wireshark has no name for its algorithms (ENCR ${keys.encr}, INTEG ${keys.integ})`,
        });
    },
    async close() {
      await Promise.all([capture?.close(), table?.close()]);
    },
  };
}

const preciseUnixMs = (): number => performance.timeOrigin + performance.now();
