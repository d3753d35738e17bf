/**
 * Names that a peer gives to files, and links that someone plants where they land: nothing is ever
 * written outside the inbox, and nothing there is replaced.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import { isFilename } from "../../src/protocol/messages/inner_message.ts";
import { safeName } from "../../src/storage/inbox/safe_name.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon } from "../support/daemon.ts";
import { dirname, join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn } from "../support/transfers.ts";
import { Rng } from "./fuzz/rng.ts";
import { mutateText } from "./fuzz/mutations.ts";
import { IS_LONG } from "./support/form.ts";
import { offerFile, sendFirst, sendRest } from "./support/protocol_violations.ts";
import { type HostilePeer, openHostileSession } from "./support/hostile_peer.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const CORPUS = [
  ...["../up", "../../../../etc/passwd", "..", ".", "a/../../b", "/etc/passwd", "/", "//x/y", "~"],
  ...[
    "C:\\Windows\\x",
    "C:x",
    "\\\\server\\share\\x",
    "..\\up",
    "\\\\?\\C:\\x",
    "\\\\.\\nul",
    "a\\b",
  ],
  ...[
    "nul\0.txt",
    "a\nb",
    "a\u2028b",
    "\u202etxt.exe",
    "\u200b",
    "\u3164",
    "\u3164.exe",
    "\u2800\u2800",
    "\u115f\uffa0",
    "\ufe0f",
    " ".repeat(80),
    "a.jpg" + " ".repeat(80) + ".exe",
    "\u2060",
    "\ufeff",
    " ",
    "...",
    ". .",
  ],
  ...[
    "CON",
    "con.txt",
    "PRN",
    "AUX ",
    "NUL.tar.gz",
    "COM1",
    "lpt9.x",
    "COM\u00b9",
    "CONIN$",
    "CLOCK$",
  ],
  ...["file.txt:stream", "file.txt::$DATA", "trailing.", "trailing ", "x. . .", "desktop.ini"],
  ...[
    "e\u0301.txt",
    "\u00e9.txt",
    "\ufb03.txt",
    "ffi.txt",
    "\u0130.txt",
    "i\u0307.txt",
    "\u212a.txt",
  ],
  ...["photo.jpg", "PHOTO.JPG", "Photo.jpg", "photo.jpg", "photo (1).jpg", "photo (2).jpg"],
  ...[
    "n".repeat(255),
    "n".repeat(251) + ".txt",
    "\u00e9".repeat(127),
    "😀".repeat(63),
    "x".repeat(1024),
  ],
  ...[
    ".hidden",
    ".bashrc",
    "-rf",
    "--help",
    "$(id)",
    "`id`",
    "a;b",
    "%2e%2e%2f",
    "..%c0%af",
    "*",
    "?",
  ],
  ...[
    "daemon.sock",
    "identity",
    ".part",
    ".00000000000000000000000000000000.part",
    "a\u200db",
    "\u200d",
  ],
];

/** A daemon that lets everyone in, in a folder of its own, and a peer that names files. */
async function stage(stack: AsyncDisposableStack) {
  const folder = stack.use(await TempFolder.make());
  const network = new MemoryNetwork();
  const inbox = folder.path("box", "inbox");
  await Deno.mkdir(dirname(inbox));
  await Deno.mkdir(folder.path("outside"));
  await Deno.writeTextFile(folder.path("outside", "precious"), "precious");
  const daemon = stack.use(
    await LocalDaemon.start(network, {
      flags: ["--pairing-policy", "allow", "--inbox", inbox],
    }),
  );
  const signals = stack.use(await TempFolder.make());
  const meeting = { connector: network.connector, folder: signals, daemon };
  const peer = stack.use(await openHostileSession(meeting));
  return { folder, daemon, inbox, peer, meeting };
}

/** Sends a file under that name, if the daemon takes it. Gives where it went. */
async function sendNamed(
  peer: HostilePeer,
  daemon: LocalDaemon,
  name: string,
): Promise<string | undefined> {
  const id = await offerFile(peer, name);
  await daemon.event("transfer-offered", ({ transfer }) => transfer.transferId === id);
  try {
    await daemon.client.acceptTransfer(id);
    throw new Error("an offer that is accepted automatically could be accepted again");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    assertEquals(error.code, "INVALID_STATE");
  }
  if (!safeName(name).safe) {
    const { code, transferId, message } = await peer.hearOf("error");
    assertEquals([code, transferId], ["LIMIT_EXCEEDED", id]);
    assertStringIncludes(String(message), "the file's name can't be used: it ");
    const { transfer } = await daemon.event(
      "transfer-failed",
      ({ transfer }) => transfer.transferId === id,
    );
    assertEquals([transfer.state, transfer.failure?.code], ["failed", "NAME_REFUSED"]);
    return undefined;
  }
  await peer.hearOf("file-accept");
  await sendRest(peer, id, name);
  const { transfer } = await daemon.event(
    "transfer-finished",
    ({ transfer }) => transfer.transferId === id,
  );
  return transfer.path;
}

