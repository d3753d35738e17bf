import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describeOwner } from "../client/client.ts";
import { EventHub } from "./event_hub.ts";
import { MetricsRegistry } from "./metrics.ts";
import { IpcError } from "../api/problem.ts";
import { LocalApi } from "./server.ts";
import { claimSocket } from "./socket.ts";
import { FakeDaemon, listenIn, ServedFake } from "../testing/served_fake.ts";
import { logFor } from "../../log/log.ts";

/** Windows has no modes and, for most users, no links, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const claim = (path: string, os?: typeof Deno.build.os) =>
  claimSocket(path, { describeOwner, ...(os === undefined ? {} : { os }) });

const exists = async (path: string) => {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
};

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("the socket is 0600 in a folder of 0700, and is gone after the end", async () => {
  await withFolder(async (root) => {
    const folder = `${root}/a/b`;
    await using api = await LocalApi.listen({
      at: listenIn(folder, "unix"),
      operations: new FakeDaemon(),
      events: new EventHub(),
      metrics: new MetricsRegistry(),
      log: logFor("ipc"),
      version: "1",
    });
    assertEquals(((await Deno.lstat(folder)).mode ?? 0) & 0o777, 0o700);
    const socketPath = `${folder}/bolt.sock`;
    assertEquals(((await Deno.lstat(socketPath)).mode ?? 0) & 0o777, 0o600);
    await api.close();
    assertEquals(await exists(socketPath), false);
  });
});

test("a folder open to others is refused with the command that closes it, never changed", async () => {
  await withFolder(async (folder) => {
    await Deno.chmod(folder, 0o755);
    const error = await assertRejects(() => claim(`${folder}/bolt.sock`), IpcError);
    assertEquals(error.code, "SOCKET_FOLDER");
    assertStringIncludes(error.message, `chmod 700 ${folder}`);
    assertEquals(((await Deno.lstat(folder)).mode ?? 0) & 0o777, 0o755);
    await Deno.chmod(folder, 0o700);
    await Deno.symlink(folder, `${folder}/link`);
    const link = await assertRejects(() => claim(`${folder}/link/bolt.sock`), IpcError);
    assertEquals(link.code, "SOCKET_FOLDER");
  });
});

test("a live socket is refused, saying which daemon serves there; it goes on serving", async () => {
  await using served = await ServedFake.start();
  // The lock is another's on purpose: what is shown here is the probe.
  await Deno.remove(`${served.socketPath}.lock`);
  const error = await assertRejects(() => claim(served.socketPath), IpcError);
  assertEquals(error.code, "SOCKET_IN_USE");
  assertStringIncludes(error.message, "bolt-daemon 1.2.3 (process 1, data folder /data)");
  assertEquals(
    await describeOwner(served.socketPath),
    "bolt-daemon 1.2.3 (process 1, data folder /data)",
  );
});

test("a second daemon at the same path is refused even while the first is still starting", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bolt.sock`;
    {
      await using _first = await claim(path);
      const error = await assertRejects(() => claim(path), IpcError);
      assertEquals(error.code, "SOCKET_IN_USE");
      assertStringIncludes(error.message, "another bolt-daemon holds");
    }
    await using _third = await claim(path);
  });
});

test("another program that listens there is not removed", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bolt.sock`;
    const listener = Deno.listen({ transport: "unix", path });
    const hangUp = (async () => {
      for await (const conn of listener) conn.close();
    })();
    const error = await assertRejects(() => claim(path), IpcError);
    assertStringIncludes(error.message, "another program listens there");
    assert(await exists(path));
    listener.close();
    await hangUp;
  });
});

test("the socket that a killed daemon left is removed; what is not a socket is not", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bolt.sock`;
    const script = `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} });` +
      `console.log("up"); setInterval(() => {}, 1e6);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", script],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    assert(await exists(path), "a killed program leaves its socket");
    {
      await using _claim = await claim(path);
      assertEquals(await exists(path), false);
    }
    await Deno.writeTextFile(path, "precious");
    const error = await assertRejects(() => claim(path), IpcError);
    assertEquals(error.code, "SOCKET_PATH");
    assertEquals(await Deno.readTextFile(path), "precious");
  });
});

test("Windows, relative paths and paths too long for a socket are refused plainly", async () => {
  const windows = await assertRejects(() => claim("C:\\bolt.sock", "windows"), IpcError);
  assertEquals(windows.code, "UNSUPPORTED_PLATFORM");
  assertStringIncludes(windows.message, "--local-api tcp");
  for (const path of ["bolt.sock", "", "/a\0b", `/${"é".repeat(52)}`]) {
    const error = await assertRejects(() => claim(path), IpcError);
    assertEquals(error.code, "SOCKET_PATH", path);
  }
});
