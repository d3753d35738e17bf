/**
 * A process that keeps writing to a data folder until it is killed, for the storage tests: it pins
 * peers and receives files, and tells each step on stdout only when storage has promised it.
 *
 * Arguments: data folder, inbox, rounds. Lines: `starting`, `identity <hex>`, `free <known>`, then
 * for each round `pinned <hex>` and `finished <savedAs>`, and `done` at the end.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { IncomingFile } from "../src/storage/inbox/incoming_file.ts";
import type { TransferRecord } from "../src/storage/journal_record.ts";
import { inspectSource, OutgoingFile } from "../src/storage/outgoing_file.ts";
import { openStorage, type Storage } from "../src/storage/storage.ts";

const CHUNK = 16 * 1024;

function say(line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

function randomHex(length: number): string {
  return crypto.getRandomValues(new Uint8Array(length)).toHex();
}

/** Receives a file whose name starts with its hash, so that a reader can tell a whole one. */
async function receive(storage: Storage): Promise<string> {
  const content = crypto.getRandomValues(new Uint8Array(3 * CHUNK));
  const hash = createHash("sha256").update(content).digest("hex");
  const base: TransferRecord = {
    transferId: randomHex(16),
    direction: "receive",
    peer: randomHex(32),
    displayName: "from the peer",
    savedAs: null,
    size: content.length,
    hash,
    state: "active",
    bytes: 0,
    hasPart: true,
    error: null,
    createdAt: Date.now(),
    updatedAt: Date.now(),
  };
  await storage.journal.record(base);
  const { transferId, size } = base;
  await using file = await IncomingFile.create(storage.inbox, { transferId, size });
  for (let at = 0; at < content.length; at += CHUNK) {
    await file.write(content.subarray(at, at + CHUNK));
  }
  const { savedAs } = await file.finish({
    name: `${hash}.bin`,
    expectedHash: hash,
    onPublishing: async (savedAs) => {
      await storage.journal.record({ ...base, state: "publishing", savedAs });
    },
  });
  await storage.journal.record({
    ...base,
    state: "completed",
    savedAs,
    bytes: size,
    hasPart: false,
  });
  return savedAs;
}

/** Reads a received file again as one to send. */
async function readBack(storage: Storage, savedAs: string): Promise<void> {
  const source = await inspectSource(storage.fs, storage.inbox.pathOf(savedAs));
  await using file = await OutgoingFile.open(storage.fs, source, CHUNK);
  for (let i = 0; i < file.totalChunks; i++) await file.readChunk(i);
}

const [dataDir = "", inbox = "", rounds = ""] = Deno.args;
say("starting");
using storage = await openStorage({ dataDir, inbox, keepFreeBytes: 0 });
say(`identity ${storage.identity.publicKey.hex}`);
say(`free ${(await storage.fs.freeSpace(inbox)).known}`);
for (let round = 0; round < Number(rounds); round++) {
  const identity = randomHex(32);
  const code = randomHex(4);
  await storage.trust.allow({
    identity,
    code,
    deviceName: "device",
    seenAt: Date.now(),
    proven: true,
  });
  say(`pinned ${identity}`);
  const savedAs = await receive(storage);
  say(`finished ${savedAs}`);
  await readBack(storage, savedAs);
}
say("done");
