/**
 * Text that may come from anyone, made safe to show.
 *
 * @module
 */

// Control, format (bidi among them), surrogate and line-breaking characters, whatever a terminal
// does with them; and what is drawn as nothing, or as an empty place that is no space (U+2800). A
// variation selector stays behind a character that has variants.
const UNSAFE =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u2800]|(?!(?<=[\p{Emoji}\p{Script=Han}])[\ufe00-\ufe0f\u{e0100}-\u{e01ef}])\p{Default_Ignorable_Code_Point}/gu;
// Blanks that hide what stands behind them, or that nobody sees.
const HIDING_BLANKS = /^\p{Zs}+|\p{Zs}+$|\p{Zs}{8,}/gu;

const spell = (c: string): string => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`;

/**
 * `text` with every control, format, bidi and line-breaking character, and what is drawn as
 * nothing, spelled `\u{hex}`.
 */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, spell);
}

/** A name from elsewhere: the same, with blanks at its ends and eight in a row spelled out too. */
export function escapeName(name: string): string {
  return escapeUnsafe(name).replace(HIDING_BLANKS, (blanks) => blanks.replace(/./gu, spell));
}

/**
 * JSON with the same characters as JSON escapes (`\u202e`): it parses to exactly the value that
 * plain JSON would, and its bytes are safe on a terminal.
 */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (c) => {
    let escaped = "";
    for (let i = 0; i < c.length; i++) {
      escaped += `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}
