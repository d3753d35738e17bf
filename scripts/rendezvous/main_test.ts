import { assertEquals, assertExists, assertMatch, assertStringIncludes } from "@std/assert";

/** Windows has no POSIX signals. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const MAIN = `${import.meta.dirname}/main.ts`;

const start = (...args: string[]): Deno.ChildProcess =>
  new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", MAIN, ...args],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();

test("the program says where it listens, takes clients there, and ends with 0 on SIGTERM", async () => {
  await using server = start("--port", "0", "--behaviour", "replace");
  const lines = server.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes("\n")) {
    const { value } = await lines.read();
    assertExists(value, said);
    said += value;
  }
  assertMatch(said, /^\[rendezvous-server\] listening url=ws:\/\/127\.0\.0\.1:\d+\n$/);
  const response = await fetch(said.trim().replace(/^.*url=ws/, "http"));
  await response.body?.cancel();
  assertEquals(response.status, 200);
  server.kill("SIGTERM");
  while (!(await lines.read()).done);
  assertEquals((await server.status).code, 0);
});

Deno.test("bad arguments end with 1 and say what is wrong", async () => {
  const cases: [string[], string][] = [
    [["--bogus"], "Unknown argument: --bogus"],
    [["--port", "65536"], "--port takes 0 to 65535"],
    [["--port", "-1"], "--port takes 0 to 65535"],
    [["--host", ""], "--host takes an address"],
    [["--behaviour", "kind"], "--behaviour takes strict or replace"],
  ];
  for (const [args, expected] of cases) {
    const { code, stderr } = await start(...args).output();
    assertStringIncludes(new TextDecoder().decode(stderr), expected);
    assertEquals(code, 1);
  }
});
