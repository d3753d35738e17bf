import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import type { DataFolder } from "./data_folder.ts";
import { denoFileSystem } from "./file_system.ts";
import { FaultyFileSystem } from "./testing/faulty_file_system.ts";
import { namesIn, swapFolder, TemporaryFolder } from "./testing/temporary_folder.ts";
import { type SeenPeer, TrustStore } from "./trust_store.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const ALICE = "a1".repeat(32);
const BOB = "b0".repeat(32);
const EVE = "e5".repeat(32);
const TRUST = "data/pins/trust.json";
const PEERS = "data/pins/peers.json";

const peer = (identity: string, code: string, seenAt = 1): SeenPeer => ({
  identity,
  code,
  deviceName: `device of ${code}`,
  seenAt,
  proven: true,
});

const open = (folder: DataFolder) => TrustStore.open(denoFileSystem, folder);

test('trust file: {"version":1,"peers":{"<64 hex identity key>":"allow_always"}}, 0600', async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await open(folder);
  await trust.allow(peer(ALICE, "ALICE1"));
  await trust.deny(EVE);
  assertEquals(JSON.parse(await Deno.readTextFile(dir.at(TRUST))), {
    version: 1,
    peers: { [ALICE]: "allow_always", [EVE]: "deny_always" },
  });
  for (const path of [TRUST, PEERS]) {
    assertEquals(((await Deno.stat(dir.at(path))).mode ?? 0) & 0o777, 0o600);
  }
});

Deno.test("decisions, codes and auto-accept are there after a restart", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const before = await open(folder);
  await before.allow(peer(ALICE, "ALICE1", 7));
  await before.deny(EVE);
  assertEquals(await before.setAutoAccept(ALICE, {}), true);
  const after = await open(folder);
  assertEquals(after.decisionFor(ALICE), "allow_always");
  assertEquals(after.decisionFor(EVE), "deny_always");
  assertEquals(after.decisionFor(BOB), undefined);
  assertEquals(after.acceptRule(ALICE), {});
  assertEquals(after.checkCode("ALICE1", ALICE), { verdict: "same" });
  assertEquals(after.list(), before.list());
  assertEquals(after.list()[0], {
    identity: ALICE,
    decision: "allow_always",
    codes: ["ALICE1"],
    deviceName: "device of ALICE1",
    seenAt: 7,
    autoAccept: {},
    proven: true,
    byKey: false,
  });
});

Deno.test('"Known peer code with another key: KEY_MISMATCH": the known key is told', async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await open(folder);
  await trust.allow(peer(ALICE, "ALICE1"));
  const verdict = trust.checkCode("ALICE1", EVE);
  assert(verdict.verdict === "mismatch");
  assertEquals(verdict.owner, ALICE);
  assertEquals(trust.checkCode("OTHER", EVE), { verdict: "unknown" });
  const error = await assertRejects(() => trust.allow(peer(EVE, "ALICE1")), StorageError);
  assertEquals(error.code, "NAME_TAKEN");
  assertEquals(trust.decisionFor(EVE), undefined);
});

Deno.test('"re-pair only by explicit approval": replace moves the code and drops the old pin', async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await open(folder);
  await trust.allow(peer(ALICE, "ALICE1"));
  await trust.setAutoAccept(ALICE, {});
  await trust.replace(peer(BOB, "ALICE1"));
  for (const store of [trust, await open(folder)]) {
    assertEquals(store.decisionFor(ALICE), undefined);
    assertEquals(store.acceptRule(ALICE), undefined);
    assertEquals(store.decisionFor(BOB), "allow_always");
    assertEquals(store.checkCode("ALICE1", BOB).verdict, "same");
  }
});

Deno.test("a denied stranger can't take a code from its owner", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await open(folder);
  await trust.deny(EVE);
  assertEquals(trust.checkCode("ALICE1", ALICE), { verdict: "unknown" });
  await trust.seen(peer(EVE, "ALICE1"));
  assertEquals(trust.checkCode("ALICE1", ALICE), { verdict: "unknown" });
});

