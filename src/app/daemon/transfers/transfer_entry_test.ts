import { assertEquals } from "@std/assert";
import { isTransferRecord } from "../../../storage/journal_record.ts";
import { TransferEntry, type TransferFacts } from "./transfer_entry.ts";

const FACTS: TransferFacts = {
  transferId: "0".repeat(32),
  direction: "incoming",
  identity: "ab".repeat(32),
  name: "photo\u202e.jpg",
  size: 100,
  priority: 3,
  createdAt: 1000,
};

const STATES = [
  ["queued", false],
  ["offered", false],
  ["active", false],
  ["paused", false],
  ["verifying", false],
  ["completed", true],
  ["rejected", true],
  ["cancelled", true],
  ["failed", true],
  ["interrupted", true],
] as const;

for (const [state, isFinal] of STATES) {
  Deno.test(`${state} ${isFinal ? "is" : "is not"} the end, and survives the journal`, () => {
    const entry = new TransferEntry(FACTS, "offered");
    entry.update({
      state,
      transferred: 40,
      fileHash: "cd".repeat(32),
      ...(state === "completed" ? { savedAs: "photo_.jpg", savedPath: "/in/photo_.jpg" } : {}),
      ...(state === "failed" ? { failure: { code: "DISK_FULL", message: "no room" } } : {}),
      updatedAt: 2000,
    });
    assertEquals(entry.isFinal, isFinal);
    const record = entry.record();
    assertEquals(isTransferRecord(record), true);
    const read = TransferEntry.fromRecord(record, (savedAs) => `/in/${savedAs}`);
    const { priority: _, failure, ...shown } = read.view();
    const { priority: __, failure: before, ...expected } = entry.view();
    assertEquals(shown, expected);
    // The message is not kept, the code is.
    assertEquals(failure?.code, before?.code);
  });
}

Deno.test("a peer's name is shown and journaled escaped, its bytes are kept for the file", () => {
  const entry = new TransferEntry(FACTS, "offered");
  assertEquals(String(entry.view().name), "photo\\u{202e}.jpg");
  assertEquals(entry.record().displayName, "photo\\u{202e}.jpg");
  assertEquals(entry.facts.name, FACTS.name);
});

Deno.test("the path is the source's, or where the received file is; never a guess before it is there", () => {
  const incoming = new TransferEntry(FACTS, "active");
  incoming.update({ savedAs: "photo_.jpg" });
  assertEquals(incoming.view().path, undefined);
  const facts = { ...FACTS, direction: "outgoing", sourcePath: "/home/me/photo.jpg" } as const;
  assertEquals(new TransferEntry(facts, "queued").view().path, "/home/me/photo.jpg");
});

Deno.test("the id on the wire is the sender's other one and the receiver's only one", () => {
  const incoming = new TransferEntry(FACTS, "offered");
  assertEquals(incoming.view().protocolTransferId, FACTS.transferId);
  const outgoing = new TransferEntry({ ...FACTS, direction: "outgoing" }, "queued");
  assertEquals(outgoing.view().protocolTransferId, undefined);
  outgoing.update({ protocolTransferId: "ef".repeat(16) });
  const read = TransferEntry.fromRecord(outgoing.record(), () => "");
  assertEquals(isTransferRecord(outgoing.record()), true);
  assertEquals(read.view().protocolTransferId, "ef".repeat(16));
});

Deno.test("whatever a peer calls a file, its transfer can be kept", () => {
  const control = "\u0001".repeat(409); // five characters each when it is spelled out
  for (
    const name of [`${control}aa\u{1f600}`, `${control}aaa\u{1f600}`, " ".repeat(1024), "\ud83d"]
  ) {
    const entry = new TransferEntry({ ...FACTS, name }, "offered");
    assertEquals(isTransferRecord(entry.record()), true, JSON.stringify(name));
  }
});
