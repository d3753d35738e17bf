import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { toHex } from "../crypto/encoding.ts";
import { sha256 } from "../crypto/sha256.ts";
import type { Capability } from "../messages/capabilities.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import { test } from "../testing/both_encodings.ts";
import { memoisedX25519 } from "../testing/memoised_x25519.ts";
import { runs } from "../testing/runs.ts";
import { SessionModel } from "../testing/session_model.ts";
import { deliver, newPair, settle, type TestPeer } from "../testing/session_pair.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import type { SessionEffect } from "../session/effects.ts";

/** What may happen between two pieces; the rest of the run makes it good again. */
type Event =
  | { readonly does: "deliver"; readonly from: "sender" | "receiver"; readonly count: number }
  | { readonly does: "pause" | "resume"; readonly by: "sender" | "receiver" }
  | { readonly does: "piece"; readonly count: number }
  | { readonly does: "ping" };

const sides = fc.constantFrom("sender" as const, "receiver" as const);

const events: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    does: fc.constant("deliver" as const),
    from: sides,
    count: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({ does: fc.constantFrom("pause" as const, "resume" as const), by: sides }),
  fc.record({ does: fc.constant("piece" as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ does: fc.constant("ping" as const) }),
);

const files = fc.record({
  size: fc.oneof(fc.nat(3_000), fc.constantFrom(0, 1, 512, 1_024, 1_023, 1_025)),
  chunkSize: fc.oneof(fc.integer({ min: 64, max: 4_000 }), fc.constant(512)),
  upward: fc.boolean(),
  events: fc.array(events, { maxLength: 20 }),
  cancel: fc.option(fc.record({ by: sides, at: fc.nat(20) }), { nil: undefined, freq: 3 }),
});

const capabilities = fc.subarray<Capability>(["bolt.file-hash", "bolt.transfer-ratchet-v1"]);

/** A peer whose every effect is checked against the model. */
function watch(peer: TestPeer): SessionModel {
  const model = new SessionModel((sealed) => ({ sealed }));
  const carryOut = peer.do.bind(peer);
  peer.do = (effects: readonly SessionEffect[]) => {
    model.step(effects);
    carryOut(effects);
  };
  return model;
}

function piece(sender: TestPeer, id: TransferId, bytes: Uint8Array): boolean {
  const next = sender.transfers?.nextChunk(id);
  if (next === undefined) return false;
  const plaintext = bytes.subarray(next.offset, next.offset + next.length);
  sender.do(sender.transfers?.sendChunk(id, plaintext, 0) ?? []);
  return true;
}

/** The pieces that a side received, put together. */
function whole(chunks: readonly { data: Uint8Array }[]): Uint8Array {
  return new Uint8Array(chunks.flatMap(({ data }) => [...data]));
}

test("two machines transfer any file under any chunking, pausing and cancelling", () => {
  using _ = memoisedX25519();
  let completed = 0;
  let cancelled = 0;
  fc.assert(
    fc.property(capabilities, fc.array(files, { minLength: 1, maxLength: 3 }), (able, list) => {
      const { a, b } = newPair({ both: { capabilities: able } });
      const models = [watch(a), watch(b)];
      a.do(a.session.start(0));
      b.do(b.session.start(0));
      settle(a, b);
      for (const model of models) model.approve();
      a.approve();
      b.approve();
      for (const [index, file] of list.entries()) {
        const [sender, receiver] = file.upward ? [a, b] : [b, a];
        const senderModel = file.upward ? models[0] : models[1];
        const bytes = seededRandom(`${index} ${file.size}`)(file.size);
        const offered = sender.transfers?.offer({
          filename: "f",
          size: file.size,
          chunkSize: file.chunkSize,
          fileHash: toHex(sha256(bytes)),
        }, 0);
        assert(offered !== undefined);
        const { transferId, effects } = offered;
        senderModel?.offered(transferId);
        sender.do(effects);
        settle(a, b);
        receiver.do(receiver.transfers?.accept(transferId, 0) ?? []);
        const by = { sender, receiver };
        const other = { sender: receiver, receiver: sender };
        const over = () =>
          [sender, receiver].some((peer) =>
            peer.all("transfer-ended").some((ended) => ended.transferId === transferId)
          );
        for (const [at, event] of file.events.entries()) {
          if (file.cancel?.at === at && !over()) {
            const { transfers } = by[file.cancel.by];
            by[file.cancel.by].do(transfers?.cancel(transferId, "enough") ?? []);
          }
          switch (event.does) {
            case "deliver":
              for (let i = 0; i < event.count; i++) deliver(by[event.from], other[event.from]);
              break;
            case "piece":
              for (let i = 0; i < event.count; i++) piece(sender, transferId, bytes);
              break;
            case "ping":
              receiver.do(receiver.session.sendAppMessage("still here"));
              break;
            default: {
              const peer = by[event.by];
              const ready = peer.all("transfer-started").some((s) => s.transferId === transferId);
              if (ready) peer.do(peer.transfers?.[event.does](transferId, 0) ?? []);
            }
          }
        }
        settle(a, b);
        for (const peer of [sender, receiver]) {
          const live = peer.all("transfer-started").some((s) => s.transferId === transferId);
          if (live) peer.do(peer.transfers?.resume(transferId, 0) ?? []);
          settle(a, b);
        }
        while (piece(sender, transferId, bytes)) settle(a, b);
        const ends = [sender, receiver].map((peer) =>
          peer.all("transfer-ended").filter((ended) => ended.transferId === transferId)
        );
        assertEquals(ends.map((list) => list.length), [1, 1]);
        const outcome = ends[1]?.[0]?.outcome;
        if (outcome === "completed") {
          completed++;
          const chunks = receiver.all("transfer-chunk").filter((c) => c.transferId === transferId);
          assertEquals(whole(chunks), bytes);
        } else {
          cancelled++;
          assert(file.cancel !== undefined);
        }
        assert(a.transfers?.idle && b.transfers?.idle);
        assertEquals([a.session.phase, b.session.phase], ["open", "open"]);
      }
    }),
    { numRuns: runs(400) },
  );
  assert(completed > 0 && cancelled > 0, `${completed} completed, ${cancelled} cancelled`);
});
