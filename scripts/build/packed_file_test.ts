/**
 * The file that unpacks itself, with a shell script in place of the runtime that tells how it was
 * started.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { unzipSync } from "fflate";
import { archiveTime } from "./archive.ts";
import { selfExtractingFile, zipFile } from "./packed_file.ts";
import type { Download } from "./programs.ts";
import { hostTarget, TARGETS } from "./targets.ts";

const DOWNLOAD: Pick<Download, "name" | "launcherFlags"> = {
  name: "bolt-daemon",
  launcherFlags: {
    oneShot: ["--no-prompt", "--allow-net", "--allow-read", "--v8-flags=--a=4,--b=50"],
    serve: ["--no-prompt", "--allow-net"],
    ctl: ["--no-prompt", "--allow-env=A,B"],
  },
};
const SEALED = "--no-remote --no-npm --no-config --no-lock --no-code-cache";
const FLAGS = `${SEALED} --no-prompt --allow-net --allow-read --v8-flags=--a=4,--b=50`;
const MTIME = archiveTime("0");
const ON_WINDOWS = Deno.build.os === "windows";

/** Tells its arguments, environment and umask, then does what the first of the user's says. */
const RUNTIME = `#!/bin/sh
if [ "$1" = --version ]; then exit 0; fi
for arg in "$@"; do printf '<%s>' "$arg"; done
printf '\\n%s %s %s %s\\n' "$DENO_NO_UPDATE_CHECK" "$MALLOC_ARENA_MAX" "$DENO_DIR" "$(umask)"
while [ "$1" != do ]; do shift; done
case $2 in
  exit) exit "$3" ;;
  cat) exec cat ;;
  wait) trap 'echo terminated; exit 9' TERM; echo waiting; read -r _ ;;
esac
`;

/** A folder with a packed file, and what it is started with. */
class Packed implements AsyncDisposable {
  /** Whom it is started as. @default {the user of the tests} */
  user: number | undefined;

  private constructor(readonly folder: string) {}

  static async make(runtime = RUNTIME): Promise<Packed> {
    const packed = new Packed(await Deno.makeTempDir());
    const utf8 = new TextEncoder();
    const target = TARGETS[0] ?? hostTarget();
    const bytes = await selfExtractingFile({ download: DOWNLOAD, target, version: "1.2.3" }, [
      { path: "deno", content: utf8.encode(runtime), executable: true },
      { path: "main.js", content: utf8.encode("main") },
      { path: "LICENSE", content: utf8.encode("license") },
    ], MTIME);
    await Deno.writeFile(packed.file, bytes, { mode: 0o755 });
    return packed;
  }

  get file(): string {
    return `${this.folder}/packed file`;
  }

  get cache(): string {
    return `${this.folder}/cache`;
  }

