import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { SignalError } from "../../base/errors.ts";
import { encodeBundle, MAX_BUNDLE_BYTES, type SignalBundle } from "../../protocol/signal/bundle.ts";
import { publishSignalFile, removeStaleFile } from "./signal_file.ts";

const { signal } = new AbortController();
const hasModes = Deno.build.os !== "windows";

const bundleOf = (sdp: string): SignalBundle => ({
  description: { sdpType: "offer", sdp },
  candidates: [],
});

const publish = (path: string, bundle: SignalBundle, isPrivate = false): Promise<void> =>
  publishSignalFile(path, "offer", encodeBundle(bundle), { signal, isPrivate });

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

const modeOf = async (path: string) => ((await Deno.lstat(path)).mode ?? 0) & 0o777;

Deno.test("a bundle is published whole, parents made, nothing else left, an old file replaced", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a", "b", "offer.json");
    await publish(path, bundleOf("one"));
    await publish(path, bundleOf("two"));
    assertEquals(await Deno.readTextFile(path), encodeBundle(bundleOf("two")) + "\n");
    assertEquals(await namesIn(join(folder, "a", "b")), ["offer.json"]);
  }));

Deno.test(
  "a folder that is made is 0700 with files of 0600; in one that is there the umask decides",
  {
    ignore: !hasModes,
  },
  () =>
    inFolder(async (folder) => {
      await publish(join(folder, "made", "offer.json"), bundleOf("one"));
      assertEquals(await modeOf(join(folder, "made")), 0o700);
      assertEquals(await modeOf(join(folder, "made", "offer.json")), 0o600);
      await Deno.writeTextFile(join(folder, "plain"), "");
      await publish(join(folder, "offer.json"), bundleOf("one"));
      assertEquals(await modeOf(join(folder, "offer.json")), await modeOf(join(folder, "plain")));
      await publish(join(folder, "private.json"), bundleOf("one"), true);
      assertEquals(await modeOf(join(folder, "private.json")), 0o600);
    }),
);

Deno.test("a name as long as the disk allows is published", () =>
  inFolder(async (folder) => {
    await publish(join(folder, "o".repeat(255)), bundleOf("one"));
    assertEquals(await namesIn(folder), ["o".repeat(255)]);
  }));

Deno.test("publishing in a folder at any moment leaves no reader half a bundle", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    let published = false;
    const publishing = (async () => {
      for (let i = 0; i < 50; i++) await publish(path, bundleOf(`${i}`.repeat(20_000)));
      published = true;
    })();
    while (!published) {
      const text = await Deno.readTextFile(path).catch(() => "{}\n");
      assert(text.endsWith("}\n"), "a reader saw a part of a bundle");
    }
    await publishing;
  }));

/** What people have, and how it is told. */
const PRECIOUS: readonly (readonly [string, (path: string) => Promise<void>])[] = [
  ["a PDF of 14 bytes", (path) => Deno.writeTextFile(path, "%PDF-1.7\nhello")],
  ["a text file of 5 bytes that is no signal bundle", (path) => Deno.writeTextFile(path, "hello")],
  ["a text file of 1 byte that is no signal bundle", (path) => Deno.writeTextFile(path, "\n")],
  [
    "a binary file of 3 bytes that is no signal bundle",
    (path) => Deno.writeFile(path, new Uint8Array([0, 255, 7])),
  ],
  ["a text file of 2 bytes that is no signal bundle", (path) => Deno.writeTextFile(path, "{}")],
  [
    "a file of 26 bytes with at most the beginning of a signal bundle",
    (path) => Deno.writeTextFile(path, '{"description":{"sdp_type"'),
  ],
  [
    `a file of ${MAX_BUNDLE_BYTES + 1} bytes, more than any signal bundle has`,
    (path) => Deno.writeFile(path, new Uint8Array(MAX_BUNDLE_BYTES + 1)),
  ],
  ["a folder", (path) => Deno.mkdir(path)],
  ["a symbolic link", (path) => Deno.symlink("/etc/hostname", path)],
  ["a symbolic link", (path) => Deno.symlink("/nowhere", path)],
  ...(hasModes
    ? [
      [
        "a named pipe (FIFO)",
        (path: string) => new Deno.Command("mkfifo", { args: [path] }).output().then(() => {}),
      ] as const,
    ]
    : []),
];

