import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { DeadlineError, SignalError } from "../../base/errors.ts";
import {
  encodeBundle,
  MAX_BUNDLE_BYTES,
  parseBundle,
  type SignalBundle,
} from "../../protocol/signal/bundle.ts";
import { publishSignalFile } from "./signal_file.ts";
import { SignalFileWatcher } from "./signal_file_watcher.ts";

const { signal } = new AbortController();
const hasFifos = Deno.build.os !== "windows";

const bundleOf = (sdp: string): SignalBundle => ({
  description: { sdpType: "offer", sdp },
  candidates: [],
});

const publish = (path: string, bundle: SignalBundle): Promise<void> =>
  publishSignalFile(path, "offer", encodeBundle(bundle), { signal });

const watch = (path: string): SignalFileWatcher<SignalBundle> =>
  new SignalFileWatcher({ path, kind: "offer", parse: (text) => parseBundle(text, "offer") });

async function mkfifo(path: string): Promise<void> {
  await new Deno.Command("mkfifo", { args: [path] }).output();
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a bundle that is there already is read; the same text is not read twice", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    await publish(path, bundleOf("one"));
    const watcher = watch(path);
    const first = await watcher.next({ signal });
    assertEquals(first.value, bundleOf("one"));
    const second = watcher.next({ signal, previous: first.text });
    await Deno.writeTextFile(join(folder, "unrelated"), "x");
    await publish(path, bundleOf("two"));
    assertEquals((await second).value, bundleOf("two"));
  }));

Deno.test("a bundle is waited for, in a folder that comes with it", () =>
  inFolder(async (folder) => {
    const path = join(folder, "new", "offer.json");
    const waiting = watch(path).next({ signal });
    await publish(path, bundleOf("one"));
    assertEquals((await waiting).value, bundleOf("one"));
  }));

Deno.test("a half-written file is never consumed: a foreign writer may write in place, slowly", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    const text = encodeBundle(bundleOf("slow"));
    await Deno.writeTextFile(path, "");
    const waiting = watch(path).next({ signal });
    for (let i = 0; i < text.length; i++) {
      await Deno.writeTextFile(path, text.slice(i, i + 1), { append: true });
    }
    assertEquals((await waiting).value, bundleOf("slow"));
  }));

Deno.test("a deadline says that the file held only a part", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    await Deno.writeTextFile(path, '{"description":');
    const watcher = watch(path);
    assertEquals(await watcher.look(signal), undefined);
    const late = AbortSignal.abort(new DeadlineError("time is up"));
    const says = `time is up: ${path} holds only a part of a bundle`;
    await assertRejects(() => watcher.next({ signal: late }), DeadlineError, says);
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
  ["a folder", (path) => Deno.mkdir(path), "SIGNAL_FILE", "is a folder"],
  [
    "a symbolic link",
    (path) => Deno.symlink("/etc/hostname", path),
    "SIGNAL_FILE",
    "is a symbolic link",
  ],
  ...(hasFifos ? [["a named pipe", mkfifo, "SIGNAL_FILE", "is a named pipe (FIFO)"] as const] : []),
];

for (const [what, make, code, says] of REFUSED) {
  Deno.test(`in place of a bundle, ${what} is a clear error at once`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "offer.json");
      await make(path);
      const error = await assertRejects(() => watch(path).next({ signal }), SignalError, says);
      assertEquals(error.code, code);
    }));
}

Deno.test("a file that is a named pipe at every other moment holds no look up", {
  ignore: !hasFifos,
}, () =>
  inFolder(async (folder) => {
    const [path, fifo, file] = ["path", "fifo", "file"].map((name) => join(folder, name));
    if (path === undefined || fifo === undefined || file === undefined) throw new Error();
    await mkfifo(fifo);
    await publish(file, bundleOf("one"));
    let done = false;
    const swapping = (async () => {
      for (let turn = 0; !done; turn++) {
        await Deno.link(turn % 2 === 0 ? fifo : file, `${path}.next`);
        await Deno.rename(`${path}.next`, path);
        // A rename between two names of one file does nothing, and leaves both.
        await Deno.remove(`${path}.next`).catch(() => {});
      }
    })();
    const watcher = watch(path);
    let [read, refused] = [0, 0];
    while (read < 200 || refused < 200) {
      try {
        if (await watcher.look(signal) !== undefined) read++;
      } catch (error) {
        if (!(error instanceof SignalError)) throw error;
        refused++;
      }
    }
    done = true;
    await swapping;
  }));

Deno.test("a file of a refused owner is refused, one of another is read", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    await publish(path, bundleOf("one"));
    const judged: (number | null)[] = [];
    const refusal = new SignalError("SIGNAL_FILE", "not this one");
    const watcher = new SignalFileWatcher({
      path,
      kind: "offer",
      parse: (text) => text,
      checkOwner: (uid) => {
        judged.push(uid);
        return judged.length === 1 ? Promise.resolve() : Promise.reject(refusal);
      },
    });
    await watcher.next({ signal });
    await assertRejects(() => watcher.next({ signal }), SignalError, "not this one");
    const { uid } = await Deno.lstat(path);
    assertEquals(judged, [uid, uid]);
  }));
