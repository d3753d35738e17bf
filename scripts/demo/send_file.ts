/**
 * Second part of the demo: two long-running daemons pair and move a file.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { DaemonClient } from "../../src/ipc/client/client.ts";
import type { ApiEvent } from "../../src/ipc/api/events.ts";
import { type RunningDaemon, startDaemon } from "./programs.ts";
import { Progress, say } from "./say.ts";

/** Bytes of the file that is made when none is named. */
const GENERATED_BYTES = 16 * 1024 * 1024;

/** A daemon, its local API, and the events it has sent. */
interface Served extends AsyncDisposable {
  readonly daemon: RunningDaemon;
  readonly client: DaemonClient;
  /** The first event of a type, past ones too. */
  event<T extends ApiEvent["type"]>(type: T): Promise<Extract<ApiEvent, { type: T }>>;
  /** Calls the listener at each event from now on. */
  onEvent(listener: (event: ApiEvent) => void): void;
}

/** Pairs two daemons and sends a file from one to the other. */
export async function sendFile(rendezvousUrl: string, file: string | undefined): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "bolt-daemon-demo-" });
  try {
    const path = file === undefined ? await generateFile(folder) : await Deno.realPath(file);
    say(
      "2. The daemon: alice and bob serve a local API each, on a Unix socket in their own data folder.",
    );
    await using alice = await serve(join(folder, "alice"));
    await using bob = await serve(join(folder, "bob"));
    const identity = await pair(rendezvousUrl, alice, bob);
    const sent = await move(path, identity, alice, bob);
    for (const { daemon } of [alice, bob]) daemon.stop();
    const codes = [await alice.daemon.code(), await bob.daemon.code()];
    say(`6. Both were asked to stop (SIGTERM). Exit codes: alice ${codes[0]}, bob ${codes[1]}.`);
    return sent && codes.every((code) => code === 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function generateFile(folder: string): Promise<string> {
  const path = join(folder, "generated.bin");
  using file = await Deno.open(path, { write: true, createNew: true });
  const piece = new Uint8Array(65536);
  for (let written = 0; written < GENERATED_BYTES; written += piece.length) {
    crypto.getRandomValues(piece);
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
  }
  return path;
}

async function serve(dataDir: string): Promise<Served> {
  const daemon = startDaemon(["serve", "--data-dir", dataDir], () => {});
  await daemon.said("serving");
  const client = new DaemonClient({ kind: "unix", path: join(dataDir, "daemon.sock") });
  const ends = new AbortController();
  const heard: ApiEvent[] = [];
  const listeners = new Set<(event: ApiEvent) => void>();
  const listening = (async () => {
    for await (const event of client.events({ signal: ends.signal })) {
      heard.push(event);
      for (const listener of listeners) listener(event);
    }
  })().catch(() => {}); // the daemon has stopped
  return {
    daemon,
    client,
    event: (type) =>
      new Promise((resolve) => {
        const take = (event: ApiEvent) => {
          if (event.type !== type) return;
          listeners.delete(take);
          resolve(event as Extract<ApiEvent, { type: typeof type }>);
        };
        listeners.add(take);
        heard.forEach(take);
      }),
    onEvent: (listener) => listeners.add(listener),
    [Symbol.asyncDispose]: async () => {
      ends.abort();
      await daemon[Symbol.asyncDispose]();
      await listening;
    },
  };
}

/** Both people read the same SAS and say yes. Returns bob's identity key. */
async function pair(rendezvousUrl: string, alice: Served, bob: Served): Promise<string> {
  const meeting = {
    signal: "rendezvous",
    rendezvousUrl,
    room: "demo",
    session: "demo-2",
  } as const;
  await alice.client.pair({ ...meeting, role: "offerer", peerId: "alice", to: "bob" });
  await bob.client.pair({ ...meeting, role: "answerer", peerId: "bob", expectPeer: "alice" });
  const requests = [
    (await alice.event("pairing-requested")).pairing,
    (await bob.event("pairing-requested")).pairing,
  ] as const;
  say(
    `3. They meet, and neither knows the other's identity key. alice is shown SAS ${
      requests[0].sas
    },`,
  );
  say(`   bob is shown SAS ${requests[1].sas}: nobody sits between them. Both say yes, for ever.`);
  for (const [served, { pairingId, sas }] of [[alice, requests[0]], [bob, requests[1]]] as const) {
    await served.client.decidePairing(pairingId, { decision: "allow_always", sas });
  }
  await bob.event("session-opened");
  return (await alice.event("session-opened")).session.identity ?? "";
}

async function move(path: string, identity: string, alice: Served, bob: Served): Promise<boolean> {
  await alice.client.send({ paths: [path], identity, priority: 0 });
  const { transfer: offer } = await bob.event("transfer-offered");
  say(`4. alice offers ${basename(path)} (${offer.size} bytes); bob accepts.`);
  const progress = new Progress(offer.size);
  bob.onEvent((event) => {
    if (event.type === "transfer-progress") progress.show(event.transferred, event.bytesPerSecond);
  });
  await bob.client.acceptTransfer(offer.transferId, {});
  const end = await Promise.race([bob.event("transfer-finished"), bob.event("transfer-failed")]);
  if (end.transfer.state !== "completed") {
    say(`   It failed: ${end.transfer.failure?.message ?? end.transfer.state}`);
    return false;
  }
  progress.done();
  const [sent, received] = [await hashOf(path), await hashOf(end.transfer.path ?? "")];
  say(`5. SHA-256 of what alice sent:   ${sent}`);
  say(`   SHA-256 of what bob received: ${received}`);
  return sent === received;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(256 * 1024);
  for (let read = await file.read(buffer); read !== null; read = await file.read(buffer)) {
    hash.update(buffer.subarray(0, read));
  }
  return hash.digest("hex");
}
