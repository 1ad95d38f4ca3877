/** The country of an address, out of an MMDB file that the operator names. It is read once, whole. */
import { readFile, stat } from 'node:fs/promises';
import { type CountryResponse, Reader } from 'mmdb-lib';
import { codeOf, EnvironmentRefused } from './refusal.ts';

/** Gives the ISO 3166 code of an address, in capitals; undefined when the file does not know. Never throws. */
export type Geography = (address: string) => string | undefined;

/** Octets of a database at most: those of cities have some 130 MB. */
const LARGEST = 512 * 1024 * 1024;
/** Octets between the tree and the records. */
const SEPARATOR = 16;
const FIX = "Name a country or city database in the MMDB format under 'config postern posture', set geoip-database.";

/**
 * Reads the database.
 *
 * @param path an MMDB file whose records have `country.iso_code`
 * @throws EnvironmentRefused when it cannot be read, is too large or is no such file
 */
export async function openGeography(path: string): Promise<Geography> {
  let reader: Reader<CountryResponse>;
  try {
    if ((await stat(path)).size > LARGEST) throw new Error(`it is larger than ${LARGEST} octets`);
    const octets = await readFile(path);
    reader = new Reader<CountryResponse>(octets);
    // A file that was cut tells it here, and not at the first client.
    if (reader.metadata.searchTreeSize + SEPARATOR > octets.length) throw new Error('its tree is cut');
    reader.get('192.0.2.1');
  } catch (error) {
    throw new EnvironmentRefused(codeOf(error), `Cannot read the countries of addresses from ${path}: ${codeOf(error)}.`, FIX);
  }
  return (address) => {
    try {
      const code: unknown = reader.get(address)?.country?.iso_code;
      return typeof code === 'string' && /^[A-Z]{2}$/.test(code) ? code : undefined;
    } catch {
      return undefined; // a damaged record: nobody can tell, and it fits no profile
    }
  };
}
