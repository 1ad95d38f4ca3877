/** "Did you mean": the word of a list that a mistyped one stands for. */

const MAX_LENGTH = 64;

/**
 * @returns the same word but for case and punctuation, else the nearest within a third of its letters (three at most), else the
 *   only one that begins with it; undefined when nothing is near enough to be helpful
 */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > MAX_LENGTH) return undefined;
  const bare = strip(word);
  const reach = Math.min(3, Math.ceil(bare.length / 3));
  let best: { readonly word: string; readonly distance: number } | undefined;
  const begun: string[] = [];
  for (const candidate of words) {
    const other = strip(candidate);
    if (other === bare) return candidate;
    if (bare.length >= 3 && other.startsWith(bare)) begun.push(candidate);
    if (Math.abs(other.length - bare.length) > reach) continue;
    const distance = editDistance(bare, other);
    if (distance <= reach && (best === undefined || distance < best.distance)) best = { word: candidate, distance };
  }
  return best?.word ?? (begun.length === 1 ? begun[0] : undefined);
}

const strip = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Letters to insert, delete, replace or swap with their neighbour to make one word of the other. */
function editDistance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
