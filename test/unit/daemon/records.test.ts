import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRecords } from '../../../src/daemon/records.ts';
import { openJournal } from '../../../src/log/journal.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-records-'));
});
afterEach(() => rm(dir, { recursive: true }));

const journal = () => {
  const lines: { level: string; msg: string }[] = [];
  return { lines, journal: openJournal({ stream: { write: (text: string) => void lines.push(JSON.parse(text)) } }) };
};
const end = { address: '192.0.2.1', port: 500 };
const keys = {
  SPIi: '0011223344556677',
  SPIr: '8899aabbccddeeff',
  SK_ei: Uint8Array.of(1),
  SK_er: Uint8Array.of(2),
  SK_ai: Uint8Array.of(),
  SK_ar: Uint8Array.of(),
  encr: 20,
  keyLength: 128,
  integ: 0,
};

describe('captures', () => {
  it('without flags nothing is written and nothing is said', async () => {
    const { journal: j, lines } = journal();
    const records = await openRecords({ capture: undefined, captureKeys: undefined }, j);
    records.packet(end, end, Uint8Array.of(1));
    records.keys(keys);
    await records.close();
    expect([lines, await readdir(dir)]).toEqual([[], []]);
  });

  it('keys of child SAs are written, too, and the warning names them', async () => {
    const { journal: j, lines } = journal();
    const records = await openRecords({ capture: undefined, captureKeys: join(dir, 'keys') }, j);
    const [encrKey, integKey] = [Uint8Array.of(0xab, 0xcd), Uint8Array.of()];
    records.espKeys({ from: '192.0.2.7', to: '192.0.2.1', spi: 0x1234, encr: 20, integ: 0, encrKey, integKey });
    await records.close();
    expect(await readFile(join(dir, 'keys', 'esp_sa'), 'utf8')).toContain('"0xabcd"');
    expect(lines).toMatchObject([
      { level: 'warn', msg: expect.stringMatching(/keys of every peer, of IKE and of ESP,.*inside/) },
    ]);
  });

  it('packets alone do not take keys along', async () => {
    const { journal: j, lines } = journal();
    const records = await openRecords({ capture: join(dir, 'a.pcap'), captureKeys: undefined }, j, () => 0);
    records.packet(end, end, Uint8Array.of(1));
    await records.close();
    expect(await readdir(dir)).toEqual(['a.pcap']);
    expect(lines).toMatchObject([{ level: 'warn', msg: expect.stringContaining('CAPTURE ON') }]);
    expect((await stat(join(dir, 'a.pcap'))).size).toBe(24 + 16 + 29);
  });

  it('keys are warned of loudly; an SA that Wireshark cannot decrypt is said once', async () => {
    const { journal: j, lines } = journal();
    const records = await openRecords({ capture: undefined, captureKeys: join(dir, 'keys') }, j);
    records.keys(keys);
    for (let i = 0; i < 3; i++) records.keys({ ...keys, encr: 28, keyLength: 256 });
    await records.close();
    expect(lines.map((l) => `${l.level} ${l.msg}`)).toEqual([
      expect.stringMatching(/^warn CAPTURE KEYS ON: .*every peer/),
      'error an IKE SA is missing in the key table',
    ]);
    expect(JSON.stringify(lines)).not.toContain('8899aabbccddeeff');
  });

  it('a directory that cannot be made is an answer for people', async () => {
    const { journal: j } = journal();
    await expect(openRecords({ capture: undefined, captureKeys: '/dev/null/x' }, j)).rejects.toMatchObject({
      name: 'EnvironmentRefused',
      fix: expect.stringContaining('--capture-keys'),
    });
  });
});
