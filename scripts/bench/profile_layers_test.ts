import { assertEquals } from "@std/assert";
import {
  type CpuProfile,
  IDLE,
  LAYER_NAMES,
  REST,
  sharesOf,
  timeByLayer,
} from "./profile_layers.ts";

const frame = (functionName: string, url = "") => ({ functionName, url });
const ours = (path: string) => frame("run", `file:///somewhere/src/${path}`);

/** Sealing a chunk: the library's code below the module that wraps it, below the ratchet's. */
const PROFILE: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 3, 4, 9] },
    { id: 2, callFrame: frame("(idle)") },
    { id: 3, callFrame: frame("(garbage collector)") },
    { id: 4, callFrame: ours("app/daemon/daemon.ts"), children: [5, 8] },
    { id: 5, callFrame: ours("protocol/btr/chain.ts"), children: [6] },
    { id: 6, callFrame: ours("protocol/crypto/sodium.ts"), children: [7] },
    { id: 7, callFrame: frame("wasm-function[64]", "wasm://wasm/000d89ce") },
    { id: 8, callFrame: ours("protocol/crypto/sha256.ts") },
    { id: 9, callFrame: frame("op_read", "ext:core/01_core.js") },
  ],
  startTime: 1000,
  samples: [2, 7, 6, 4, 8, 3, 9],
  timeDeltas: [10, 20, 30, 40, 50, 60, 70],
};

Deno.test("a library's time is that of the layer of ours that called it", () => {
  assertEquals(
    timeByLayer(PROFILE, { from: 0, to: 9999 }),
    new Map([
      [IDLE, 10],
      ["chunk's seal, ratchet", 50],
      ["daemon", 40],
      ["SHA-256 of the file", 50],
      ["garbage collector", 60],
      [REST, 70],
    ]),
  );
});

Deno.test("only what lies in the span counts, and a sample that reaches over its ends in part", () => {
  const times = timeByLayer(PROFILE, { from: 1020, to: 1065 });
  assertEquals(times, new Map([["chunk's seal, ratchet", 40], ["daemon", 5]]));
});

Deno.test("each layer that a file of ours can have is a row of the table", () => {
  for (const [layer] of timeByLayer(PROFILE, { from: 0, to: 9999 })) {
    assertEquals(layer === IDLE || LAYER_NAMES.includes(layer), true, layer);
  }
});

Deno.test("shares are of the time in which something ran", () => {
  const times = new Map([[IDLE, 900], ["daemon", 30], [REST, 70]]);
  assertEquals(sharesOf(times), new Map([["daemon", 0.3], [REST, 0.7]]));
});
