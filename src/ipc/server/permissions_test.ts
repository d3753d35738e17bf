import { assertEquals, assertStringIncludes } from "@std/assert";
import { ApiError, DaemonClient } from "../client/client.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const path = (name: string) => new URL(name, import.meta.url).pathname;
const CONFIG = path("../../../deno.json");

/** A fake daemon as a process of its own, with these permissions and no others. */
async function serve(where: string, permissions: string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--config",
      CONFIG,
      ...permissions,
      path("../testing/main.ts"),
      where,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return { child, said: new TextDecoder().decode(value) };
}

test("the API works with nothing but its folder and its socket permitted", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const socketPath = `${folder}/bolt.sock`;
    const { child, said } = await serve(socketPath, [
      `--allow-read=${folder}`,
      `--allow-write=${folder}`,
      `--allow-net=unix:${socketPath}`,
    ]);
    assertEquals(said, "up\n");
    const client = new DaemonClient({ kind: "unix", path: socketPath });
    assertEquals((await client.status()).version, "1.2.3");
    const failed = await client.getSession("none").catch((error: unknown) => error);
    assertEquals(failed instanceof ApiError && failed.code, "SESSION_NOT_FOUND");
    await client.shutdown();
    await child.stdin.close();
    const { code, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assertEquals(left, ["bolt.sock.lock"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("over TCP the API works with nothing but the loopback address permitted", async () => {
  const { child, said } = await serve("tcp", ["--allow-net=127.0.0.1"]);
  const [up, port, token = ""] = said.trim().split(" ");
  assertEquals(up, "up");
  const client = new DaemonClient({ kind: "tcp", port: Number(port), token });
  assertEquals((await client.status()).version, "1.2.3");
  await client.shutdown();
  await child.stdin.close();
  const { code, stderr } = await child.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
});

Deno.test("over TCP without that permission, serving ends with what is missing", async () => {
  for (const permissions of [[], ["--allow-net=127.0.0.2"]]) {
    const { child, said: told } = await serve("tcp", permissions);
    assertEquals(told, "");
    await child.stdin.close();
    const { code, stderr } = await child.output();
    assertEquals(code, 1);
    const said = new TextDecoder().decode(stderr);
    assertStringIncludes(said, "Can't listen at 127.0.0.1: this program has no right to");
    assertStringIncludes(said, "start it with --allow-net=127.0.0.1");
  }
});

test("without the permission for the socket, serving ends with what is missing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { child, said } = await serve(`${folder}/bolt.sock`, [
      `--allow-read=${folder}`,
      `--allow-write=${folder}`,
    ]);
    assertEquals(said, "");
    await child.stdin.close();
    const { code, stderr } = await child.output();
    assertEquals(code, 1);
    assertStringIncludes(new TextDecoder().decode(stderr), "--allow-net");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("a daemon killed in the middle of a stream leaves a socket that the next one replaces", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const socketPath = `${folder}/bolt.sock`;
    const permissions = ["--allow-read", "--allow-write", "--allow-net"];
    const first = await serve(socketPath, permissions);
    const open = Promise.withResolvers<void>();
    const events = new DaemonClient({ kind: "unix", path: socketPath }).events({
      onOpen: open.resolve,
    });
    const next = events.next();
    await open.promise;
    first.child.kill("SIGKILL");
    await Promise.all([first.child.status, first.child.stdin.close().catch(() => {})]);
    await Promise.all([first.child.stdout.cancel(), first.child.stderr.cancel()]);
    const second = await serve(socketPath, permissions);
    assertEquals((await next).value?.type, "gap", "the client found the new daemon");
    await events.return(undefined as never);
    await second.child.stdin.close();
    assertEquals((await second.child.output()).code, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
