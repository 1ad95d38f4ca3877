/**
 * Wireshark's `esp_sa`: with it and a capture, `tshark -o esp.enable_encryption_decode:TRUE` shows the packets inside of ESP and,
 * with `-o esp.enable_authentication_check:TRUE`, whether their ICV fits.
 */

/** One direction of a child SA; numbers are IANA's, AEAD keys include their salt. */
export type EspKeys = {
  readonly from: string;
  readonly to: string;
  readonly spi: number;
  readonly encr: number;
  readonly integ: number;
  readonly encrKey: Uint8Array;
  readonly integKey: Uint8Array;
};

/** One line of the table with its newline; undefined for what Wireshark (4.0) cannot decrypt, as ChaCha20-Poly1305. */
export function espTableLine({ from, to, spi, encr, integ, encrKey, integKey }: EspKeys): string | undefined {
  const [cipher, authentication] = [ENCR[encr], INTEG[integ]];
  if (cipher === undefined || authentication === undefined) return undefined;
  const hex = (octets: Uint8Array) => (octets.length === 0 ? '' : `0x${Buffer.from(octets).toString('hex')}`);
  const family = from.includes(':') ? 'IPv6' : 'IPv4';
  const name = `0x${spi.toString(16).padStart(8, '0')}`;
  const fields = [family, from, to, name, cipher, hex(encrKey), authentication, hex(integKey)];
  return `${fields.map((field) => `"${field}"`).join(',')}\n`;
}

const ENCR: Readonly<Record<number, string>> = {
  11: 'NULL',
  12: 'AES-CBC [RFC3602]',
  20: 'AES-GCM with 16 octet ICV [RFC4106]',
};
const INTEG: Readonly<Record<number, string>> = {
  0: 'NULL',
  2: 'HMAC-SHA-1-96 [RFC2404]',
  12: 'HMAC-SHA-256-128 [RFC4868]',
  13: 'HMAC-SHA-384-192 [RFC4868]',
  14: 'HMAC-SHA-512-256 [RFC4868]',
};
