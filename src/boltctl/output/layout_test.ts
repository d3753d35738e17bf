import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { peerText } from "../../ipc/api/peer_text.ts";
import type { Transfer } from "../../ipc/api/schemas.ts";
import { MemoryTerminal } from "../testing/memory_terminal.ts";
import { largeSas } from "./block_font.ts";
import { progressLine } from "./progress_line.ts";
import { progressView } from "./progress_view.ts";
import { formatAgo, formatBytes, formatRate, formatSeconds, percent } from "./units.ts";
import { cutTo, fitTo, widthOf } from "./width.ts";

const TRANSFER: Transfer = {
  transferId: "0".repeat(32),
  direction: "outgoing",
  state: "active",
  identity: "0".repeat(64),
  name: peerText("a.bin"),
  size: 1000,
  transferred: 500,
  priority: 0,
  createdAt: "2026-01-02T03:04:05Z",
  updatedAt: "2026-01-02T03:04:05Z",
};

Deno.test("sizes have at most three digits before the unit changes", () => {
  const sizes = [0, 999, 1000, 1024, 1536, 10_240, 1_022_976, 5 * 1024 ** 3, 2 ** 60];
  assertEquals(sizes.map(formatBytes), [
    "0 B",
    "999 B",
    "1.0 KiB",
    "1.0 KiB",
    "1.5 KiB",
    "10 KiB",
    "999 KiB",
    "5.0 GiB",
    "1024 PiB",
  ]);
  assertEquals(formatRate(2_097_152), "2.0 MiB/s");
});

Deno.test("times are rounded up, percents down: 100 % is all", () => {
  assertEquals([0, 0.1, 59.2, 3599, 3661, 300_000].map(formatSeconds), [
    "0:00",
    "0:01",
    "1:00",
    "59:59",
    "1:01:01",
    "3 days",
  ]);
  assertEquals([percent(999, 1000), percent(1000, 1000), percent(0, 0)], [99, 100, 100]);
});

Deno.test("wide, combining and plain characters take the columns that a terminal gives them", () => {
  const widths = ["abc", "電話", "e\u0301", "😀", "ｱ", ""].map(widthOf);
  assertEquals(widths, [3, 4, 1, 2, 1, 0]);
  assertEquals([cutTo("電話番号", 5), cutTo("abc", 3), cutTo("abc", 2)], ["電話…", "abc", "a…"]);
});

Deno.test("a text fitted to columns takes exactly those", () => {
  const names = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("電話".repeat(9)),
  );
  fc.assert(fc.property(names, fc.nat(40), (text, columns) => {
    assertEquals(widthOf(fitTo(peerText(text), columns)), columns);
  }));
});

Deno.test("a progress line never reaches the last column, whatever the name, size and rate", () => {
  const states = ["queued", "offered", "active", "paused", "verifying", "completed"] as const;
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.constantFrom(...states),
      fc.nat(),
      fc.nat(),
      fc.double({ min: 0, noNaN: true }),
      fc.integer({ min: 2, max: 300 }),
      (name, state, size, transferred, bytesPerSecond, columns) => {
        const transfer = { ...TRANSFER, name: peerText(name), state, size, transferred };
        assert(widthOf(progressLine({ transfer, bytesPerSecond }, columns)) < columns);
      },
    ),
  );
});

Deno.test("the bar keeps its place while rate and time left change", () => {
  const bars = [1, 1e3, 1e6, 1e9].map((bytesPerSecond) => {
    const transfer = { ...TRANSFER, size: 10 ** 9, transferred: 10 ** 8 * 3 };
    return progressLine({ transfer, bytesPerSecond }, 80).indexOf("]");
  });
  assertEquals(new Set(bars).size, 1);
});

Deno.test("many transfers are shown as ten bars and a count: the screen is not flooded", () => {
  const terminal = new MemoryTerminal({ columns: 80 });
  const view = progressView(terminal);
  for (let i = 0; i < 25; i++) {
    view.show({ transfer: { ...TRANSFER, transferId: String(i).padStart(32, "0") } });
  }
  const last = terminal.stdout.slice(terminal.stdout.lastIndexOf("\x1b[J"));
  assertEquals(last.trimEnd().split("\n").length, 11);
  assert(last.includes("and 15 more"), last);
});

Deno.test("without a terminal a transfer gets a line every ten percent, not one an event", () => {
  const terminal = new MemoryTerminal();
  const view = progressView(terminal);
  for (let transferred = 0; transferred <= 1000; transferred++) {
    view.show({ transfer: { ...TRANSFER, transferred }, bytesPerSecond: 1 });
  }
  assertEquals(terminal.stdout.trimEnd().split("\n").length, 11);
});

Deno.test("a SAS in large fits the terminal, and the plain one is always there", () => {
  for (const columns of [10, 30, 60, 200]) {
    const rows = largeSas("A1B2C3", columns);
    assertEquals(rows.at(-1), "  A 1 B 2 C 3");
    if (columns > 20) { for (const row of rows) assert(widthOf(row) <= columns, row); }
  }
});

Deno.test("no two digits of a SAS look the same in large", () => {
  const drawn = [..."0123456789ABCDEF"].map((digit) =>
    largeSas(digit.repeat(6), 80).slice(0, 5).join("\n")
  );
  assertEquals(new Set(drawn).size, 16);
});

Deno.test("what has passed is told in its largest unit, and nothing passes before it began", () => {
  const told = [-5, 0, 59.9, 60, 3599, 3600, 172_799, 172_800, 1e9].map(formatAgo);
  assertEquals(told, [
    ...["0 s ago", "0 s ago", "59 s ago", "1 min ago", "59 min ago", "1 h ago", "47 h ago"],
    ...["2 days ago", "11574 days ago"],
  ]);
});
