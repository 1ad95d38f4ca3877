/** What somebody probably meant. */

/** The choice nearest to a word, when one is near: at most a third of its letters differ (two swapped ones count once). */
export function nearest(word: string, choices: readonly string[]): string | undefined {
  let best: { readonly choice: string; readonly distance: number } | undefined;
  for (const choice of choices) {
    const found = distance(word.toLowerCase(), choice.toLowerCase());
    if (found <= Math.max(1, Math.floor(choice.length / 3)) && found < (best?.distance ?? Number.POSITIVE_INFINITY)) {
      best = { choice, distance: found };
    }
  }
  return best?.choice;
}

function distance(a: string, b: string): number {
  let [before, last]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(at(row, j - 1) + 1, at(last, j) + 1, at(last, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, at(before, j - 2) + 1);
      row.push(cost);
    }
    [before, last] = [last, row];
  }
  return at(last, b.length);
}

const at = (row: readonly number[], i: number): number => row[i] ?? Number.POSITIVE_INFINITY;
