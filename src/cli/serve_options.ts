/**
 * The command line of `bolt-daemon serve`. Pure: arguments in, options or a
 * {@linkcode UsageError} out, before any file or network is touched.
 *
 * @module
 */
import {
  COLLISION_POLICIES,
  PAIRING_POLICIES,
  PARTIAL_POLICIES,
  type ServeOptions,
} from "../app/daemon/options.ts";
import { UsageError } from "../base/errors.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../log/log.ts";
import { oneOf, readFlags, wholeNumber, wrongValue } from "./flags.ts";

/** What a run without flags prints. */
export const SERVE_USAGE = "Usage: bolt-daemon serve --data-dir DIR [options]";

const FLAGS = [
  "data-dir",
  "inbox",
  "socket-path",
  "max-peers",
  "max-transfers",
  "max-memory",
  "pairing-policy",
  "on-collision",
  "on-interrupt",
  "shutdown-timeout-secs",
  "device-name",
  "log-format",
  "log-level",
] as const;

/** Longest device name, in bytes of UTF-8: the rendezvous server's limit. */
const MAX_DEVICE_NAME_BYTES = 256;

/**
 * Parses the arguments after `serve`.
 *
 * @throws {UsageError} When a flag is unknown, given twice, without its value, or of a wrong value;
 * or when `--data-dir` is missing.
 */
export function parseServeOptions(args: readonly string[]): ServeOptions {
  const given = readFlags(args, FLAGS);
  const dataDir = given["data-dir"];
  if (dataDir === undefined) throw new UsageError("serve requires --data-dir DIR");
  const { inbox, "socket-path": socketPath, "device-name": deviceName = "bolt-daemon" } = given;
  const bytes = new TextEncoder().encode(deviceName).length;
  if (bytes > MAX_DEVICE_NAME_BYTES || /[\p{Cc}\p{Cf}]/u.test(deviceName)) {
    const takes = `up to ${MAX_DEVICE_NAME_BYTES} bytes, none of them control characters`;
    throw wrongValue("device-name", deviceName, takes);
  }
  return {
    dataDir,
    ...(inbox === undefined ? {} : { inbox }),
    ...(socketPath === undefined ? {} : { socketPath }),
    maxPeers: wholeNumber(given, "max-peers", [1, 1024]) ?? 8,
    maxTransfers: wholeNumber(given, "max-transfers", [1, 64]) ?? 1,
    maxMemory: wholeNumber(given, "max-memory", [1, 1_048_576], " of MiB") ?? 1024,
    pairingPolicy: oneOf(given, "pairing-policy", PAIRING_POLICIES) ?? "ask",
    onCollision: oneOf(given, "on-collision", COLLISION_POLICIES) ?? "number",
    onInterrupt: oneOf(given, "on-interrupt", PARTIAL_POLICIES) ?? "remove",
    shutdownTimeoutSecs: wholeNumber(given, "shutdown-timeout-secs", [1, 3600], " of seconds") ?? 5,
    deviceName,
    logFormat: oneOf(given, "log-format", LOG_FORMATS) ?? "text",
    logLevel: oneOf(given, "log-level", LOG_LEVELS) ?? "info",
  };
}