Deno.test("untrust forgets decision, codes and auto-accept; deny ends them too", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await open(folder);
  for (const identity of [ALICE, BOB]) {
    await trust.allow(peer(identity, `CODE${identity.slice(0, 1)}`));
    await trust.setAutoAccept(identity, {});
  }
  assertEquals(await trust.forget(ALICE), true);
  assertEquals(await trust.forget(ALICE), false);
  await trust.deny(BOB);
  assertEquals(await trust.setAutoAccept(BOB, {}), false);
  for (const store of [trust, await open(folder)]) {
    assertEquals(store.decisionFor(ALICE), undefined);
    assertEquals(store.decisionFor(BOB), "deny_always");
    assertEquals(store.acceptRule(BOB), undefined);
    assertEquals(store.checkCode("CODEa", EVE).verdict, "unknown");
    assertEquals(store.checkCode("CODEb", EVE).verdict, "unknown");
  }
});

Deno.test("pins are bounded: one too many is refused, the known ones go on", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await TrustStore.open(denoFileSystem, folder, { maxPeers: 2 });
  await trust.allow(peer(ALICE, "A"));
  await trust.deny(BOB);
  const error = await assertRejects(() => trust.deny(EVE), StorageError, "untrust");
  assertEquals(error.code, "STORE_FULL");
  await assertRejects(() => trust.allow(peer(EVE, "E")), StorageError);
  await trust.deny(ALICE);
  assertEquals(trust.list().length, 2);
});

Deno.test("codes of one identity are bounded: the oldest are dropped", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await open(folder);
  for (let i = 0; i < 20; i++) await trust.allow(peer(ALICE, `C${i}`, i));
  const codes = (await open(folder)).list()[0]?.codes ?? [];
  assertEquals(codes, Array.from({ length: 8 }, (_, i) => `C${i + 12}`));
});

Deno.test("a device name is kept well-formed and cut", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await (await open(folder)).allow({
    ...peer(ALICE, "A"),
    deviceName: "😀".repeat(200) + "\ud800",
  });
  await (await open(folder)).allow({ ...peer(BOB, "B"), deviceName: "x" + "😀".repeat(200) });
  for (const { deviceName } of (await open(folder)).list()) {
    assertEquals(deviceName.length, 256);
    assert(deviceName.isWellFormed());
  }
});

