/** Our version, from our own package.json: beside the sources, or one level further up from `dist/`. */
import { readFileSync } from 'node:fs';

/** The version text, '0.0.0' when package.json cannot be found. */
export function version(from: string = import.meta.url): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(up, from), 'utf8'));
      if (typeof found === 'object' && found !== null && 'name' in found && found.name === 'postern' && 'version' in found) {
        return String(found.version);
      }
    } catch {
      // Not there: it is one level up.
    }
  }
  return '0.0.0';
}
