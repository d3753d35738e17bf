import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { SignalError } from "../../base/errors.ts";
import {
  encodeBundle,
  MAX_BUNDLE_BYTES,
  parseBundle,
  type SignalBundle,
} from "../../protocol/signal/bundle.ts";
import { publishSignalFile, removeStaleFile, SignalFileWatcher } from "./signal_file.ts";

const { signal } = new AbortController();

const bundleOf = (sdp: string): SignalBundle => ({
  description: { sdpType: "offer", sdp },
  candidates: [],
});

const publish = (path: string, bundle: SignalBundle): Promise<void> =>
  publishSignalFile(path, "offer", encodeBundle(bundle));

const watch = (path: string): Promise<SignalFileWatcher<SignalBundle>> =>
  SignalFileWatcher.open({ path, kind: "offer", parse: (text) => parseBundle(text, "offer") });

const namesIn = (folder: string): Promise<string[]> =>
  Array.fromAsync(Deno.readDir(folder), (entry) => entry.name);

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a bundle is published whole, parents made, nothing else left, an old file replaced", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a", "b", "offer.json");
    await publish(path, bundleOf("one"));
    await publish(path, bundleOf("two"));
    assertEquals(await Deno.readTextFile(path), encodeBundle(bundleOf("two")) + "\n");
    assertEquals(await namesIn(join(folder, "a", "b")), ["offer.json"]);
  }));

Deno.test("publishing over a symbolic link replaces the link, not what it points at", () =>
  inFolder(async (folder) => {
    const [path, victim] = [join(folder, "offer.json"), join(folder, "victim")];
    await Deno.writeTextFile(victim, "precious");
    await Deno.symlink(victim, path);
    await publish(path, bundleOf("one"));
    assertEquals(await Deno.readTextFile(victim), "precious");
    assert((await Deno.lstat(path)).isFile);
  }));

Deno.test("a bundle that can't be written is a clear error and leaves nothing", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "offer.json"));
    const error = await assertRejects(
      () => publish(join(folder, "offer.json"), bundleOf("one")),
      SignalError,
      "cannot write the offer at",
    );
    assertEquals(error.code, "SIGNAL_FILE");
    assertEquals(await namesIn(folder), ["offer.json"]);
    await assertRejects(
      () => publish(join(folder, "no\0name"), bundleOf("one")),
      SignalError,
    );
  }));

Deno.test("removing a stale bundle is silent when there is none, an error when it can't be", () =>
  inFolder(async (folder) => {
    await removeStaleFile(join(folder, "none.json"));
    await Deno.mkdir(join(folder, "full"));
    await Deno.writeTextFile(join(folder, "full", "x"), "");
    await assertRejects(
      () => removeStaleFile(join(folder, "full")),
      SignalError,
      "cannot remove",
    );
  }));

Deno.test("a bundle that is there already is read; the same text is not read twice", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    await publish(path, bundleOf("one"));
    using watcher = await watch(path);
    const first = await watcher.next({ signal });
    assertEquals(first.value, bundleOf("one"));
    const second = watcher.next({ signal, previous: first.text });
    await Deno.writeTextFile(join(folder, "unrelated"), "x");
    await publish(path, bundleOf("two"));
    assertEquals((await second).value, bundleOf("two"));
  }));

Deno.test("a bundle is waited for, through a folder that is made for it", () =>
  inFolder(async (folder) => {
    const path = join(folder, "new", "offer.json");
    using watcher = await watch(path);
    const waiting = watcher.next({ signal });
    await publish(path, bundleOf("one"));
    assertEquals((await waiting).value, bundleOf("one"));
  }));

Deno.test("a half-written file is never consumed: a foreign writer may write in place, slowly", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    const text = encodeBundle(bundleOf("slow"));
    await Deno.writeTextFile(path, "");
    using watcher = await watch(path);
    const waiting = watcher.next({ signal });
    for (let i = 0; i < text.length; i++) {
      await Deno.writeTextFile(path, text.slice(i, i + 1), { append: true });
    }
    assertEquals((await waiting).value, bundleOf("slow"));
  }));

Deno.test("a wait that ends can say that the file held only a part", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    await Deno.writeTextFile(path, '{"description":');
    using watcher = await watch(path);
    const control = new AbortController();
    const waiting = watcher.next({ signal: control.signal });
    while (watcher.lastProblem === "") await Deno.lstat(path);
    control.abort(new Error("time is up"));
    await assertRejects(() => waiting, Error, "time is up");
    assertEquals(watcher.lastProblem, `${path} holds only a part of a bundle`);
  }));

const REFUSED: readonly (readonly [string, (path: string) => Promise<void>, string, string])[] = [
  ["text", (path) => Deno.writeTextFile(path, "hello"), "BUNDLE_INVALID", "not a signal bundle"],
  ["other JSON", (path) => Deno.writeTextFile(path, "{}"), "BUNDLE_INVALID", "not a signal bundle"],
  [
    "a file over 1 MiB",
    (path) => Deno.writeFile(path, new Uint8Array(MAX_BUNDLE_BYTES + 1)),
    "BUNDLE_TOO_LARGE",
    "over 1 MiB",
  ],
  ["a folder", (path) => Deno.mkdir(path), "SIGNAL_FILE", "is not a regular file"],
  [
    "a symbolic link",
    (path) => Deno.symlink("/etc/hostname", path),
    "SIGNAL_FILE",
    "symbolic link",
  ],
];

for (const [what, make, code, says] of REFUSED) {
  Deno.test(`in place of a bundle, ${what} is a clear error at once`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "offer.json");
      await make(path);
      using watcher = await watch(path);
      const error = await assertRejects(() => watcher.next({ signal }), SignalError, says);
      assertEquals(error.code, code);
    }));
}

Deno.test("a named pipe in place of a bundle is refused, not opened", {
  ignore: Deno.build.os === "windows",
}, () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    await new Deno.Command("mkfifo", { args: [path] }).output();
    using watcher = await watch(path);
    await assertRejects(() => watcher.next({ signal }), SignalError, "is not a regular file");
  }));
