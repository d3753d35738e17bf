/**
 * The word that somebody meant who mistyped it. Pure.
 *
 * @module
 */

/** Longer words are not compared: no flag or command is. */
const LONGEST = 40;
/** A mistake for so many characters, and one at least. */
const CHARACTERS_A_MISTAKE = 3;

/**
 * The candidate with the fewest mistakes (a character missing, added or changed, or two that changed
 * places), when they are few for its length; or the only one that begins so.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length < 2 || word.length > LONGEST) return undefined;
  const begun = candidates.filter((candidate) => candidate.startsWith(word));
  if (begun.length === 1) return begun[0];
  let best: string | undefined;
  let fewest = Infinity;
  for (const candidate of candidates) {
    const mistakes = distance(word, candidate);
    const allowed = Math.max(1, Math.floor(candidate.length / CHARACTERS_A_MISTAKE));
    if (mistakes > allowed || mistakes >= fewest) continue;
    [best, fewest] = [candidate, mistakes];
  }
  return best;
}

/** `; did you mean WORD?`, or nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const meant = nearest(word, candidates);
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

/** Damerau's distance, restricted: no character is changed twice ("optimal string alignment"). */
function distance(a: string, b: string): number {
  let [before, last]: [number[], number[]] = [
    [],
    Array.from({ length: b.length + 1 }, (_, i) => i),
  ];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + cost,
        swapped ? (before[j - 2] ?? 0) + 1 : Infinity,
      ));
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
