import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { CONTRACT_TOKENS } from "./contract_tokens.ts";
import { formatJson, formatText } from "./log.ts";

Deno.test("a record is one line: the message, then key=value pairs", () => {
  assertEquals(
    formatText("rendezvous", "info", "ignoring signal", { from: "al ice", n: 2, gone: undefined }),
    '[rendezvous] ignoring signal from="al ice" n=2',
  );
});

Deno.test("a record without a message is its pairs", () => {
  assertEquals(
    formatText("bolt-daemon", "info", "", { role: "Offerer", timeout: "30s" }),
    "[bolt-daemon] role=Offerer timeout=30s",
  );
});

Deno.test("levels other than info are told as a pair", () => {
  assertEquals(formatText("x", "warn", "m", {}), "[x] m level=warn");
});

Deno.test("hostile text can neither break a line nor forge a pair", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const line = formatText("x", "info", `m ${text}`, { key: text });
    assertEquals(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line), false);
  }));
  assertEquals(formatText("x", "info", "m", { a: "1 b=2" }), '[x] m a="1 b=2"');
  assertEquals(
    formatText("x", "info", "m", { a: "\u202e\x1b[2J\n" }),
    '[x] m a="\\u202e\\u001b[2J\\n"',
  );
});

Deno.test("a JSON record parses back, with the same message text as the text form", () => {
  const time = new Date(0);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const line = formatJson("bolt-daemon", "error", `FATAL: ${text}`, { a: text, n: 1 }, time);
    assertEquals(line.includes("\n"), false);
    assertEquals(JSON.parse(line), {
      time: "1970-01-01T00:00:00.000Z",
      level: "error",
      message: `[bolt-daemon] FATAL: ${text}`,
      fields: { a: text, n: 1 },
    });
  }));
});

Deno.test("the tokens that are dropped last are those of the contract's tables", async () => {
  const contract = await Deno.readTextFile(
    new URL("../../docs/DAEMON_CONTRACT.md", import.meta.url),
  );
  const [, ...tables] = contract.split(/^\| Token .*$/m);
  const tokens = tables.flatMap((text) =>
    [...text.split("\n\n")[0]?.matchAll(/^\| `([^`]+)`/gm) ?? []].map(([, token]) => token ?? "")
  ).map((token) => token.replace(/^\[[a-z-]+\] /, ""));
  assertEquals(tokens.toSorted().filter(unique), CONTRACT_TOKENS.toSorted());
});

const unique = <T>(value: T, index: number, all: readonly T[]) => all.indexOf(value) === index;
