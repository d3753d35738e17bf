/**
 * Where a text that people wrote stops being JSON: the engine's parser does not always say. Pure.
 *
 * @module
 */

/** Blanks, then one token: a sign, a string, or another scalar (RFC 8259, sections 2 to 7). */
const TOKEN =
  /[ \t\n\r]*(?:([[\]{},:])|("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/uy;

/** What may follow: each a set of signs, `s` for a string, `v` for any value. */
const AFTER_VALUE = { "{": ",}", "[": ",]", "": "" } as const;

/** Line and column, both from 1, of the first character that can't stand where it stands. */
export function findJsonFault(text: string): { readonly line: number; readonly column: number } {
  const before = text.slice(0, faultAt(text)).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function faultAt(text: string): number {
  const open: ("{" | "[")[] = [];
  let expected = "v";
  let isKey = false;
  for (let at = 0;;) {
    TOKEN.lastIndex = at;
    const [token, sign, string] = TOKEN.exec(text) ?? [];
    const start = at + (/^[ \t\n\r]*/.exec(text.slice(at))?.[0].length ?? 0);
    if (token === undefined) return start;
    const isOpening = sign === "{" || sign === "[";
    const fits = sign !== undefined && !isOpening
      ? expected.includes(sign)
      : expected.includes("v") || (string !== undefined && expected.includes("s"));
    if (!fits) return start;
    at += token.length;
    if (isOpening) open.push(sign);
    else if (sign === "}" || sign === "]") open.pop();
    const within = open.at(-1) ?? "";
    if (sign === "{") expected = "s}";
    else if (sign === "[") expected = "v]";
    else if (sign === ",") expected = within === "{" ? "s" : "v";
    else if (sign === ":") expected = "v";
    else expected = isKey && string !== undefined ? ":" : AFTER_VALUE[within];
    isKey = expected.startsWith("s");
  }
}