const HEX = ALICE;
/** The same key of a JSON object, spelled in another way. */
const ESCAPED = `\\u00${HEX.charCodeAt(0).toString(16)}${HEX.slice(1)}`;
const CORRUPT: readonly (readonly [path: string, text: string])[] = [
  ...[
    "",
    "{",
    "[]",
    "null",
    `{"version":2,"peers":{}}`,
    `{"version":"1","peers":{}}`,
    `{"peers":{}}`,
    `{"version":1}`,
    `{"version":1,"peers":[]}`,
    `{"version":1,"peers":{},"extra":1}`,
    `{"version":1,"peers":{"${HEX}":"allow_once"}}`,
    `{"version":1,"peers":{"${HEX}":true}}`,
    `{"version":1,"peers":{"${HEX.toUpperCase()}":"deny_always"}}`,
    `{"version":1,"peers":{"${HEX}0":"deny_always"}}`,
    `{"version":1,"peers":{"${HEX}":"deny_always","${HEX}":"allow_always"}}`,
    `{"version":1,"peers":{"${HEX}":"deny_always","${ESCAPED}":"allow_always"}}`,
    `{"version":1,"peers":{"__proto__":"allow_always"}}`,
    `\ufeff{"version":1,"peers":{}}`,
  ].map((text) => [TRUST, text] as const),
  ...[
    "",
    `{"version":2,"codes":{},"autoAccept":[]}`,
    `{"version":1,"codes":{}}`,
    `{"version":1,"codes":{},"autoAccept":[],"names":{}}`,
    ...[
      `"byKey":{}`,
      `"byKey":["${HEX}x"]`,
      `"names":[]`,
      `"names":{"x":"bob"}`,
      `"names":{"${HEX}":1}`,
      `"names":{"${HEX}":"bob "}`,
      `"names":{"${HEX}":"\\u202ebob"}`,
      `"names":{"${HEX}":"bob","${"b0".repeat(32)}":"BOB"}`,
      `"other":[]`,
    ].map((more) => `{"version":2,"codes":{},"autoAccept":[],"proven":[],${more}}`),
    ...[
      `"rules":{"${HEX}":{}}`,
      `"rules":[]`,
      `"taken":{"${HEX}":{"day":1,"files":1}}`,
    ].map((more) => `{"version":2,"codes":{},"autoAccept":[],"proven":[],${more}}`),
    ...[
      ...[
        `{"maxSize":0}`,
        `{"maxSize":"1"}`,
        `{"maxSize":1.5}`,
        `{"perDay":-1}`,
        `{"minFree":null}`,
      ],
      ...[`{"names":""}`, `{"names":"a/b"}`, `{"names":1}`, `{"other":1}`, "[]", "1"],
    ].map((rule) =>
      `{"version":2,"codes":{},"autoAccept":["${HEX}"],"proven":[],"rules":{"${HEX}":${rule}}}`
    ),
    ...[`{"day":1}`, `{"day":1,"files":-1}`, `{"day":1,"files":1,"x":1}`, "1"].map((count) =>
      `{"version":2,"codes":{},"autoAccept":["${HEX}"],"proven":[],"taken":{"${HEX}":${count}}}`
    ),
    `{"version":1,"codes":{},"autoAccept":["${HEX}"],"rules":{}}`,
    `{"version":1,"codes":{},"autoAccept":["${HEX}x"]}`,
    `{"version":1,"codes":{},"autoAccept":["${HEX}"],"\\u0061utoAccept":[]}`,
    `{"version":1,"codes":{},"autoAccept":{}}`,
    `{"version":1,"codes":{"A-B":{"identity":"${HEX}","deviceName":"","seenAt":0}},"autoAccept":[]}`,
    `{"version":1,"codes":{"A":{"identity":"${HEX}","deviceName":""}},"autoAccept":[]}`,
    `{"version":1,"codes":{"A":{"identity":"x","deviceName":"","seenAt":0}},"autoAccept":[]}`,
    `{"version":1,"codes":{"A":{"identity":"${HEX}","deviceName":"","seenAt":-1}},"autoAccept":[]}`,
  ].map((text) => [PEERS, text] as const),
];

for (const [path, text] of CORRUPT) {
  test(`a corrupt file is refused with advice and left alone: ${path} ${JSON.stringify(text)}`, async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    await Deno.writeTextFile(dir.at(path), text, { mode: 0o600 });
    const error = await assertRejects(() => open(folder), StorageError);
    assertEquals(error.code, path === TRUST ? "TRUST_INVALID" : "PEERS_INVALID");
    assertStringIncludes(error.message, "put back a copy");
    assertEquals(await Deno.readTextFile(dir.at(path)), text);
  });
}

test("a trust file that others can read is refused", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await (await open(folder)).deny(EVE);
  await Deno.chmod(dir.at(TRUST), 0o644);
  const error = await assertRejects(() => open(folder), StorageError, "chmod 600");
  assertEquals(error.code, "MODE_TOO_OPEN");
});

Deno.test("a pin that can't be written is not a pin", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await TrustStore.open(dir.fs, folder);
  dir.fs.inject({ on: "write", action: { fail: "ENOSPC" } });
  const error = await assertRejects(() => trust.deny(EVE), StorageError);
  assertEquals(error.code, "DISK_FULL");
  await assertRejects(() => trust.allow(peer(ALICE, "A")), StorageError);
  assertEquals([trust.decisionFor(EVE), trust.decisionFor(ALICE)], [undefined, undefined]);
  dir.fs.heal();
  await trust.allow(peer(ALICE, "A"));
  assertEquals((await open(folder)).list().length, 1);
});

