import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import { REQUEST_KEY_MS } from "../base/timing.ts";
import { type KeyedRequest, MAX_KEPT_REQUESTS, RequestStore } from "./request_store.ts";
import { TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const FILE = "data/requests.json";

/** The n-th request, as it is kept. */
function request(n: number, parts: Partial<KeyedRequest> = {}): KeyedRequest {
  const hex = n.toString(16).padStart(4, "0");
  return {
    ...{ key: hex.repeat(16), body: "ab".repeat(32), seed: "cd".repeat(16), isDone: true, at: n },
    ...parts,
  };
}

test("a request is known over a restart, as it was kept last, and to nobody but the user", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await RequestStore.open(dir.fs, folder);
  await store.put(request(1, { isDone: false }), 1);
  await store.put(request(2), 2);
  await store.put(request(1), 2);
  const again = await RequestStore.open(dir.fs, folder);
  assertEquals([1, 2, 3].map((n) => again.find(request(n).key, 9)), [
    request(1),
    request(2),
    undefined,
  ]);
  assertEquals(((await Deno.stat(dir.at(FILE))).mode ?? 0) & 0o777, 0o600);
});

Deno.test("a key is known for seven days, however a clock was put back, and what is older makes room", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await RequestStore.open(dir.fs, folder);
  assertEquals(REQUEST_KEY_MS, 7 * 24 * 3600 * 1000);
  await store.put(request(5), 5);
  assertEquals(store.find(request(5).key, 4 + REQUEST_KEY_MS), request(5));
  assertEquals(store.find(request(5).key, 0), request(5));
  assertEquals(store.find(request(5).key, 5 + REQUEST_KEY_MS), undefined);
  await store.put(request(6, { at: 5 + REQUEST_KEY_MS }), 5 + REQUEST_KEY_MS);
  assertEquals(JSON.parse(await Deno.readTextFile(dir.at(FILE))).requests.length, 1);
});

test("a full store refuses a new key and takes a change of an old one; nothing is forgotten early", async () => {
  await using dir = await TemporaryFolder.make();
  {
    using _folder = await dir.dataFolder();
  }
  const requests = Array.from({ length: MAX_KEPT_REQUESTS }, (_, n) => request(n));
  await Deno.writeTextFile(dir.at(FILE), JSON.stringify({ version: 1, requests }), { mode: 0o600 });
  using folder = await dir.dataFolder();
  const store = await RequestStore.open(dir.fs, folder);
  const full = await assertRejects(
    () => store.put(request(MAX_KEPT_REQUESTS), MAX_KEPT_REQUESTS),
    StorageError,
  );
  assertEquals(full.code, "STORE_FULL");
  await store.put(request(0, { isDone: false }), 1);
  assertEquals(store.find(request(0).key, 1)?.isDone, false);
  assertEquals(store.find(request(MAX_KEPT_REQUESTS - 1).key, 1)?.isDone, true);
});

Deno.test("a failed write changes nothing", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await RequestStore.open(dir.fs, folder);
  await store.put(request(1), 1);
  await Deno.remove(dir.at(FILE));
  await Deno.mkdir(dir.at(FILE));
  await assertRejects(() => store.put(request(2), 2), StorageError);
  assertEquals([1, 2].map((n) => store.find(request(n).key, 2)?.at), [1, undefined]);
});

test("a file that is no list of requests is refused and left alone", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const one = request(1);
  const { at: _, ...timeless } = one;
  const bad = [
    "",
    "{",
    "[]",
    JSON.stringify({ version: 2, requests: [] }),
    JSON.stringify({ version: 1, requests: [], more: 1 }),
    JSON.stringify({ version: 1, requests: {} }),
    ...[timeless, { ...one, more: 1 }, { ...one, key: "x" }, { ...one, body: 1 }].map((request) =>
      JSON.stringify({ version: 1, requests: [request] })
    ),
    ...[{ ...one, seed: "" }, { ...one, isDone: 1 }, { ...one, at: -1 }, null].map((request) =>
      JSON.stringify({ version: 1, requests: [request] })
    ),
  ];
  for (const text of bad) {
    await Deno.writeTextFile(dir.at(FILE), text, { mode: 0o600 });
    const error = await assertRejects(() => RequestStore.open(dir.fs, folder), StorageError);
    assertEquals(error.code, "REQUESTS_INVALID", text);
    assertStringIncludes(error.message, "move it away");
    assertEquals(await Deno.readTextFile(dir.at(FILE)), text);
  }
});
