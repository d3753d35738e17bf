import { assertEquals, assertThrows } from "@std/assert";
import type { ServeOptions } from "../app/daemon/options.ts";
import { UsageError } from "../base/errors.ts";
import { parseServeOptions } from "./serve_options.ts";

// Each default is compared with the contract's in tests/docs/flags_test.ts.
const DEFAULTS: ServeOptions = parseServeOptions(["--data-dir", "/data"]);

Deno.test("serve has safe defaults: one transfer at once, eight peers, unknown ones asked about", () => {
  const { dataDir, maxTransfers, maxPeers, pairingPolicy, inbox, socketPath } = DEFAULTS;
  assertEquals([dataDir, maxTransfers, maxPeers, pairingPolicy], ["/data", 1, 8, "ask"]);
  assertEquals([inbox, socketPath], [undefined, undefined]);
});

Deno.test("the data folder has no hidden default", () => {
  assertThrows(() => parseServeOptions(["--max-peers", "1"]), UsageError, "--data-dir");
});

const READ: readonly (readonly [args: readonly string[], options: Partial<ServeOptions>])[] = [
  [["--inbox", "/in"], { inbox: "/in" }],
  [["--socket-path", "/run/s"], { socketPath: "/run/s" }],
  [["--local-api", "unix", "--socket-path", "/s"], { localApi: "unix", socketPath: "/s" }],
  [["--local-api", "tcp"], { localApi: "tcp" }],
  [["--max-peers", "1024"], { maxPeers: 1024 }],
  [["--max-transfers", "64"], { maxTransfers: 64 }],
  [["--max-memory", "64"], { maxMemory: 64 }],
  [["--pairing-policy", "deny"], { pairingPolicy: "deny" }],
  [["--pairing-policy", "allow"], { pairingPolicy: "allow" }],
  [["--unproven-peers", "refuse"], { unprovenPeers: "refuse" }],
  [["--unproven-peers", "allow"], { unprovenPeers: "allow" }],
  [["--on-collision", "refuse"], { onCollision: "refuse" }],
  [["--on-interrupt", "keep"], { onInterrupt: "keep" }],
  [["--shutdown-timeout-secs", "3600"], { shutdownTimeoutSecs: 3600 }],
  [["--device-name", "küche 😀"], { deviceName: "küche 😀" }],
  [["--device-name", "x".repeat(256)], { deviceName: "x".repeat(256) }],
  [["--log-format", "json"], { logFormat: "json" }],
  [["--log-level", "debug"], { logLevel: "debug" }],
];

for (const [args, options] of READ) {
  Deno.test(`serve reads ${args.map((arg) => arg.slice(0, 40)).join(" ")}`, () => {
    assertEquals(parseServeOptions(["--data-dir", "/data", ...args]), { ...DEFAULTS, ...options });
  });
}

const REFUSED: readonly (readonly [args: readonly string[], says: string])[] = [
  [["--max-peers", "0"], "from 1 to 1024"],
  [["--max-peers", "1025"], "from 1 to 1024"],
  [["--max-transfers", "0"], "from 1 to 64"],
  [["--max-transfers", "two"], "from 1 to 64"],
  [["--max-memory", "0"], "a whole number of MiB from 1 to 1048576"],
  [["--max-memory", "1G"], "a whole number of MiB from 1 to 1048576"],
  [["--shutdown-timeout-secs", "0"], "a whole number of seconds from 1 to 3600"],
  [["--pairing-policy", "always"], "one of ask, deny, allow"],
  [["--unproven-peers", "deny"], "one of ask, refuse, allow"],
  [["--on-collision", "overwrite"], "one of number, refuse"],
  [["--on-interrupt", "resume"], "one of remove, keep"],
  [["--local-api", "http"], "one of unix, tcp"],
  [["--local-api", "0.0.0.0:80"], "one of unix, tcp"],
  [["--local-api", "tcp", "--socket-path", "/s"], "--socket-path has no effect"],
  [["--log-level", "trace"], "one of error, warn, info, debug"],
  [["--device-name", "x".repeat(257)], "up to 256 bytes"],
  [["--device-name", "é".repeat(129)], "up to 256 bytes"],
  [["--device-name", "a\u202eb"], "none of them control characters"],
  [["--device-name", "a\nb"], "none of them control characters"],
  [["--role", "offerer"], "Unknown argument: --role"],
  [["--help"], "Unknown argument: --help"],
  [["--data-dir", "/other"], "--data-dir is given 2 times"],
];

for (const [args, says] of REFUSED) {
  const shown = JSON.stringify(args.map((arg) => arg.slice(0, 20)));
  Deno.test(`serve refuses ${shown}: ${says}`, () => {
    assertThrows(() => parseServeOptions(["--data-dir", "/data", ...args]), UsageError, says);
  });
}