Deno.test("whatever a peer calls its files, they get new names in the inbox, or are refused", async () => {
  await using stack = new AsyncDisposableStack();
  const { folder, daemon, inbox, peer } = await stage(stack);
  const rng = new Rng(7);
  const made = Array.from(
    { length: IS_LONG ? 5000 : 150 },
    () => mutateText(rng, CORPUS).toWellFormed(),
  );
  const names = [...CORPUS, ...made].filter(isFilename);
  const taken = new Set<string>();
  let refused = 0;
  for (const name of names) {
    const path = await sendNamed(peer, daemon, name);
    if (path === undefined) {
      refused++;
      continue;
    }
    assertEquals(dirname(path), inbox, JSON.stringify(name));
    assert(!taken.has(path), `${path} was replaced`);
    taken.add(path);
    assert((await Deno.lstat(path)).isFile);
  }
  assert(refused > 10 && taken.size > 50, `${refused} refused, ${taken.size} taken`);
  assertEquals((await namesIn(inbox)).map((name) => join(inbox, name)), [...taken].sort());
  // Names that differ in case or Unicode form only are one name on some file systems.
  const keys = (await namesIn(inbox)).map((name) => name.normalize("NFKC").toLowerCase());
  assertEquals(keys.filter((key) => key === "photo.jpg").length, 1);
  assertEquals(await namesIn(folder.path()), ["box", "outside"]);
  assertEquals(await namesIn(folder.path("box")), ["inbox"]);
  assertEquals(await namesIn(folder.path("outside")), ["precious"]);
});

test("a link planted under the file's own name, or its partial file's, is not followed", async () => {
  await using stack = new AsyncDisposableStack();
  const { folder, daemon, inbox, peer, meeting } = await stage(stack);
  const precious = folder.path("outside", "precious");
  for (const target of [precious, folder.path("outside", "absent"), folder.path("outside")]) {
    await Deno.symlink(target, join(inbox, "a.bin"));
    const path = await sendNamed(peer, daemon, "a.bin");
    assertEquals(path, join(inbox, "a (1).bin"));
    for (const name of ["a.bin", "a (1).bin"]) await Deno.remove(join(inbox, name));
  }
  const id = "12".repeat(16);
  await Deno.symlink(precious, join(inbox, `.${id}.part`));
  await offerFile(peer, "b.bin", id);
  const { transfer } = await daemon.event("transfer-failed");
  assertEquals([transfer.transferId, transfer.failure?.code], [id, "NAME_TAKEN"]);
  assertEquals(await Deno.readTextFile(precious), "precious");
  assertEquals(await namesIn(folder.path("outside")), ["precious"]);
  const again = stack.use(await openHostileSession(meeting));
  assertStringIncludes(await sendNamed(again, daemon, "c.bin") ?? "", inbox);
});

/** What can be swapped for a link while a file comes in. */
const SWAPS:
  readonly (readonly [string, (inbox: string, id: string, outside: string) => Promise<void>])[] = [
    ["the partial file", async (inbox, id, outside) => {
      await Deno.remove(join(inbox, `.${id}.part`));
      await Deno.symlink(join(outside, "precious"), join(inbox, `.${id}.part`));
    }],
    ["the partial file for a hard link of another", async (inbox, id, outside) => {
      await Deno.remove(join(inbox, `.${id}.part`));
      await Deno.link(join(outside, "precious"), join(inbox, `.${id}.part`));
    }],
    ["the inbox", async (inbox, _id, outside) => {
      await Deno.rename(inbox, `${inbox}.old`);
      await Deno.symlink(outside, inbox);
    }],
    ["the inbox's parent", async (inbox, _id, outside) => {
      await Deno.rename(dirname(inbox), `${dirname(inbox)}.old`);
      await Deno.mkdir(join(outside, "inbox"));
      await Deno.symlink(outside, dirname(inbox));
    }],
  ];

for (const [what, swap] of SWAPS) {
  Deno.test(`${what}, swapped for a link while a file comes in: nothing is written through it`, async () => {
    await using stack = new AsyncDisposableStack();
    const { folder, daemon, inbox, peer } = await stage(stack);
    const outside = folder.path("outside");
    const id = await offerFile(peer, "a.bin");
    await peer.hearOf("file-accept");
    await sendFirst(peer, id, "a.bin");
    await peer.isServed();
    await swap(inbox, id, outside);
    await sendRest(peer, id, "a.bin", 1);
    const { transfer } = await daemon.event("transfer-failed");
    assertEquals(transfer.failure?.code, "INBOX_CHANGED");
    assertEquals(await Deno.readTextFile(join(outside, "precious")), "precious");
    const left = (await namesIn(outside)).filter((name) => name !== "inbox");
    assertEquals(left, ["precious"]);
    if (left.length < (await namesIn(outside)).length) {
      assertEquals(await namesIn(join(outside, "inbox")), []);
    }
  });
}