Deno.test("changes made at once are written one after the other, and waiting ones are bounded", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await TrustStore.open(dir.fs, folder);
  const gate = Promise.withResolvers<void>();
  dir.fs.inject({ on: "sync", times: 1, action: { before: () => gate.promise } });
  const ids = Array.from({ length: 100 }, (_, i) => i.toString(16).padStart(64, "0"));
  const outcomes = Promise.allSettled(ids.map((id) => trust.deny(id)));
  gate.resolve();
  const rejected = (await outcomes).filter(({ status }) => status === "rejected");
  assertEquals(rejected.length, 36);
  assertEquals((await open(folder)).list().length, 64);
});

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call of a pin leaves the old or the new pins, readable`, async () => {
    const seen = new Set<string>();
    for (let skip = 0;; skip++) {
      assertLess(skip, 40);
      await using dir = await TemporaryFolder.make();
      const fs = new FaultyFileSystem(denoFileSystem);
      {
        using folder = await dir.dataFolder();
        await (await open(folder)).allow(peer(ALICE, "A"));
        fs.inject({ skip, action: { crash } });
        const trust = await TrustStore.open(fs, folder).catch(() => undefined);
        await trust?.replace(peer(BOB, "A")).catch(() => {});
      }
      using folder = await dir.dataFolder();
      const trust = await open(folder);
      const state = trust.list().map(({ identity }) => identity.slice(0, 2)).join();
      seen.add(state);
      // Never both, and never the code with the stranger's key while the old pin stands.
      assert(["a1", "", "b0"].includes(state), state);
      if (state === "a1") assertEquals(trust.checkCode("A", BOB).verdict, "mismatch");
      assertEquals(
        (await namesIn(folder.pinsPath)).filter((name) => !/^(trust|peers)\.json$/.test(name)),
        [],
      );
      if (fs.calls.length < skip) break;
    }
    assertEquals([...seen].sort(), ["", "a1", "b0"]);
  });
}

Deno.test("pins whose folder was swapped for another, before or during a write, are not kept: FOLDER_CHANGED", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await TrustStore.open(dir.fs, folder);
  await store.deny(ALICE);
  const swaps: { readonly path: string; readonly during: boolean }[] = [
    { path: folder.pinsPath, during: false },
    { path: folder.path, during: false },
    { path: folder.pinsPath, during: true },
  ];
  for (const { path, during } of swaps) {
    let putBack = () => Promise.resolve();
    const swap = async () => void (putBack = await swapFolder(path));
    if (during) dir.fs.inject({ on: "syncFolder", times: 1, action: { before: swap } });
    else await swap();
    const error = await assertRejects(() => store.deny(BOB), StorageError);
    assertEquals(error.code, "FOLDER_CHANGED");
    assertEquals(store.decisionFor(BOB), undefined);
    await putBack();
  }
  const again = await TrustStore.open(dir.fs, folder);
  assertEquals(again.decisionFor(ALICE), "deny_always");
});

Deno.test("an identity that was proven once stays so over restarts and unproven sessions, until it is forgotten", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await open(folder);
  await store.allow({ ...peer(ALICE, "ALICE1"), proven: false });
  assertEquals(store.wasProven(ALICE), false);
  await store.seen(peer(ALICE, "ALICE1", 2));
  await store.seen({ ...peer(ALICE, "ALICE2", 3), proven: false });
  assertEquals((await open(folder)).wasProven(ALICE), true);
  await store.forget(ALICE);
  assertEquals((await open(folder)).wasProven(ALICE), false);
});

Deno.test("a file of peers from before identities were proven is read, and proves none", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await open(folder);
  await store.allow(peer(ALICE, "ALICE1"));
  const path = `${dir.path}/${PEERS}`;
  const { codes, autoAccept } = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify({ codes, autoAccept, version: 1 }));
  const after = await open(folder);
  assertEquals([after.wasProven(ALICE), after.list()[0]?.codes], [false, ["ALICE1"]]);
});

Deno.test("names and typed keys are there after a restart; a file without them is read; untrust forgets them, deny does not", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await open(folder);
  await store.allow(peer(ALICE, "ALICE1"));
  const path = `${dir.path}/${PEERS}`;
  const { version, codes, autoAccept, proven } = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify({ version, codes, autoAccept, proven }));
  const now = await open(folder);
  assertEquals([now.wasProven(ALICE), now.isTrustedByKey(ALICE)], [true, false]);
  await now.allowByKey(BOB, "bob");
  assertEquals(now.list().at(-1), {
    identity: BOB,
    decision: "allow_always",
    codes: [],
    deviceName: "",
    seenAt: 0,
    proven: false,
    byKey: true,
    name: "bob",
  });
  assertEquals((await open(folder)).list(), now.list());
  for (const identity of [ALICE, BOB]) {
    await now.deny(identity);
    assertEquals((await open(folder)).mustProve(identity), true);
    await now.forget(identity);
    assertEquals((await open(folder)).mustProve(identity), false);
  }
  assertEquals((await open(folder)).nameOf(BOB), undefined);
});

Deno.test("a name is one peer's: another that is to have it is refused, and nothing is kept", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await open(folder);
  await store.allowByKey(BOB, "bob");
  for (
    const taking of [
      () => store.allowByKey(EVE, "BOB"),
      () => store.allow(peer(EVE, "EVE"), "bob"),
    ]
  ) {
    const error = await assertRejects(taking, StorageError, BOB);
    assertEquals(error.code, "PEER_NAME_TAKEN");
  }
  assertEquals([store.decisionFor(EVE), store.ownerOf("EVE")], [undefined, undefined]);
  await store.allowByKey(EVE, "bob", BOB);
  assertEquals([store.nameOf(EVE), store.decisionFor(BOB)], ["bob", undefined]);
});

Deno.test("who replaces a pin by its SAS has the name that people gave the other", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await open(folder);
  await store.allow(peer(ALICE, "A"), "alice");
  await store.replace(peer(BOB, "A"));
  assertEquals((await open(folder)).nameOf(BOB), "alice");
});

for (const mark of ["proven", "by key"] as const) {
  Deno.test(`what an unproven session brings while an identity is being marked (${mark}) changes nothing of it`, async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    const store = await TrustStore.open(dir.fs, folder);
    const claim: SeenPeer = { ...peer(BOB, "EVE"), deviceName: "eve", proven: false };
    // So that what is seen is looked at.
    await store.allow({ ...peer(BOB, "BOB"), proven: false });
    const gate = Promise.withResolvers<void>();
    dir.fs.inject({ on: "sync", times: 1, action: { before: () => gate.promise } });
    const marking = mark === "proven"
      ? store.allow(peer(BOB, "BOB"), "bob")
      : store.allowByKey(BOB, "bob");
    assertEquals(store.mustProve(BOB), false);
    const refused = [
      store.allow(claim, "eve"),
      store.replace(claim),
      store.deny(BOB, "unproven"),
    ].map((change) => assertRejects(() => change, StorageError));
    const seen = store.seen(claim);
    gate.resolve();
    await marking;
    for (const { code } of await Promise.all(refused)) assertEquals(code, "IDENTITY_UNPROVEN");
    await seen;
    for (const now of [store, await open(folder)]) {
      const [pin] = now.list();
      assertEquals([pin?.decision, pin?.codes, pin?.name, pin?.deviceName], [
        "allow_always",
        ["BOB"],
        "bob",
        "device of BOB",
      ]);
    }
  });
}

Deno.test("a denied identity that must prove itself is allowed again by people, without a session", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await open(folder);
  await store.allowByKey(BOB, "bob");
  await store.deny(BOB);
  await store.allowIdentity(BOB, "robert");
  const [pin] = (await open(folder)).list();
  assertEquals([pin?.decision, pin?.codes, pin?.name, pin?.proven, pin?.byKey], [
    "allow_always",
    [],
    "robert",
    false,
    true,
  ]);
  await store.allow(peer(EVE, "EVE"));
  const taken = await assertRejects(() => store.allowIdentity(EVE, "Robert"), StorageError);
  assertEquals(taken.code, "PEER_NAME_TAKEN");
});

const DAY = 86_400_000;
const NOON = 20_000 * DAY + DAY / 2;

Deno.test("the rule of auto-accept, and what it took today, are there after a restart", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const rule = { maxSize: 5, names: "*.pdf", minFree: 7, perDay: 2 };
  const before = await open(folder);
  await before.allow(peer(ALICE, "ALICE1"));
  await before.setAutoAccept(ALICE, rule);
  await before.countTaken(ALICE, NOON);
  const after = await open(folder);
  assertEquals(after.acceptRule(ALICE), rule);
  assertEquals(await after.takenAt(ALICE, NOON), 1);
  assertEquals(await after.takenAt(ALICE, NOON + DAY), 0);
  await after.setAutoAccept(ALICE, { perDay: 9 });
  assertEquals(await after.takenAt(ALICE, NOON), 1, "another rule begins no other day");
  assertEquals(after.acceptRule(ALICE), { perDay: 9 });
});

for (const how of ["forgotten", "denied", "set back"] as const) {
  Deno.test(`a peer that is ${how} has no rule and no count`, async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    const trust = await open(folder);
    await trust.allow(peer(ALICE, "ALICE1"));
    await trust.setAutoAccept(ALICE, { perDay: 1 });
    await trust.countTaken(ALICE, NOON);
    if (how === "forgotten") await trust.forget(ALICE);
    else if (how === "denied") await trust.deny(ALICE);
    else await trust.setAutoAccept(ALICE, undefined);
    for (const store of [trust, await open(folder)]) {
      assertEquals(store.acceptRule(ALICE), undefined);
      assertEquals(await store.takenAt(ALICE, NOON), 0);
    }
    const { rules, taken } = JSON.parse(await Deno.readTextFile(dir.at(PEERS)));
    assertEquals([rules, taken], [{}, {}]);
  });
}

Deno.test("a day far ahead, counted in by a wrong clock, is over a day after the clock is right, restarts or not", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await open(folder);
  await trust.allow(peer(ALICE, "ALICE1"));
  await trust.setAutoAccept(ALICE, { perDay: 1 });
  await trust.countTaken(ALICE, NOON + 3650 * DAY);
  const repaired = await open(folder);
  assertEquals(await repaired.takenAt(ALICE, NOON), 1);
  const later = await open(folder);
  assertEquals(await later.takenAt(ALICE, NOON + DAY), 0);
});

Deno.test("a count that can't be written is an error, and counts nothing", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const fs = new FaultyFileSystem(denoFileSystem);
  const trust = await TrustStore.open(fs, folder);
  await trust.allow(peer(ALICE, "ALICE1"));
  await trust.setAutoAccept(ALICE, { perDay: 1 });
  fs.inject({ on: "rename", action: { fail: "ENOSPC" } });
  await assertRejects(() => trust.countTaken(ALICE, NOON), StorageError);
  assertEquals(await trust.takenAt(ALICE, NOON), 0);
});

Deno.test("until when an allowed peer was here is kept, one write a time, and never goes back", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const trust = await open(folder);
  await trust.allow(peer(ALICE, "ALICE1", 10));
  await trust.allow(peer(ALICE, "ALICE2", 20));
  await trust.deny(EVE);
  await trust.left(ALICE, 30);
  assertEquals((await open(folder)).find(ALICE)?.seenAt, 30);
  assertEquals((await open(folder)).find(ALICE)?.deviceName, "device of ALICE2");
  const written = await Deno.readTextFile(dir.at(PEERS));
  await trust.left(ALICE, 29); // a clock that was set back
  await trust.left(EVE, 40); // refused: nothing of it is kept
  await trust.left(BOB, 40); // nobody has decided about it
  assertEquals(await Deno.readTextFile(dir.at(PEERS)), written);
  assertEquals(trust.find(EVE)?.seenAt, 0);
});
