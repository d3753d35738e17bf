/**
 * Text that may come from anyone, made safe to show.
 *
 * @module
 */

// Control, format (bidi among them), surrogate and line-breaking characters: never raw in
// output, whatever a terminal does with them.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** `text` with every control, format, bidi and line-breaking character spelled `\u{hex}`. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
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
