import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { openStorage } from "../src/storage/storage.ts";
import { namesIn, TemporaryFolder } from "../src/storage/testing/temporary_folder.ts";

const WRITER = new URL("storage_writer.ts", import.meta.url).pathname;

function writer(dir: TemporaryFolder, sys: string, rounds: number): Deno.Command {
  const paths = [dir.at("data"), dir.at("inbox")];
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-lock",
      "--no-prompt",
      "--ignore-env",
      `--allow-read=${paths}`,
      `--allow-write=${paths}`,
      `--allow-sys=${sys}`,
      WRITER,
      ...paths,
      String(rounds),
    ],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

for (
  const [sys, known] of [["networkInterfaces", false], ["networkInterfaces,statfs", true]] as const
) {
  Deno.test(`storage works with read and write on its folders and --allow-sys=${sys} alone`, async () => {
    await using dir = await TemporaryFolder.make();
    const { success, stdout, stderr } = await writer(dir, sys, 2).output();
    assert(success, new TextDecoder().decode(stderr));
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assertEquals(lines[2], `free ${known}`);
    assertEquals(lines.at(-1), "done");
    assertEquals((await namesIn(dir.at("inbox"))).length, 2);
  });
}

Deno.test("a second process on the folder is told which one holds it", async () => {
  await using dir = await TemporaryFolder.make();
  using _held = await openStorage({ dataDir: dir.at("data"), inbox: dir.at("inbox") });
  const { code, stderr } = await writer(dir, "networkInterfaces", 1).output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), `held by process ${Deno.pid}`);
});

/** What a writer has promised before it was killed. */
interface Promised {
  identity: string | undefined;
  readonly pinned: string[];
  readonly finished: string[];
}

/** Takes note of a line that the writer said. */
function note(promised: Promised, line: string): void {
  const [what, value = ""] = line.split(" ");
  if (what === "identity") {
    assertEquals(value, promised.identity ?? value, "SIGKILL loses no identity");
    promised.identity = value;
  }
  if (what === "pinned") promised.pinned.push(value);
  if (what === "finished") promised.finished.push(value);
}

/** Runs a writer and kills it so many milliseconds after its line number `lines`. */
async function runAndKill(
  dir: TemporaryFolder,
  promised: Promised,
  lines: number,
  ms: number,
): Promise<void> {
  const child = writer(dir, "networkInterfaces,statfs", 1000).spawn();
  const errors = child.stderr.text();
  let [rest, count] = ["", 0];
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const whole = (rest + text).split("\n");
      rest = whole.pop() ?? "";
      for (const line of whole) {
        note(promised, line);
        if (++count === lines) timer = setTimeout(() => child.kill("SIGKILL"), ms);
      }
    }
    const { signal } = await child.status;
    assertEquals([signal, await errors], ["SIGKILL", ""]);
  } finally {
    clearTimeout(timer);
    await child[Symbol.asyncDispose]();
  }
}

async function checkAfterKill(dir: TemporaryFolder, promised: Promised): Promise<void> {
  using storage = await openStorage({ dataDir: dir.at("data"), inbox: dir.at("inbox") });
  const identity = storage.identity.publicKey.hex;
  assertEquals(identity, promised.identity ?? identity, "SIGKILL loses no identity");
  promised.identity = identity;
  for (const pinned of promised.pinned) {
    assertEquals(storage.trust.decisionFor(pinned), "allow_always", "SIGKILL loses no pin");
  }
  const names = await namesIn(storage.inbox.path);
  for (const name of names) {
    const content = await Deno.readFile(storage.inbox.pathOf(name));
    const hash = createHash("sha256").update(content).digest("hex");
    assertEquals(name, `${hash}.bin`, "no half file under a final name, no part left");
  }
  for (const name of promised.finished) {
    assert(names.includes(name), "SIGKILL loses no finished file");
  }
}

Deno.test('"SIGKILL at any instant loses no identity, no pin, and no finished file"', async () => {
  // KILL_ROUNDS=500 deno test ... for the long form.
  const rounds = Number(Deno.env.get("KILL_ROUNDS") ?? "25");
  let finished = 0;
  for (let round = 0; round < rounds;) {
    await using dir = await TemporaryFolder.make();
    const promised: Promised = { identity: undefined, pinned: [], finished: [] };
    // The first kill of each folder comes while it is made, the others anywhere.
    for (let kill = 0; kill < 5 && round < rounds; kill++, round++) {
      const lines = kill === 0 ? 1 : 1 + Math.floor(Math.random() * 12);
      await runAndKill(dir, promised, lines, Math.random() * 20);
      await checkAfterKill(dir, promised);
    }
    finished += promised.finished.length;
  }
  assert(finished > 0, "some files were finished before a kill");
});
