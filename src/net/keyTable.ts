/**
 * Wireshark's `ikev2_decryption_table`: with it and a capture, `WIRESHARK_CONFIG_DIR=DIR tshark -r FILE` shows what is inside
 * SK payloads and checks their integrity. It and `esp_sa` beside it are the one place where key material leaves the process, and
 * only on an explicit flag.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type EspKeys, espTableLine } from './espTable.ts';
import { openPrivateFile } from './file.ts';
import { codeOf, EnvironmentRefused } from './refusal.ts';

/** The keys of one IKE SA; numbers are IANA's, AEAD keys include their salt. */
export type IkeKeys = {
  readonly SPIi: string;
  readonly SPIr: string;
  readonly SK_ei: Uint8Array;
  readonly SK_er: Uint8Array;
  readonly SK_ai: Uint8Array;
  readonly SK_ar: Uint8Array;
  readonly encr: number;
  /** Bits. */
  readonly keyLength: number;
  readonly integ: number;
};

export type KeyTable = {
  /** Adds an IKE SA; false when Wireshark has no name for its algorithms (nothing is written then) or the disk refused. */
  add(keys: IkeKeys): boolean;
  /** Adds one direction of a child SA, as `add`. */
  addEsp(keys: EspKeys): boolean;
  close(): Promise<void>;
  readonly failed: string | undefined;
};

const QUEUE = 1024 * 1024;
const LIMIT = 256 * 1024 * 1024;

/**
 * Opens `ikev2_decryption_table` and `esp_sa` in a directory, which is made for this user alone when it is not there. Lines are
 * added to an old table: it may be a person's own Wireshark profile.
 *
 * @throws EnvironmentRefused when directory or file cannot be made
 */
export async function openKeyTable(directory: string): Promise<KeyTable> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EnvironmentRefused(
      codeOf(error),
      `Cannot make the directory ${directory}: ${codeOf(error)}.`,
      'Name a directory that this user may write with --capture-keys DIR.',
    );
  }
  const table = (name: string) =>
    openPrivateFile(join(directory, name), {
      append: true,
      queue: QUEUE,
      limit: LIMIT,
      what: "Wireshark's key table",
      flag: '--capture-keys DIR',
    });
  const [ike, esp] = [await table('ikev2_decryption_table'), await table('esp_sa')];
  const write = (file: typeof ike, line: string | undefined) => line !== undefined && file.write(new TextEncoder().encode(line));
  return {
    add: (keys) => write(ike, keyTableLine(keys)),
    addEsp: (keys) => write(esp, espTableLine(keys)),
    async close() {
      await Promise.all([ike.close(), esp.close()]);
    },
    get failed() {
      return ike.failed ?? esp.failed;
    },
  };
}

/** One line of the table with its newline; undefined for what Wireshark (4.0) cannot decrypt, as ChaCha20-Poly1305. */
export function keyTableLine(keys: IkeKeys): string | undefined {
  const encr = encrName(keys.encr, keys.keyLength);
  const aead = keys.integ === 0;
  const integ = INTEG[keys.integ];
  if (encr === undefined || integ === undefined || aead !== (keys.encr !== AES_CBC)) return undefined;
  const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex');
  const [ai, ar] = aead ? ['', ''] : [hex(keys.SK_ai), hex(keys.SK_ar)];
  return `${[keys.SPIi, keys.SPIr, hex(keys.SK_ei), hex(keys.SK_er), `"${encr}"`, ai, ar, `"${integ}"`].join(',')}\n`;
}

const AES_CBC = 12;
const GCM_ICV: Readonly<Record<number, number>> = { 18: 8, 19: 12, 20: 16 };
const INTEG: Readonly<Record<number, string>> = {
  0: 'NONE [RFC4306]',
  2: 'HMAC_SHA1_96 [RFC2404]',
  12: 'HMAC_SHA2_256_128 [RFC4868]',
  13: 'HMAC_SHA2_384_192 [RFC4868]',
  14: 'HMAC_SHA2_512_256 [RFC4868]',
};

function encrName(encr: number, keyLength: number): string | undefined {
  if (keyLength !== 128 && keyLength !== 192 && keyLength !== 256) return undefined;
  if (encr === AES_CBC) return `AES-CBC-${keyLength} [RFC3602]`;
  const icv = GCM_ICV[encr];
  return icv === undefined ? undefined : `AES-GCM-${keyLength} with ${icv} octet ICV [RFC5282]`;
}