  start(args: readonly string[], env: Record<string, string> = {}): Deno.ChildProcess {
    return new Deno.Command(this.file, {
      ...(this.user === undefined ? {} : { uid: this.user, gid: this.user }),
      args: [...args],
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH") ?? "", XDG_CACHE_HOME: this.cache, ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** Starts it with a tar of the test's, whose descriptor 3 is our stdin. */
  async startWithTar(tar: string, args = ""): Promise<Deno.ChildProcess> {
    const bin = `${this.folder}/bin`;
    await Deno.mkdir(bin);
    await Deno.writeTextFile(`${bin}/tar`, `#!/bin/sh\n${tar}\n`, { mode: 0o755 });
    return new Deno.Command("/bin/sh", {
      // The launcher gives its tar another stdin.
      args: ["-c", `exec "$0" do ${args} 3<&0`, this.file],
      clearEnv: true,
      env: { PATH: `${bin}:${Deno.env.get("PATH")}`, XDG_CACHE_HOME: this.cache },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async run(args: readonly string[], env: Record<string, string> = {}) {
    const child = this.start(args, env);
    await child.stdin.close();
    const { code, stdout, stderr } = await child.output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: withoutNotice(text.decode(stderr)) };
  }

  /** The folder of the cache that it is unpacked into. */
  async unpacked(): Promise<string> {
    const [folder] = await Array.fromAsync(Deno.readDir(`${this.cache}/bolt-daemon`));
    return `${this.cache}/bolt-daemon/${folder?.name}`;
  }

  /** Every path below the cache, sorted, the digest as `#`. */
  async cached(): Promise<string[]> {
    const walk = async (folder: string): Promise<string[]> => {
      const found = await Array.fromAsync(
        Deno.readDir(folder),
        ({ name, isDirectory }) => isDirectory ? walk(`${folder}/${name}`) : [`${folder}/${name}`],
      );
      return found.flat();
    };
    return (await walk(this.cache))
      .map((path) => path.slice(this.cache.length + 1).replace(/[0-9a-f]{64}/, "#")).toSorted();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.folder, { recursive: true });
  }
}

/** On a busy machine any first start may take long enough to say that it unpacks. */
function withoutNotice(stderr: string): string {
  return stderr.replace(/^\[bolt-daemon\] unpacking into .*\n/, "");
}

const WHOLE = [
  "bolt-daemon/#/.verified",
  ...["LICENSE", "deno", "main.js"].map((name) => `bolt-daemon/#/${name}`),
];

function test(name: string, body: () => Promise<void>): void {
  Deno.test({ name, ignore: ON_WINDOWS, fn: body });
}

test("the runtime is started sealed, with the program's flags and the user's arguments as they were", async () => {
  await using packed = await Packed.make();
  const args = ["do", "exit", "0", "", "a b", "'\"$HOME`x`\\", "*", "-n", "--", "ü\n"];
  const { stdout } = await packed.run(args);
  const folder = await packed.unpacked();
  const words = ["run", ...FLAGS.split(" "), `${folder}/main.js`, ...args].map((word) =>
    `<${word}>`
  );
  assertStringIncludes(stdout, `${words.join("")}\n1 1 ${folder}/.deno `);
});

/** The words of a start but the last, which the stand-in for the runtime takes for itself. */
async function startedWith(packed: Packed, args: readonly string[]): Promise<string[]> {
  const { stdout, stderr } = await packed.run([...args, "do"]);
  assertEquals(stderr, "");
  const [words = ""] = stdout.split("\n");
  return [...words.matchAll(/<([^>]*)>/g)].map(([, word]) => word ?? "").slice(0, -1);
}

test("`ctl`, or boltctl as its name, starts boltctl, with its own flags", async () => {
  await using packed = await Packed.make();
  const ctl = [...SEALED.split(" "), "--no-prompt", "--allow-env=A,B"];
  const started = await startedWith(packed, ["ctl", "status", "--json"]);
  const main = `${await packed.unpacked()}/main.js`;
  assertEquals(started, ["run", ...ctl, main, "ctl", "status", "--json"]);
  for (const name of ["boltctl", "boltctl-linux-x64"]) {
    const link = `${packed.folder}/${name}`;
    await Deno.symlink(packed.file, link);
    const { stdout } = await new Deno.Command(link, {
      args: ["status", "do"],
      env: { XDG_CACHE_HOME: packed.cache },
    }).output();
    const words = ["run", ...ctl, main, "ctl", "status", "do"].map((word) => `<${word}>`);
    assertStringIncludes(new TextDecoder().decode(stdout), `${words.join("")}\n`);
  }
});

test("`serve` may read everything, and writes into its own folders only", async () => {
  await using packed = await Packed.make();
  const serve = [...SEALED.split(" "), "--no-prompt", "--allow-net"];
  const cases: [args: string[], write: string][] = [
    [["--data-dir", "/d"], "/d"],
    [["--data-dir=/d", "--inbox", "in here"], "/d,in here"],
    [["--inbox=/a=b", "--log-format", "json", "--data-dir", "/d,e"], "/a=b,/d,,e"],
    [["--socket-path", "/run/bolt/api.sock", "--data-dir", "d"], "/run/bolt/,d"],
    [["--data-dir", "d", "--socket-path=api.sock"], "d,."],
    [["--data-dir", "/d", "--allow-signal-in", "/s", "--allow-signal-in=/t,"], "/d,/s,/t,,"],
    [["--device-name", "--data-dir", "/d", "--links", "/l"], ""],
  ];
  for (const [args, write] of cases) {
    const started = await startedWith(packed, ["serve", ...args]);
    const main = `${await packed.unpacked()}/main.js`;
    const paths = ["--allow-read", ...(write === "" ? [] : [`--allow-write=${write}`])];
    assertEquals(started, ["run", ...serve, ...paths, main, "serve", ...args]);
  }
});

test("with --allow-send-from `serve` reads its own folders and those, and nothing else", async () => {
  await using packed = await Packed.make();
  const args = ["--data-dir", "/d", "--allow-send-from", "/out", "--links=/etc/links.json"];
  const started = await startedWith(packed, ["serve", ...args, "--allow-send-from=/more"]);
  const read = started.filter((word) => word.startsWith("--allow-read"));
  const unpacked = await packed.unpacked();
  assertEquals(read, [`--allow-read=${unpacked},/d,/out,/etc/links.json,/more`]);
  assert(started.includes("--allow-write=/d"), started.join(" "));
});

test("whoever waits for a second while it unpacks is told what for", async () => {
  await using packed = await Packed.make();
  // A tar that goes on when its reader has heard of it.
  const tar = 'read -r _ <&3\nPATH=${PATH#*:} exec tar "$@"';
  const shell = await packed.startWithTar(tar, "exit 4");
  const stderr = shell.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await stderr.read();
  const writer = shell.stdin.getWriter();
  await writer.write(new TextEncoder().encode("go on\n"));
  await writer.close();
  assertEquals((await stderr.read()).done, true);
  await shell.stdout.cancel();
  assertEquals((await shell.status).code, 4);
  const folder = await packed.unpacked();
  assertEquals(value, `[bolt-daemon] unpacking into ${folder}, once for this version\n`);
});

test("exit codes pass through, on the first start and on later ones", async () => {
  await using packed = await Packed.make();
  for (const code of [0, 1, 42, 0]) {
    assertEquals((await packed.run(["do", "exit", String(code)])).code, code);
  }
  assertEquals(await packed.cached(), WHOLE);
});

test("standard streams pass through", async () => {
  await using packed = await Packed.make();
  const child = packed.start(["do", "cat"]);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("to stdin"));
  await writer.close();
  const { stdout, stderr } = await child.output();
  assert(new TextDecoder().decode(stdout).endsWith("\nto stdin"));
  assertEquals(stderr.length, 0);
});

test("a signal reaches the program, which is the process that was started", async () => {
  await using packed = await Packed.make();
  const child = packed.start(["do", "wait"]);
  const output = child.stdout.pipeThrough(new TextDecoderStream());
  let said = "";
  for await (const text of output) {
    said += text;
    if (text.includes("waiting\n")) child.kill("SIGTERM");
  }
  await child.stdin.close();
  await child.stderr.cancel();
  assert(said.endsWith("waiting\nterminated\n"), said);
  assertEquals((await child.status).code, 9);
});

test("unpacking leaves the umask of the program alone and the folder to its owner", async () => {
  await using packed = await Packed.make();
  const [first, second] = [await packed.run(["do"]), await packed.run(["do"])];
  assertEquals(parseInt(first.stdout.trim().split(" ").at(-1) ?? "", 8), Deno.umask());
  assertEquals(first, second);
  for (const path of [`${packed.cache}/bolt-daemon`, `${await packed.unpacked()}/.deno`]) {
    assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
  }
});

test("many first starts at once all succeed and leave one whole copy", async () => {
  await using packed = await Packed.make();
  const runs = Array.from({ length: 24 }, (_, i) => packed.run(["do", "exit", String(i)]));
  const codes = (await Promise.all(runs)).map(({ code, stderr }) => `${code}${stderr}`);
  assertEquals(codes, Array.from({ length: 24 }, (_, i) => String(i)));
  assertEquals(await packed.cached(), WHOLE);
});

test("a copy that lost a file is made whole again", async () => {
  await using packed = await Packed.make();
  await packed.run(["do"]);
  for (const file of ["deno", "main.js", "LICENSE"]) {
    await Deno.remove(`${await packed.unpacked()}/${file}`);
    assertEquals((await packed.run(["do", "exit", "5"])).code, 5);
    assertEquals(await packed.cached(), WHOLE);
  }
});

test("without XDG_CACHE_HOME the cache is in HOME; a relative path is not a place", async () => {
  await using packed = await Packed.make();
  const env = { XDG_CACHE_HOME: "relative", HOME: `${packed.folder}/home` };
  assertEquals((await packed.run(["do", "exit", "3"], env)).code, 3);
  assert((await Deno.stat(`${packed.folder}/home/.cache/bolt-daemon`)).isDirectory);
});

test("without HOME and XDG_CACHE_HOME it is a fatal error that says what to set", async () => {
  await using packed = await Packed.make();
  for (const env of [{ XDG_CACHE_HOME: "" }, { XDG_CACHE_HOME: "", HOME: "relative" }]) {
    assertEquals(await packed.run(["do"], env), {
      code: 1,
      stdout: "",
      stderr: "[bolt-daemon] FATAL: no folder to unpack into: " +
        "set HOME or XDG_CACHE_HOME to an absolute path\n",
    });
  }
});

async function assertCantWrite(packed: Packed, cache: string): Promise<void> {
  const { code, stdout, stderr } = await packed.run(["do"], { XDG_CACHE_HOME: cache });
  assertEquals([code, stdout], [1, ""]);
  assertMatch(
    stderr,
    /^\[bolt-daemon\] FATAL: can't write to \S+: make it writable, or set XDG_CACHE_HOME .*\n$/,
  );
}

test("a cache that can't be made is a fatal error", async () => {
  await using packed = await Packed.make();
  await Deno.writeTextFile(packed.cache, "a file");
  await assertCantWrite(packed, packed.cache);
});

test("a read-only cache is a fatal error, and none once the program is unpacked there", async () => {
  await using packed = await Packed.make();
  await Deno.mkdir(packed.cache);
  if (Deno.uid() === 0) {
    // Nothing is read-only to root: somebody else starts it.
    packed.user = 65534;
    await Deno.chmod(packed.folder, 0o755);
    await Deno.chown(packed.cache, packed.user, packed.user);
  }
  await Deno.chmod(packed.cache, 0o500);
  await assertCantWrite(packed, packed.cache);
  await Deno.chmod(packed.cache, 0o700);
  assertEquals((await packed.run(["do", "exit", "6"])).code, 6);
  await Deno.chmod(packed.cache, 0o500);
  assertEquals((await packed.run(["do", "exit", "7"])).code, 7);
  await Deno.chmod(packed.cache, 0o700);
});

test("a file that was cut short is a fatal error, and nothing of it is kept", async () => {
  await using packed = await Packed.make();
  const { size } = await Deno.stat(packed.file);
  await Deno.truncate(packed.file, size - 100);
  const { code, stderr } = await packed.run(["do"]);
  assertEquals(code, 1);
  assertMatch(stderr, /\[bolt-daemon\] FATAL: can't unpack into \S+: .* this file is damaged\n$/);
  assertEquals(await packed.cached(), []);
});

test("a runtime that this machine can't run is a fatal error, and nothing of it is kept", async () => {
  await using packed = await Packed.make("\x7fELF of another machine");
  const { code, stderr } = await packed.run(["do"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^\[bolt-daemon\] FATAL: can't run programs from \S+: takes a linux-x64 mac/);
  assertEquals(await packed.cached(), []);
});

test("a signal while it unpacks ends it with a fatal error, and nothing is kept", async () => {
  await using packed = await Packed.make();
  // A tar that says that it runs, and ends when its stdin does.
  const shell = await packed.startWithTar("echo started\nexec 0<&3; read -r _");
  const output = shell.stdout.getReader();
  await output.read();
  shell.kill("SIGTERM");
  await shell.stdin.close();
  while (!(await output.read()).done);
  const { code } = await shell.status;
  const stderr = withoutNotice(await new Response(shell.stderr).text());
  assertEquals([code, stderr], [1, "[bolt-daemon] FATAL: interrupted while unpacking\n"]);
  assertEquals(await packed.cached(), []);
});

/** Starts it; it must refuse, with this in its sentence, and run nothing. */
async function assertRefused(packed: Packed, sentence: string, env = {}): Promise<void> {
  const { code, stdout, stderr } = await packed.run(["do"], env);
  assertEquals([code, stdout], [1, ""], stderr);
  assertMatch(stderr, /^\[bolt-daemon\] FATAL: [^\n]+\n$/);
  assertStringIncludes(stderr, sentence);
}

const AS_ROOT = Deno.uid() === 0;
const NOBODY = 65534;

Deno.test({
  name: "what another user made is refused: a folder above, the folder itself, a file in it",
  ignore: !AS_ROOT,
  fn: async () => {
    for (
      const place of ["cache", "cache/bolt-daemon", "unpacked", "main.js", "deno", ".verified"]
    ) {
      await using packed = await Packed.make();
      await packed.run(["do"]);
      const unpacked = await packed.unpacked();
      const path = place === "unpacked"
        ? unpacked
        : place.startsWith("cache")
        ? `${packed.folder}/${place}`
        : `${unpacked}/${place}`;
      await Deno.chown(path, NOBODY, NOBODY);
      const isFile = path.startsWith(`${unpacked}/`);
      await assertRefused(
        packed,
        isFile
          ? `${path} is not what was unpacked there`
          : `${path} belongs to another user, or others may write to it`,
      );
    }
  },
});

Deno.test({
  name: "root's folders and files are as good as ours, also where we can't write",
  ignore: !AS_ROOT,
  fn: async () => {
    await using packed = await Packed.make();
    assertEquals((await packed.run(["do", "exit", "3"])).code, 3);
    const unpacked = await packed.unpacked();
    for (const path of [packed.folder, packed.cache, `${packed.cache}/bolt-daemon`, unpacked]) {
      await Deno.chmod(path, 0o755);
    }
    packed.user = NOBODY;
    assertEquals((await packed.run(["do", "exit", "4"])).code, 4);
  },
});

Deno.test({
  name:
    "the link that another user put in the place of a folder is refused, though it leads to ours",
  ignore: !AS_ROOT,
  fn: async () => {
    await using packed = await Packed.make();
    await Deno.mkdir(`${packed.folder}/ours`);
    await Deno.symlink(`${packed.folder}/ours`, packed.cache);
    assertEquals((await packed.run(["do", "exit", "5"])).code, 5); // our own link
    await new Deno.Command("chown", { args: ["-h", String(NOBODY), packed.cache] }).output();
    await assertRefused(packed, `${packed.cache} belongs to another user, or`);
  },
});

test("a folder that others may write to is refused, at any place above; but for a sticky one, as /tmp is", async () => {
  for (const mode of [0o770, 0o707]) {
    for (const place of ["cache", "bolt-daemon", "unpacked"] as const) {
      await using packed = await Packed.make();
      await packed.run(["do"]);
      const unpacked = await packed.unpacked();
      const path = {
        cache: packed.cache,
        "bolt-daemon": `${packed.cache}/bolt-daemon`,
        unpacked,
      }[place];
      await Deno.chmod(path, mode);
      await assertRefused(packed, `${path} belongs to another user, or others may write to it`);
      await Deno.chmod(path, mode | 0o1000);
      if (place === "cache") assertEquals((await packed.run(["do", "exit", "2"])).code, 2);
      else {await assertRefused(
          packed,
          `${path} belongs to another user, or others may write to it`,
        );}
    }
  }
});

test("a folder that others may write to is refused before anything is unpacked into it", async () => {
  await using packed = await Packed.make();
  await Deno.mkdir(packed.cache);
  await Deno.chmod(packed.cache, 0o777);
  await assertRefused(packed, `${packed.cache} belongs to another user, or others may write to it`);
  assertEquals(await packed.cached(), []);
});

test("a file that others may write to, or that is a link, is refused", async () => {
  for (const spoil of ["writable", "link"]) {
    for (const file of ["main.js", "deno"]) {
      await using packed = await Packed.make();
      await packed.run(["do"]);
      const path = `${await packed.unpacked()}/${file}`;
      if (spoil === "writable") await Deno.chmod(path, 0o775);
      else {
        await Deno.rename(path, `${packed.folder}/${file}`);
        await Deno.symlink(`${packed.folder}/${file}`, path);
      }
      await assertRefused(packed, `${path} is not what was unpacked there`);
    }
  }
});

test("a program that was changed is refused, whatever its size and time say", async () => {
  await using packed = await Packed.make();
  await packed.run(["do"]);
  const folder = await packed.unpacked();
  await Deno.writeTextFile(`${folder}/main.js`, "niam");
  await Deno.utime(`${folder}/main.js`, MTIME, MTIME);
  await assertRefused(packed, `the program in ${folder} is not what was unpacked there`);
  await Deno.remove(folder, { recursive: true }); // as the sentence says
  assertEquals((await packed.run(["do", "exit", "3"])).code, 3);
});

test("a runtime that was swapped or changed is refused; one that was only copied is not", async () => {
  await using packed = await Packed.make();
  await packed.run(["do"]);
  const path = `${await packed.unpacked()}/deno`;
  const other = RUNTIME.replace("terminated", "eliminated").replace("waiting\n", "waiting");
  await Deno.copyFile(path, `${packed.folder}/kept`);

  await Deno.writeTextFile(`${packed.folder}/other`, other, { mode: 0o755 });
  await Deno.utime(`${packed.folder}/other`, MTIME, MTIME);
  await Deno.rename(`${packed.folder}/other`, path);
  await assertRefused(packed, `${path} is not what was unpacked there`);

  await Deno.copyFile(`${packed.folder}/kept`, path);
  await Deno.utime(path, MTIME, MTIME);
  assertEquals((await packed.run(["do", "exit", "4"])).code, 4);
  await Deno.writeTextFile(path, other.padEnd(RUNTIME.length, "#").slice(0, RUNTIME.length));
  await assertRefused(packed, `${path} is not what was unpacked there`);
});

test("a runtime that was changed right after it was checked, in its place and with its time put back, is refused", async () => {
  await using packed = await Packed.make();
  assertEquals((await packed.run(["do", "exit", "4"])).code, 4);
  const path = `${await packed.unpacked()}/deno`;
  await Deno.writeTextFile(path, RUNTIME.replace("terminated", "eliminated"));
  await Deno.utime(path, MTIME, MTIME);
  await assertRefused(packed, `${path} is not what was unpacked there`);
});

/** A folder of programs in place of PATH: what the launcher takes, and those named. */
async function programs(packed: Packed, more: readonly string[]): Promise<string> {
  const bin = `${packed.folder}/bin-${crypto.randomUUID()}`;
  await Deno.mkdir(bin);
  const all = [
    "sh",
    "id",
    "find",
    "mkdir",
    "mktemp",
    "tail",
    "tar",
    "cat",
    "gzip",
    "ls",
    "mv",
    "rm",
  ];
  for (const name of [...all, ...more]) {
    const { stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${name}`] })
      .output();
    await Deno.symlink(new TextDecoder().decode(stdout).trim(), `${bin}/${name}`);
  }
  return bin;
}

test("the runtime is digested at the first start, the program at every one", async () => {
  await using packed = await Packed.make();
  const bin = await programs(packed, []);
  const log = `${packed.folder}/digested`;
  const script = `#!/bin/sh\necho "$*" >>${log}\nPATH=${
    Deno.env.get("PATH")
  } exec sha256sum "$@"\n`;
  await Deno.writeTextFile(`${bin}/sha256sum`, script, { mode: 0o755 });
  for (const code of [1, 2, 3]) {
    assertEquals((await packed.run(["do", "exit", `${code}`], { PATH: bin })).code, code);
  }
  const program = "main.js LICENSE";
  assertEquals(await Deno.readTextFile(log), [program, "deno", program, program, ""].join("\n"));
});

test("any of sha256sum, shasum and openssl will do; without one of them it is a fatal error", async () => {
  await using packed = await Packed.make();
  const shell = (name: string) => new Deno.Command("sh", { args: ["-c", `command -v ${name}`] });
  for (const tool of ["sha256sum", "shasum", "openssl"]) {
    if (!(await shell(tool).output()).success) continue;
    const PATH = await programs(packed, tool === "shasum" ? [tool, "perl"] : [tool]);
    assertEquals((await packed.run(["do", "exit", "6"], { PATH })).code, 6, tool);
  }
  await assertRefused(packed, "install sha256sum, shasum or openssl", {
    PATH: await programs(packed, []),
  });
});

Deno.test("the zip for Windows has batch files that start the runtime beside them", async () => {
  const target = TARGETS.find(({ name }) => name === "windows-x64") ?? hostTarget();
  const content = new TextEncoder().encode("x");
  const files = unzipSync(
    await zipFile({ download: DOWNLOAD, target, version: "1.2.3" }, [
      { path: "deno.exe", content },
      { path: "main.js", content },
    ], MTIME),
  );
  assertEquals(Object.keys(files), [
    "bolt-daemon/bolt-daemon.cmd",
    "bolt-daemon/boltctl.cmd",
    "bolt-daemon/runtime/deno.exe",
    "bolt-daemon/runtime/main.js",
  ]);
  const batch = new TextDecoder().decode(files["bolt-daemon/bolt-daemon.cmd"]);
  assertStringIncludes(
    batch,
    `"%~dp0runtime\\deno.exe" run ${FLAGS} "%~dp0runtime\\main.js" %*\r\n`,
  );
  assertStringIncludes(
    batch,
    `:ctl\r\n"%~dp0runtime\\deno.exe" run ${SEALED} --no-prompt --allow-env=A,B `,
  );
  assertEquals(batch.split("\n").filter((line) => line !== "" && !line.endsWith("\r")), []);
  assertEquals(
    new TextDecoder().decode(files["bolt-daemon/boltctl.cmd"]),
    '@"%~dp0bolt-daemon.cmd" ctl %*\r\n',
  );
});
