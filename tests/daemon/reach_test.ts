/**
 * What applications can make the daemon touch: folders that the operator named, and no others.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { DAEMON } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

const OPEN_READING = "can have any file sent that this user may read";
const OPEN_WRITING = "may write wherever its user may";

async function refused(work: Promise<unknown>, code: string, says: RegExp): Promise<void> {
  const error = await assertRejects(() => work, ApiError);
  assertEquals(error.code, code, error.message);
  assertMatch(error.message, says);
}

/** An identity that is met nowhere. */
const SOMEBODY = "ab".repeat(32);

Deno.test("files are sent from the folders of --allow-send-from, and from nowhere else", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.path("out"));
  for (const name of ["out/report", "secret"]) await Deno.writeTextFile(folder.path(name), name);
  await Deno.symlink(folder.path(), folder.path("out", "up"));
  await using daemon = await ServedDaemon.start({
    flags: ["--allow-send-from", folder.path("out"), "--allow-send-from", folder.path("later")],
  });
  await daemon.client.trust(SOMEBODY, { name: "somebody", decision: "allow_always" });
  const links = {
    name: "somebody",
    role: "answerer",
    rendezvousUrl: "ws://127.0.0.1:1",
    room: "room",
    session: "1",
    peerId: "us",
    expectPeer: "them",
    identity: SOMEBODY,
  } as const;
  await daemon.client.addLink(links);
  const send = (path: string) =>
    daemon.client.send({ paths: [path], identity: SOMEBODY, priority: 0 });
  assertEquals((await send(folder.path("out", "report"))).length, 1);
  const outside = /is in none of the folders that --allow-send-from names/;
  for (const path of ["secret", "out/up/secret", "out/../secret"]) {
    await refused(send(folder.path(path)), "FILE_UNREADABLE", outside);
  }
  await refused(send(`${daemon.dataDir}/identity.key`), "FILE_UNREADABLE", outside);
  // A folder that comes later counts from then on.
  await Deno.mkdir(folder.path("later"));
  await Deno.writeTextFile(folder.path("later", "report"), "later");
  assertEquals((await send(folder.path("later", "report"))).length, 1);
  await daemon.stop();
  const { stderr } = await daemon.run.outcome();
  assert(!stderr.includes(OPEN_READING), stderr);
});

Deno.test("signal files may be in the folders of --allow-signal-in only", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.path("share"));
  await using daemon = await ServedDaemon.start({
    flags: ["--allow-signal-in", folder.path("share")],
  });
  const pair = (offer: string, answer: string) =>
    daemon.client.pair({
      role: "answerer",
      signal: "file",
      offer: folder.path(offer),
      answer: folder.path(answer),
    });
  const outside = /is in none of the folders that --allow-signal-in names/;
  await refused(pair("offer", "share/answer"), "POLICY_REFUSED", outside);
  await refused(pair("share/offer", "share/../answer"), "POLICY_REFUSED", outside);
  const { state } = await pair("share/offer", "share/answer");
  assertEquals(state, "signaling");
});

Deno.test("at its start it says what nothing narrows, and is silent where permissions do", async () => {
  await using folder = await TempFolder.make();
  await using open = await ServedDaemon.start();
  await open.stop();
  const { stderr } = await open.run.outcome();
  for (const warning of [OPEN_READING, OPEN_WRITING]) {
    assertEquals(stderr.split(warning).length, 2, stderr);
  }
  const [data, send] = [folder.path("data"), folder.path("send")];
  const scoped = {
    ...DAEMON,
    args: DAEMON.args.map((arg) =>
      arg === "--allow-read"
        ? `--allow-read=${data},${send},${Deno.cwd()}`
        : arg === "--allow-write"
        ? `--allow-write=${data}`
        : arg
    ),
  };
  await using narrow = await ServedDaemon.start({ program: scoped, dataDir: data });
  await narrow.stop();
  const said = (await narrow.run.outcome()).stderr;
  assertStringIncludes(said, "serving");
  for (const warning of [OPEN_READING, OPEN_WRITING]) assert(!said.includes(warning), said);
});
