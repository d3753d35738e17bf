/**
 * boltctl while the daemon is killed and started again: what follows it goes on.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ApiEvent } from "../../src/ipc/api/events.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { join } from "../support/paths.ts";
import { Run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { boltctl } from "./support/boltctl.ts";

/** Windows has no POSIX signals, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const KEY = "3f2a".padEnd(64, "0");

test("events go on after the daemon was killed, or stopped, and started again; a gap is told", async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("data");
  const program = boltctl(join(dataDir, "daemon.sock"));
  let daemon = await ServedDaemon.start({ dataDir });
  await using people = new Run(program, ["events"]);
  await using programs = new Run(program, ["events", "--json", "--count=5"]);
  await daemon.streams(3);
  const named = async (name: string) => {
    await daemon.client.trust(KEY, { decision: "allow_always", name });
    await daemon.event("peer-changed");
  };
  await named("first");
  assertStringIncludes(await programs.line(), "first");
  daemon.run.kill("SIGKILL");
  await daemon[Symbol.asyncDispose]();
  await people.said("The daemon is gone; waiting for it");
  daemon = await ServedDaemon.start({ dataDir });
  await daemon.streams(3);
  await named("second");
  await daemon.stop();
  await daemon[Symbol.asyncDispose]();
  const { code, stdout, stderr } = await programs.outcome();
  const events: ApiEvent[] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const types = events.map(({ type }) => type);
  assertEquals(types, [
    "peer-changed",
    "gap",
    "peer-changed",
    "daemon-stopping",
    "daemon-stopped",
  ]);
  assertEquals([code, stderr], [0, ""]);
  people.kill("SIGINT");
  const ended = await people.outcome();
  assertEquals(ended.code, 130);
  assert(ended.stdout.includes("Events before this one are lost"), ended.stdout);
});
