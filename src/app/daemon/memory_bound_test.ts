import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../base/errors.ts";
import { parseServeOptions } from "../../cli/serve_options.ts";
import {
  checkMemory,
  FIXED_MIB,
  MEMORY_PARTS,
  memoryBoundMib,
  SESSION_MIB,
  TRANSFER_MIB,
} from "./memory_bound.ts";

const DOCUMENT = await Deno.readTextFile(new URL("../../../docs/OPERATIONS.md", import.meta.url));
const optionsOf = (...flags: string[]) => parseServeOptions(["--data-dir", "/data", ...flags]);

Deno.test("the default bounds fit into the default --max-memory", () => {
  const defaults = optionsOf();
  assertEquals([defaults.maxPeers, defaults.maxTransfers, defaults.maxMemory], [8, 1, 1024]);
  checkMemory(defaults);
  assert(memoryBoundMib(defaults) > 256, "the default total is not far from what is needed");
});

Deno.test("each peer and each transfer counts, a transfer only where a session can carry it", () => {
  const bound = (maxPeers: number, maxTransfers: number) =>
    memoryBoundMib({ maxPeers, maxTransfers });
  assertEquals(bound(1, 1), FIXED_MIB + SESSION_MIB + TRANSFER_MIB);
  assertEquals(bound(9, 4) - bound(8, 4), SESSION_MIB);
  assertEquals(bound(8, 4) - bound(8, 3), TRANSFER_MIB);
  assertEquals(bound(2, 64), bound(2, 2));
});

Deno.test("bounds that pass the total are refused with what to lower, and how far", () => {
  const options = optionsOf("--max-peers", "64", "--max-transfers", "4");
  const { message } = assertThrows(() => checkMemory(options), UsageError);
  assertMatch(
    message,
    /^--max-peers 64 and --max-transfers 4 may take \d+ MiB of memory together, and --max-memory allows 1024: lower --max-peers to \d+, or --max-transfers with it, or raise --max-memory to \d+$/,
  );
  const [peers = 0, mib = 0] = [/--max-peers to (\d+)/, /--max-memory to (\d+)/].map((pattern) =>
    Number(pattern.exec(message)?.[1])
  );
  checkMemory({ ...options, maxPeers: peers });
  assertThrows(() => checkMemory({ ...options, maxPeers: peers + 1 }), UsageError);
  checkMemory({ ...options, maxMemory: mib });
  assertThrows(() => checkMemory({ ...options, maxMemory: mib - 1 }), UsageError);
  assertThrows(
    () => checkMemory(optionsOf("--max-peers=1", "--max-memory=100")),
    UsageError,
    `allows 100: raise --max-memory to ${memoryBoundMib({ maxPeers: 1, maxTransfers: 1 })}`,
  );
  const least = memoryBoundMib({ maxPeers: 1, maxTransfers: 1 });
  const defaults = memoryBoundMib({ maxPeers: 8, maxTransfers: 1 });
  assertThrows(
    () => checkMemory(optionsOf(`--max-memory=${least - 1}`)),
    UsageError,
    `allows ${least - 1}: raise --max-memory to ${defaults}, or to ${least} with --max-peers 1`,
  );
});

Deno.test("docs/OPERATIONS.md tells the formula with the numbers that are computed", () => {
  const { session, transfer, fixed } = MEMORY_PARTS;
  const rows = { fixed: FIXED_MIB, "each peer": SESSION_MIB, "each transfer": TRANSFER_MIB };
  for (const [what, mib] of Object.entries(rows)) {
    const row = DOCUMENT.split("\n").find((line) => line.startsWith(`| ${what} `)) ?? "";
    assertEquals(row.split("|")[2]?.trim(), String(mib), what);
  }
  const parts = [...Object.values(session), ...Object.values(transfer), ...Object.values(fixed)];
  assert(parts.every((bytes) => Number.isSafeInteger(bytes) && bytes > 0));
  const total = memoryBoundMib({ maxPeers: 8, maxTransfers: 1 });
  assert(DOCUMENT.includes(`= ${total} MiB`), `the defaults take ${total} MiB`);
});
