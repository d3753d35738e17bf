import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { encodeApiFile } from "../api/address.ts";
import { ApiEvent } from "../api/events.ts";
import { WaitingFor } from "../api/schemas.ts";
import { OPERATION_CODES, REQUEST_CODES } from "../api/problem.ts";
import { entries } from "./router.ts";
import { OFFER_ID, PEER_IDENTITY, ServedFake } from "../testing/served_fake.ts";

/** Windows has no modes and, for most users, no links, no POSIX shell and no /proc, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const document = await Deno.readTextFile(new URL("../../../docs/IPC.md", import.meta.url));
const curlLines = document.split("\n").filter((line) => line.startsWith("curl "));

const hasCurl = await (async () => {
  try {
    // --json is of curl 7.82.
    const { stdout } = await new Deno.Command("curl", { args: ["--version"] }).output();
    const [, major, minor] = /^curl (\d+)\.(\d+)/.exec(new TextDecoder().decode(stdout)) ?? [];
    return Number(major) > 7 || Number(minor) >= 82;
  } catch {
    return false;
  }
})();

/** Runs a line of the document in a shell; a stream is ended after its first bytes. */
async function run(line: string, socketPath: string): Promise<string> {
  const isStream = line.includes("/v1/events");
  const child = new Deno.Command("sh", {
    args: ["-c", line.replace("curl ", "exec curl --fail-with-body ")],
    env: {
      BOLT_SOCKET: socketPath,
      IDENTITY: PEER_IDENTITY,
      SESSION: "s1",
      PAIRING: "p1",
      TRANSFER: OFFER_ID,
      EVENT: "e-0",
      LINK: "bob%20at%20home",
      RECEIVED: "9f86d081-1",
    },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (isStream) {
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    child.kill("SIGTERM");
    await Promise.all([reader.cancel(), child.stderr.cancel(), child.status]);
    return new TextDecoder().decode(value);
  }
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout);
  assertEquals(code, 0, `${line}\n${said}${new TextDecoder().decode(stderr)}`);
  return said;
}

test({
  name: "every curl line of docs/IPC.md does what it says",
  ignore: !hasCurl,
  fn: async () => {
    for (const line of curlLines) {
      await using served = await ServedFake.start();
      const said = await run(line, served.socketPath);
      const isQuiet = /-X DELETE .*(\/trust$|\/links\/)/.test(line);
      assert(isQuiet ? said === "" : said.length > 0, line);
    }
  },
});

const hasJq = await (async () => {
  try {
    return (await new Deno.Command("jq", { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
})();

test({
  name: "the line of docs/IPC.md for TCP does what it says, and asks no proxy",
  ignore: !hasCurl || !hasJq,
  fn: async () => {
    const line = document.split("\n").find((line) => line.startsWith("jq ")) ?? "";
    await using served = await ServedFake.start({ transport: "tcp" });
    if (served.address.kind !== "tcp") throw new TypeError("It is served over TCP");
    const file = `${served.folder}/api.json`;
    await Deno.writeFile(file, encodeApiFile(served.address), { mode: 0o600 });
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", line],
      env: { BOLT_API: file, http_proxy: "http://127.0.0.1:1", ALL_PROXY: "http://127.0.0.1:1" },
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""], line);
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)).version, "1.2.3");
  },
});

Deno.test("docs/IPC.md has a curl line for every operation", () => {
  const shown = curlLines.map((line) => {
    const path = (/http:\/\/localhost([^\s"?]+)/.exec(line)?.[1] ?? "")
      .replace("$IDENTITY", "{identity}").replace("$SESSION", "{sessionId}")
      .replace("$PAIRING", "{pairingId}").replace("$TRANSFER", "{transferId}")
      .replace("$LINK", "{linkName}");
    const method = /-X (\w+)/.exec(line)?.[1] ?? (line.includes("--json") ? "POST" : "GET");
    return `${method} ${path}`;
  });
  const routes = entries().map(([, { method, path }]) => `${method} ${path}`);
  assertEquals([...new Set(shown)].toSorted(), routes.toSorted());
});

Deno.test("docs/IPC.md lists every event and every error code with its status", () => {
  for (const form of ApiEvent.anyOf) {
    assertStringIncludes(document, `| \`${form.properties.type.const}\``);
  }
  for (const [code, [status]] of Object.entries({ ...OPERATION_CODES, ...REQUEST_CODES })) {
    const row = document.split("\n").find((line) => line.startsWith(`| \`${code}\``)) ?? "";
    assertEquals(row.split("|")[2]?.trim(), String(status), code);
  }
});

Deno.test("docs/IPC.md says what each value of waitingFor means", () => {
  const values: readonly string[] = JSON.parse(JSON.stringify(WaitingFor)).enum;
  assertEquals(values.length, 10);
  for (const value of values) assertStringIncludes(document, `| \`${value}\``);
});
