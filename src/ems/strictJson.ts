/** JSON of somebody who may be hostile: strict UTF-8, no name twice in one object, not deep. */

/** Nesting of a real token is 4. */
const DEEPEST = 8;

/** The value, or undefined when the octets are not JSON, name something twice, or nest deeper than any token. Never throws. */
export function strictJson(octets: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
    const value: unknown = JSON.parse(text);
    return namesAreUnique(text) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Of a text that JSON.parse has taken: is every name in its object once, and nothing too deep? */
function namesAreUnique(text: string): boolean {
  const open: (Set<string> | undefined)[] = []; // names of each open object; undefined for an array
  let awaitsName = false;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
      case '[':
        open.push(text[at] === '{' ? new Set() : undefined);
        if (open.length > DEEPEST) return false;
        awaitsName = text[at] === '{';
        break;
      case '}':
      case ']':
        open.pop();
        awaitsName = false;
        break;
      case ',':
        awaitsName = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOfString(text, at);
        const names = open.at(-1);
        if (awaitsName && names !== undefined) {
          const name = JSON.parse(text.slice(at, end + 1)) as string; // a JSON string, as JSON.parse has seen before
          if (names.has(name)) return false;
          names.add(name);
        }
        awaitsName = false;
        at = end;
        break;
      }
      default:
    }
  }
  return true;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