for (const [what, make] of PRECIOUS) {
  Deno.test(`${what} is neither removed nor replaced, and told as that`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "thesis");
      await make(path);
      const before = await Deno.lstat(path);
      for (
        const work of [() => removeStaleFile(path, signal), () => publish(path, bundleOf("x"))]
      ) {
        const error = await assertRejects(
          work,
          SignalError,
          `${path} is ${what}, and is left as it is`,
        );
        assertEquals(error.code, "SIGNAL_FILE");
      }
      const after = await Deno.lstat(path);
      assertEquals([after.ino, after.mtime], [before.ino, before.mtime]);
      assertEquals(await namesIn(folder), ["thesis"]);
    }));
}

const BUNDLES: readonly (readonly [string, string])[] = [
  ["an empty file", ""],
  ["an offer", encodeBundle(bundleOf("v=0"))],
  [
    "an answer that another program wrote",
    '{ "candidates": [],\r\n "description": {"sdp_type": "Answer", "sdp": "v=0", "more": 1} }',
  ],
  [
    "a session's offer",
    JSON.stringify({
      type: "offer",
      data: {
        offer: { type: "offer", sdp: "v=0" },
        publicKey: new Uint8Array(32).fill(9).toBase64(),
        peerCode: "bob",
      },
      from: "bob",
      to: "alice",
    }),
  ],
];

for (const [what, text] of BUNDLES) {
  Deno.test(`${what} is removed, and replaced`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "offer.json");
      await Deno.writeTextFile(path, text);
      await removeStaleFile(path, signal);
      assertEquals(await namesIn(folder), []);
      await Deno.writeTextFile(path, text);
      await publish(path, bundleOf("new"));
      assertEquals(await Deno.readTextFile(path), encodeBundle(bundleOf("new")) + "\n");
      assertEquals(await namesIn(folder), ["offer.json"]);
    }));
}

Deno.test("a file that comes to the path while others are published there is never lost", () =>
  inFolder(async (folder) => {
    const path = join(folder, "offer.json");
    const precious = join(folder, "precious");
    let refused = 0;
    for (let i = 0; i < 100; i++) {
      await Deno.writeTextFile(precious, "thesis");
      // At another moment each time: between looking, moving aside and taking the name.
      const coming = (async () => {
        for (let step = 0; step < i % 20; step++) await Deno.lstat(folder);
        return await Deno.link(precious, path).then(() => true, () => false);
      })();
      const [outcome, came] = await Promise.allSettled([publish(path, bundleOf(`${i}`)), coming]);
      const texts = await Promise.all(
        (await namesIn(folder)).filter((name) => name !== "precious")
          .map((name) => Deno.readTextFile(join(folder, name))),
      );
      const isThere = came.status === "fulfilled" && came.value;
      assertEquals(outcome.status, isThere ? "rejected" : "fulfilled");
      assertEquals(texts.includes("thesis"), isThere, "the file is gone");
      if (isThere) refused++;
      for (const name of await namesIn(folder)) await Deno.remove(join(folder, name));
    }
    assert(refused > 0, "the file came too late each time");
  }));

Deno.test("removing a stale bundle is silent when there is none", () =>
  inFolder((folder) => removeStaleFile(join(folder, "none.json"), signal)));

Deno.test("what the system says is told in our own words", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "");
    const says: readonly (readonly [string, string])[] = [
      [join(folder, "file", "offer.json"), `${join(folder, "file")} is not a folder`],
      [join(folder, "x".repeat(300)), "the name or path is too long"],
      [join(folder, "no\0name"), "cannot write the offer at"],
    ];
    for (const [path, words] of says) {
      const error = await assertRejects(() => publish(path, bundleOf("x")), SignalError, words);
      assert(!/os error|--allow|unexpected NUL/.test(error.message), error.message);
    }
  }));

Deno.test("work that is given up ends at once, with its reason", async () => {
  const reason = new SignalError("SIGNAL_FILE", "time is up");
  const error = await assertRejects(() => removeStaleFile("/tmp/none", AbortSignal.abort(reason)));
  assertEquals(error, reason);
});
