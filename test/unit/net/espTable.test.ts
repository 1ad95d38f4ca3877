import { describe, expect, it } from 'vitest';
import { espTableLine } from '../../../src/net/espTable.ts';

const keys = {
  ...{ from: '10.97.0.2', to: '10.97.0.1', spi: 0x1234, encr: 20, integ: 0 },
  ...{ encrKey: Uint8Array.of(1, 2, 0xff), integKey: new Uint8Array(0) },
};

describe("Wireshark's esp_sa", () => {
  it('has a line for each direction, AEAD keys with their salt', () => {
    expect(espTableLine(keys)).toBe(
      '"IPv4","10.97.0.2","10.97.0.1","0x00001234","AES-GCM with 16 octet ICV [RFC4106]","0x0102ff","NULL",""\n',
    );
    const cbc = { ...keys, from: '2001:db8::2', to: '2001:db8::1', encr: 12, integ: 12, integKey: Uint8Array.of(7) };
    expect(espTableLine(cbc)).toBe(
      '"IPv6","2001:db8::2","2001:db8::1","0x00001234","AES-CBC [RFC3602]","0x0102ff","HMAC-SHA-256-128 [RFC4868]","0x07"\n',
    );
  });
  it('has none for what Wireshark cannot open', () => {
    expect(espTableLine({ ...keys, encr: 28 })).toBeUndefined();
    expect(espTableLine({ ...keys, encr: 12, integ: 99 })).toBeUndefined();
  });
});
