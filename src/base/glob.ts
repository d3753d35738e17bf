/**
 * Patterns of names: `*` stands for any characters or none, `?` for one, all else for itself.
 *
 * @module
 */

/**
 * Whether a pattern fits the whole of a text. Letters in capitals are other letters. It takes at most
 * as many steps as the two lengths multiplied, whatever the pattern.
 */
export function globFits(pattern: string, text: string): boolean {
  const [wanted, given] = [[...pattern], [...text]];
  let [p, t] = [0, 0];
  /** Behind the last `*`, and where what it stands for ends so far. */
  let star: { readonly after: number; upTo: number } | undefined;
  while (t < given.length) {
    // First, so that a text with a `*` in it is no pattern's end.
    if (wanted[p] === "*") star = { after: ++p, upTo: t };
    else if (p < wanted.length && (wanted[p] === "?" || wanted[p] === given[t])) {
      [p, t] = [p + 1, t + 1];
    } else if (star === undefined) return false;
    else [p, t] = [star.after, ++star.upTo];
  }
  return wanted.slice(p).every((character) => character === "*");
}
