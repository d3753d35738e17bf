/**
 * Someone else writes in the folder of the signal files: the session is refused, with what is wrong.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { PairRequest, SessionView } from "../../src/ipc/api/schemas.ts";
import { KeyPair } from "../../src/protocol/crypto/keys.ts";
import { SignalFileWatcher } from "../../src/signaling/file/signal_file_watcher.ts";
import { MemoryNetwork } from "../../src/transport/memory_connector.ts";
import {
  closedSession,
  type DaemonUnderTest,
  LocalDaemon,
  meetingByFile,
} from "../support/daemon.ts";
import { skipped } from "../support/skipped.ts";
import { TempFolder } from "../support/temp_folder.ts";

const KEY = KeyPair.generate("ephemeral", (length) => new Uint8Array(length).fill(9)).publicKey;
const OFFER = {
  type: "offer",
  data: { offer: { type: "offer", sdp: "0" }, publicKey: KEY.base64, peerCode: "eve" },
  from: "eve",
  to: "bob",
};
const BUNDLE = { description: { sdp_type: "offer", sdp: "v=0" }, candidates: [] };

/** What lies at the offer's path, and how the answerer ends. */
const PLANTED: readonly (readonly [string, string, (path: string) => Promise<void>])[] = [
  ["a link to another file", "SIGNAL_FILE", async (path) => {
    await Deno.writeTextFile(`${path}.real`, JSON.stringify(OFFER));
    await Deno.symlink(`${path}.real`, path);
  }],
  ["a link to nothing", "SIGNAL_FILE", (path) => Deno.symlink("/nowhere", path)],
  ["a link to a device without end", "SIGNAL_FILE", (path) => Deno.symlink("/dev/zero", path)],
  ["a folder", "SIGNAL_FILE", (path) => Deno.mkdir(path)],
  [
    "half an offer",
    "DEADLINE",
    (path) => Deno.writeTextFile(path, JSON.stringify(OFFER).slice(0, 60)),
  ],
  ["nothing", "DEADLINE", (path) => Deno.writeTextFile(path, "")],
  ["a gigabyte", "BUNDLE_TOO_LARGE", async (path) => {
    using file = await Deno.create(path);
    await file.truncate(2 ** 30);
  }],
  ["noise", "BUNDLE_INVALID", (path) => Deno.writeTextFile(path, "\0\xff")],
  [
    "a bundle of the one-shot program",
    "BUNDLE_INVALID",
    (path) => Deno.writeTextFile(path, JSON.stringify(BUNDLE)),
  ],
  [
    "an answer",
    "BUNDLE_INVALID",
    (path) => Deno.writeTextFile(path, JSON.stringify(OFFER).replaceAll("offer", "answer")),
  ],
  [
    "100,000 nested lists",
    "BUNDLE_INVALID",
    (path) => Deno.writeTextFile(path, `{"type":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
  ],
];

const codeOf = async (daemon: DaemonUnderTest, session: SessionView) =>
  (await closedSession(daemon, session)).failure?.code;

Deno.test("whatever lies in place of an offer, the session is refused with what is wrong", async (t) => {
  await using folder = await TempFolder.make();
  await using daemon = await LocalDaemon.start(new MemoryNetwork(), {
    flags: ["--max-peers", "32", "--max-memory", "8192"],
  });
  const begun = await Promise.all(PLANTED.map(async ([what, code, plant]) => {
    const { answerer } = meetingByFile(folder);
    if (answerer.signal !== "file") throw new Error("unreachable");
    await plant(answerer.offer);
    return { what, code, session: await daemon.pair({ ...answerer, phaseTimeoutSecs: 1 }) };
  }));
  for (const { what, code, session } of begun) {
    await t.step(what, async () => assertEquals(await codeOf(daemon, session), code));
  }
  assertEquals((await daemon.client.status()).sessions.open, 0);
});

/** What a person may have where a daemon is told to exchange signals. */
const PRECIOUS: readonly (readonly [string, (path: string) => Promise<void>, string])[] = [
  ["thesis", (path) => Deno.writeTextFile(path, "%PDF-1.7\nhello"), "a PDF of 14 bytes"],
  ["notes", (path) => Deno.writeTextFile(path, "hello"), "a text file of 5 bytes"],
  ["folder", (path) => Deno.mkdir(path), "a folder"],
  ["link", (path) => Deno.symlink("/etc/hostname", path), "a symbolic link"],
];

Deno.test("a pair request with a wrong path fails with what lies there, and leaves it as it is", async () => {
  await using folder = await TempFolder.make();
  await using daemon = await LocalDaemon.start(new MemoryNetwork(), {
    flags: ["--max-peers", "32", "--max-memory", "8192"],
  });
  await Promise.all(
    PRECIOUS.flatMap(([name, make, says]) =>
      (["offer", "answer"] as const).map(async (wrong) => {
        const { offerer, answerer } = meetingByFile(folder);
        if (offerer.signal !== "file" || answerer.signal !== "file") throw new Error("unreachable");
        const path = folder.path(`${name}-for-${wrong}`);
        await make(path);
        const before = await Deno.lstat(path);
        await Deno.writeTextFile(offerer[wrong === "offer" ? "answer" : "offer"], "");
        const requests = wrong === "offer" ? [offerer] : [offerer, answerer];
        for (const request of requests) {
          const session = await daemon.pair({ ...request, [wrong]: path });
          const { failure } = await closedSession(daemon, session);
          assertEquals(failure?.code, "SIGNAL_FILE");
          assertStringIncludes(failure?.message ?? "", `${path} is ${says}`);
        }
        const after = await Deno.lstat(path);
        assertEquals([after.ino, after.size, after.mtime], [before.ino, before.size, before.mtime]);
        const other = offerer[wrong === "offer" ? "answer" : "offer"];
        assertEquals(await Deno.readTextFile(other), "", "the other file is not touched either");
      })
    ),
  );
});

Deno.test("a pair request takes another user's file, unless it says signalOwner: own", async () => {
  if (Deno.build.os === "windows" || Deno.uid() !== 0) {
    return skipped("another user's files: only root can make some");
  }
  await using folder = await TempFolder.make();
  await using daemon = await LocalDaemon.start(new MemoryNetwork());
  const { answerer } = meetingByFile(folder);
  if (answerer.signal !== "file") throw new Error("unreachable");
  await Deno.writeTextFile(answerer.offer, JSON.stringify(OFFER));
  await Deno.chown(answerer.offer, 12_345, 12_345);
  const session = await daemon.pair({ ...answerer, signalOwner: "own" });
  const { failure } = await closedSession(daemon, session);
  assertEquals(failure?.code, "SIGNAL_FILE");
  assertStringIncludes(failure?.message ?? "", "belongs to user 12345");
  // Taken by the default: it gets as far as the connection, which leads to nobody.
  const taken = await daemon.pair({ ...answerer, phaseTimeoutSecs: 1 });
  assertEquals(await codeOf(daemon, taken), "SESSION_FAILED");
});

/** Resolves when the offer is in its file. */
async function written(offerer: PairRequest): Promise<void> {
  if (offerer.signal !== "file") throw new Error("unreachable");
  const watcher = new SignalFileWatcher({
    path: offerer.offer,
    kind: "offer",
    parse: (text) => text,
  });
  await watcher.next({ signal: new AbortController().signal });
}

Deno.test("answers swapped between two sessions, or with another key, are found out", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const [first, second] = [meetingByFile(folder), meetingByFile(folder)];
  const sessions = [await alice.pair(first.offerer), await alice.pair(second.offerer)];
  // Stale answers are removed before the offer is there: only then do new ones stay.
  for (const { offerer } of [first, second]) await written(offerer);
  for (const [mine, other] of [[first, second], [second, first]] as const) {
    const { answerer } = mine;
    const { offerer } = other;
    if (answerer.signal !== "file" || offerer.signal !== "file") throw new Error("unreachable");
    // The answer to this offer goes to where the other's is waited for.
    sessions.push(await bob.pair({ ...answerer, answer: offerer.answer }));
  }
  const codes = await Promise.all(
    sessions.map((session, number) => codeOf(number < 2 ? alice : bob, session)),
  );
  assert(codes.every((code) => code === "HELLO_DECRYPT_FAIL"), `${codes}`);
  for (const daemon of [alice, bob]) assertEquals(await daemon.client.listPeers(), []);
});

/** A full file system of a few pages, where we may mount one. */
async function fullDisk(path: string): Promise<AsyncDisposable | undefined> {
  const mount = (command: string, ...args: string[]) =>
    new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()
      .catch(() => ({ success: false }));
  await Deno.mkdir(path);
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
  const { success } = await mount("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", path);
  if (!success) return undefined;
  await Deno.writeFile(`${path}/filler`, new Uint8Array(4096));
  return { [Symbol.asyncDispose]: () => mount("umount", path).then(() => {}) };
}

Deno.test("an offer or answer that finds no room on the disk: SIGNAL_FILE, and nothing half-written stays", async () => {
  await using folder = await TempFolder.make();
  await using disk = await fullDisk(folder.path("full"));
  if (disk === undefined) {
    skipped("a full disk: only root on Linux, and not in every container, can mount one");
    return;
  }
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const { offerer, answerer } = meetingByFile(folder);
  if (offerer.signal !== "file" || answerer.signal !== "file") throw new Error("unreachable");
  const [offer, answer] = [folder.path("full", "offer"), folder.path("full", "answer")];
  assertEquals(await codeOf(alice, await alice.pair({ ...offerer, offer })), "SIGNAL_FILE");
  await alice.pair({ ...offerer, phaseTimeoutSecs: 1 });
  assertEquals(await codeOf(bob, await bob.pair({ ...answerer, answer })), "SIGNAL_FILE");
  const names = await Array.fromAsync(Deno.readDir(folder.path("full")), ({ name }) => name);
  assertEquals(names, ["filler"]);
});
