import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConnectionBox } from "../crypto/connection_box.ts";
import { toHex } from "../crypto/encoding.ts";
import { FileHash, sha256 } from "../crypto/sha256.ts";
import { MisuseError } from "../errors.ts";
import { BinaryEnvelopeCodec } from "../messages/binary_envelope.ts";
import { CAPABILITIES, type Capability, RESUME } from "../messages/capabilities.ts";
import type { FileChunk, InnerMessage } from "../messages/inner_message.ts";
import { JsonEnvelopeCodec } from "../messages/json_envelope.ts";
import { parseTransferId, type TransferId } from "../messages/transfer_id.ts";
import { DEFAULT_SESSION_TIMING } from "../session/session.ts";
import { test } from "../testing/both_encodings.ts";
import { memoisedX25519 } from "../testing/memoised_x25519.ts";
import { closedWith } from "../testing/raw_peer.ts";
import { runs } from "../testing/runs.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { openProvenPair, settle, type TestPeer } from "../testing/session_pair.ts";
import { canResumeFrom, chunksFrom, resumePoint } from "./resume.ts";
import { MAX_UNSETTLED } from "./unsettled.ts";

const ABLE: readonly Capability[] = [...CAPABILITIES, RESUME];
const PLAIN: readonly Capability[] = ["bolt.file-hash", RESUME];
const HASH = FileHash.of(new Uint8Array(32));
const LOST = parseTransferId("ab".repeat(16)) as TransferId;

function fileOf(size: number, chunkSize = 100) {
  const bytes = seededRandom(`resumed ${size}`)(size);
  return { bytes, filename: "f", size, chunkSize, fileHash: toHex(sha256(bytes)) };
}

/** Sends the rest of an accepted file. Gives the offsets of the pieces. */
function sendRest(a: TestPeer, b: TestPeer, id: TransferId, bytes: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let next = a.transfers?.nextChunk(id); next; next = a.transfers?.nextChunk(id)) {
    offsets.push(next.offset);
    const piece = bytes.subarray(next.offset, next.offset + next.length);
    a.do(a.transfers?.sendChunk(id, piece, 0) ?? []);
    settle(a, b);
  }
  return offsets;
}

for (const [mode, capabilities] of [["ratcheted", ABLE], ["not ratcheted", PLAIN]] as const) {
  test(`a file goes on at each chunk's beginning, chunks counted from there, ${mode}`, () => {
    for (const size of [1, 99, 100, 101, 250, 300]) {
      for (let from = 0; from <= size; from += 100) {
        const { a, b, ta, tb } = openProvenPair({ both: { capabilities } });
        const file = fileOf(size);
        const { transferId, effects } = ta.offer(file, 0);
        a.do(effects);
        settle(a, b);
        b.do(tb.accept(transferId, 0, from));
        settle(a, b);
        assertEquals(a.last("transfer-started").resumeFrom, from);
        assertEquals(b.last("transfer-started").resumeFrom, from);
        const offsets = sendRest(a, b, transferId, file.bytes);
        assertEquals(offsets.every((offset) => offset >= from), true);
        const chunks = b.all("transfer-chunk");
        assertEquals(chunks.map(({ index }) => index), offsets.map((_, i) => i));
        assertEquals(chunks.map(({ offset }) => offset), offsets);
        assertEquals(
          chunks.map(({ last }) => last),
          offsets.map((_, i) => i === offsets.length - 1),
        );
        const rest = new Uint8Array(chunks.flatMap(({ data }) => [...data]));
        assertEquals(rest, file.bytes.subarray(from));
        assertEquals(a.last("transfer-ended").outcome, "completed");
        assertEquals(b.last("transfer-ended").outcome, "completed");
        // The ratchets are in step whether there was a chunk or not.
        const next = ta.offer(fileOf(150), 0);
        a.do(next.effects);
        settle(a, b);
        b.do(tb.accept(next.transferId, 0));
        settle(a, b);
        sendRest(a, b, next.transferId, fileOf(150).bytes);
        assertEquals(b.all("transfer-ended").map(({ outcome }) => outcome), [
          "completed",
          "completed",
        ]);
      }
    }
  });
}

test("a file that is here already takes no chunk, of any size", () => {
  for (const size of [0, 1, 100, 250]) {
    const { a, b, ta, tb } = openProvenPair({ both: { capabilities: ABLE } });
    const { transferId, effects } = ta.offer({ ...fileOf(size), retryOf: LOST }, 0);
    a.do(effects);
    settle(a, b);
    assertEquals(b.last("transfer-offered").file.retryOf, LOST);
    b.do(tb.accept(transferId, 0, size));
    settle(a, b);
    assertEquals(a.last("transfer-started").resumeFrom, size);
    assertEquals(b.all("transfer-chunk"), []);
    assertEquals(b.last("transfer-ended").outcome, "completed");
  }
});

/** A pair with an offer of `a` on the table, and what writes any message as `b`. */
function offered(
  { capabilities = ABLE, theirs = capabilities, proves = true, size = 250 }: {
    readonly capabilities?: readonly Capability[];
    readonly theirs?: readonly Capability[];
    readonly proves?: boolean;
    readonly size?: number;
  } = {},
  encoding = "json",
) {
  const random = seededRandom("hostile");
  const pair = openProvenPair({ a: { capabilities }, b: { capabilities: theirs }, proves });
  const { a, b, ta, keys } = pair;
  const box = new ConnectionBox(keys.b, keys.a.publicKey, random);
  const codec = encoding === "binary" ? new BinaryEnvelopeCodec(box) : new JsonEnvelopeCodec(box);
  const say = (message: Exclude<InnerMessage, FileChunk>) => {
    const effects = a.session.receive(codec.seal(message), 0);
    a.do(effects);
    return effects;
  };
  const { transferId, effects } = ta.offer({ ...fileOf(size), retryOf: LOST }, 0);
  a.do(effects);
  settle(a, b);
  return { ...pair, transferId, say, codec };
}

const BAD: readonly unknown[] = [
  50,
  101,
  -100,
  350,
  251,
  1e300,
  0.5,
  NaN,
  "100",
  [100],
  {},
  true,
  null,
];

for (const bad of BAD) {
  test(`a sender ends the session for resumeFrom ${JSON.stringify(bad)} of 250 bytes`, (encoding) => {
    const { say, transferId } = offered({}, encoding);
    const effects = say({ type: "file-accept", transferId, resumeFrom: bad });
    assertEquals(closedWith(effects), "PROTOCOL_VIOLATION");
  });
}

test("a resumeFrom is a violation where the session may not use it", (encoding) => {
  const unproven = offered({ proves: false }, encoding);
  const foreign = offered({ theirs: CAPABILITIES }, encoding);
  const unhashed = offered({ capabilities: ["bolt.transfer-ratchet-v1", RESUME] }, encoding);
  for (const { say, transferId, a } of [unproven, foreign, unhashed]) {
    assertEquals(a.transfers?.resumes, false);
    const effects = say({ type: "file-accept", transferId, resumeFrom: 100 });
    assertEquals(closedWith(effects), "PROTOCOL_VIOLATION");
  }
});

test("without the extension its fields are unknown ones, and ignored; none is said", (encoding) => {
  const { say, transferId, a, b, ta } = offered(
    { capabilities: CAPABILITIES, theirs: ABLE },
    encoding,
  );
  assertEquals("retryOf" in b.last("transfer-offered").file, false);
  assertEquals(closedWith(say({ type: "file-accept", transferId, resumeFrom: 100 })), undefined);
  assertEquals(a.last("transfer-started"), {
    type: "transfer-started",
    transferId,
    direction: "outgoing",
  });
  assertEquals(ta.nextChunk(transferId)?.offset, 0);
  say({ type: "cancel", transferId, cancelledBy: "responder", resumable: true });
  assertEquals("resumable" in a.last("transfer-ended"), false);
});

test("a receiver says of its refusal that it passes, before and after the file was sent whole", () => {
  for (const when of ["offered", "flowing", "sent whole"] as const) {
    const { a, b, ta, tb } = openProvenPair({ both: { capabilities: ABLE } });
    const file = fileOf(250);
    const { transferId, effects } = ta.offer(file, 0);
    a.do(effects);
    settle(a, b);
    if (when !== "offered") b.do(tb.accept(transferId, 0));
    settle(a, b);
    if (when === "sent whole") sendRest(a, b, transferId, file.bytes);
    b.do(tb.failWithReason(transferId, "there is no space", true));
    settle(a, b);
    const { resumable, error } = when === "sent whole"
      ? a.last("transfer-ended-late")
      : a.last("transfer-ended");
    assertEquals([resumable, error?.code], [true, "LIMIT_EXCEEDED"]);
    assertEquals([ta.idle, a.session.phase, b.session.phase], [true, "open", "open"]);
  }
});

test("an error with a resumable of the wrong type is refused where it is used, ignored elsewhere", (encoding) => {
  for (const bad of ["yes", 1, null, {}]) {
    const message = { type: "error", code: "LIMIT_EXCEEDED", message: "full" } as const;
    const used = offered({}, encoding);
    const refused = used.say({ ...message, transferId: used.transferId, resumable: bad });
    assertEquals(closedWith(refused), "INVALID_MESSAGE");
    const unused = offered({ theirs: CAPABILITIES }, encoding);
    unused.say({ ...message, transferId: unused.transferId, resumable: bad });
    assertEquals("resumable" in unused.a.last("transfer-ended"), false);
  }
});

test("retryOf and resumable of the wrong type are refused where they are used, ignored elsewhere", (encoding) => {
  for (const proves of [true, false]) {
    const expected = proves ? "INVALID_MESSAGE" : undefined;
    for (const bad of [7, "ab", "zz".repeat(16), null, {}]) {
      const { say, transferId, a } = offered({ proves }, encoding);
      a.do(a.transfers?.cancel(transferId, "enough") ?? []);
      const offer = {
        type: "file-offer",
        transferId: LOST,
        filename: "f",
        size: 1,
        totalChunks: 1,
      } as const;
      const effects = say({ ...offer, chunkSize: 100, fileHash: HASH, retryOf: bad });
      assertEquals(closedWith(effects), expected);
    }
    for (const bad of [1, "true", null, {}]) {
      const { say, transferId } = offered({ proves }, encoding);
      const effects = say({ type: "cancel", transferId, cancelledBy: "responder", resumable: bad });
      assertEquals(closedWith(effects), expected);
    }
  }
});

test("our own program can't go on where the file can't, nor where the session can't", () => {
  for (const from of [50, 251, 350, -100]) {
    const { b, ta, tb, a } = openProvenPair({ both: { capabilities: ABLE } });
    const { transferId, effects } = ta.offer(fileOf(250), 0);
    a.do(effects);
    settle(a, b);
    assertThrows(() => tb.accept(transferId, 0, from), MisuseError);
  }
  const { tb, transferId } = offered({ proves: false });
  assertThrows(() => tb.accept(transferId, 0, 100), MisuseError);
  const { ta } = openProvenPair({ both: { capabilities: ABLE } });
  assertThrows(() => ta.offer({ ...fileOf(1), retryOf: "x" }, 0), MisuseError);
});

test("a chunk that counts all of the file, or one too many, is none of a resumed one", () => {
  for (const totalChunks of [3, 1]) {
    const { a, b, ta, tb, keys } = openProvenPair({ both: { capabilities: PLAIN } });
    const file = fileOf(250);
    const { transferId, effects } = ta.offer(file, 0);
    a.do(effects);
    settle(a, b);
    b.do(tb.accept(transferId, 0, 100));
    const box = new ConnectionBox(keys.a, keys.b.publicKey, seededRandom("hostile"));
    const isBinary = typeof b.outbox.at(-1) !== "string";
    const codec = isBinary ? new BinaryEnvelopeCodec(box) : new JsonEnvelopeCodec(box);
    const header = {
      type: "file-chunk",
      transferId,
      chunkIndex: 0,
      totalChunks,
      file: { filename: "f", fileSize: 250 },
    } as const;
    const frame = codec.sealChunk(header, {
      ratchet: undefined,
      sealedBytes: 100,
      sealInto: (target) => target.set(file.bytes.subarray(100, 200)),
    });
    assertEquals(closedWith(b.session.receive(frame, 0)), "PROTOCOL_VIOLATION");
  }
});

test("a cancel that leaves it to go on is told as such on both sides, and only where both can", () => {
  for (const proves of [true, false]) {
    for (const stage of ["offered", "flowing"] as const) {
      for (const who of ["a", "b"] as const) {
        const { a, b, ta, tb } = openProvenPair({ both: { capabilities: ABLE }, proves });
        const { transferId, effects } = ta.offer(fileOf(250), 0);
        a.do(effects);
        settle(a, b);
        if (stage === "flowing") b.do(tb.accept(transferId, 0));
        settle(a, b);
        const [stops, other] = who === "a" ? [a, b] : [b, a];
        stops.do(stops.session.cancelTransfers("the daemon stops", true));
        settle(a, b);
        const ends = [stops, other].map((peer) => peer.last("transfer-ended"));
        assertEquals(ends.map(({ outcome, by }) => [outcome, by]), [
          ["cancelled", "local"],
          ["cancelled", "remote"],
        ]);
        const expected = proves ? true : undefined;
        assertEquals(ends.map(({ resumable }) => resumable), [expected, expected]);
      }
    }
  }
});

test("one that crosses the last chunk is told as such, too", () => {
  const { a, b, ta, tb } = openProvenPair({ both: { capabilities: ABLE } });
  const file = fileOf(100);
  const { transferId, effects } = ta.offer(file, 0);
  a.do(effects);
  settle(a, b);
  b.do(tb.accept(transferId, 0));
  settle(a, b);
  b.do(b.session.close("the daemon stops", true));
  a.do(ta.sendChunk(transferId, file.bytes, 0));
  settle(a, b);
  assertEquals(a.last("transfer-ended-late"), {
    type: "transfer-ended-late",
    transferId,
    resumable: true,
  });
});

/** A file that came whole at `b`, whose name it has not got. */
function unsettled() {
  const pair = openProvenPair({ both: { capabilities: ABLE } });
  const { a, b, ta, tb } = pair;
  const file = fileOf(100);
  const { transferId, effects } = ta.offer(file, 0);
  a.do(effects);
  settle(a, b);
  b.do(tb.accept(transferId, 0));
  settle(a, b);
  sendRest(a, b, transferId, file.bytes);
  return { ...pair, transferId };
}

test("the answer to a ping waits until a file that came whole has its name", () => {
  const { a, b, tb, transferId } = unsettled();
  const { askedMs, effects } = a.session.ping(5);
  a.do(effects);
  settle(a, b, 5);
  assertEquals(a.all("round-trip"), []);
  const again = a.session.ping(7);
  a.do(again.effects);
  settle(a, b, 7);
  b.do(tb.settled(transferId, 9));
  settle(a, b, 9);
  // The answer to the last is one to those before it.
  assertEquals(a.all("round-trip"), [{ type: "round-trip", askedMs: again.askedMs, ms: 2 }]);
  assert(askedMs < again.askedMs);
  assertEquals(tb.settled(transferId, 9), []);
  a.do(a.session.ping(11).effects);
  settle(a, b, 11);
  assertEquals(a.all("round-trip").length, 2);
});

test("meanwhile its receiver is heard by pings of its own, without limit", () => {
  const { a, b, tb, transferId } = unsettled();
  const { pingMs, lostMs } = DEFAULT_SESSION_TIMING;
  a.do(a.session.ping(0).effects);
  let now = 0;
  for (; now < 20 * lostMs; now += 500) {
    for (const side of [a, b]) side.do(side.session.tick(now));
    settle(a, b, now);
  }
  assertEquals([a.session.phase, b.session.phase], ["open", "open"]);
  assertEquals(a.all("round-trip"), []);
  assert(b.all("round-trip").length >= 20 * lostMs / pingMs - 2);
  b.do(tb.settled(transferId, now));
  settle(a, b, now);
  assertEquals(a.all("round-trip").length, 1);
});

test("of files that came whole and have no name yet there are not more than a few", () => {
  const { a, b, ta, tb } = openProvenPair({ both: { capabilities: ABLE } });
  for (let i = 0; i < MAX_UNSETTLED; i++) {
    const { transferId, effects } = ta.offer(fileOf(0), 0);
    a.do(effects);
    settle(a, b);
    b.do(tb.accept(transferId, 0));
    settle(a, b);
  }
  a.do(ta.offer(fileOf(0), 0).effects);
  settle(a, b);
  assertEquals(b.last("transfer-refused").error.code, "LIMIT_EXCEEDED");
  assertEquals(a.last("transfer-ended").error?.code, "LIMIT_EXCEEDED");
  assertEquals(b.session.phase, "open");
});

test("an offer's answer may take longer where a kept part is hashed first, on both sides", () => {
  const { offerMs, resumeMs, pingMs } = DEFAULT_SESSION_TIMING;
  for (const proves of [true, false]) {
    const { a, b, ta, tb } = openProvenPair({ both: { capabilities: ABLE }, proves });
    const { transferId, effects } = ta.offer(fileOf(250), 0);
    a.do(effects);
    settle(a, b);
    b.do(tb.willAccept(transferId, offerMs - 1));
    const last = offerMs - 1 + resumeMs - 1;
    for (let now = 0; now < last; now += pingMs) {
      for (const side of [a, b]) side.do(side.session.tick(now));
      settle(a, b, now);
    }
    assertEquals(a.all("transfer-ended").map(({ reason }) => reason), proves ? [] : ["unanswered"]);
    if (!proves) continue;
    b.do(tb.accept(transferId, last, 100));
    settle(a, b, last);
    assertEquals(ta.nextChunk(transferId)?.offset, 100);
  }
});

test("any file lost anywhere, again and again, arrives whole, and nothing that was kept comes again", () => {
  using _ = memoisedX25519();
  const tries = fc.array(fc.record({ pieces: fc.nat(6), lost: fc.nat(120) }), { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.nat(700),
      fc.integer({ min: 1, max: 130 }),
      fc.integer({ min: 1, max: 130 }),
      tries,
      fc.boolean(),
      (size, chunkSize, laterChunkSize, cuts, ratcheted) => {
        let kept = new Uint8Array();
        for (const [i, cut] of [...cuts, undefined].entries()) {
          const file = fileOf(size, i === 0 ? chunkSize : laterChunkSize);
          const capabilities = ratcheted ? ABLE : PLAIN;
          const { a, b, ta, tb } = openProvenPair({ both: { capabilities }, seed: i });
          const { transferId, effects } = ta.offer(file, 0);
          a.do(effects);
          settle(a, b);
          const from = resumePoint(kept.length, file);
          b.do(tb.accept(transferId, 0, from));
          settle(a, b);
          let pieces = cut?.pieces ?? Infinity;
          for (
            let next = ta.nextChunk(transferId);
            next && pieces-- > 0;
            next = ta.nextChunk(transferId)
          ) {
            assert(next.offset >= from);
            const piece = file.bytes.subarray(next.offset, next.offset + next.length);
            a.do(ta.sendChunk(transferId, piece, 0));
            settle(a, b);
          }
          const got = b.all("transfer-chunk").flatMap(({ data }) => [...data]);
          const whole = new Uint8Array([...kept.subarray(0, from), ...got]);
          assertEquals(whole, file.bytes.slice(0, whole.length));
          if (cut === undefined) assertEquals(whole, file.bytes.slice());
          // Of what came, some is lost with the machine.
          kept = whole.subarray(0, Math.max(0, whole.length - (cut?.lost ?? 0)));
        }
      },
    ),
    { numRuns: runs(150) },
  );
});

Deno.test("where a file can go on: at chunks' beginnings and at its end", () => {
  fc.assert(
    fc.property(
      fc.nat(10_000),
      fc.integer({ min: 1, max: 700 }),
      fc.nat(10_000),
      (size, chunkSize, kept) => {
        const file = { size, chunkSize };
        const point = resumePoint(Math.min(kept, size), file);
        assert(point <= kept && point % chunkSize === 0 && canResumeFrom(point, file));
        assert(Math.min(kept, size) - point <= chunkSize && (size === 0 || point < size));
        assertEquals(chunksFrom(point, file), Math.ceil((size - point) / chunkSize));
        assertEquals(
          canResumeFrom(kept, file),
          kept <= size && (kept % chunkSize === 0 || kept === size),
        );
      },
    ),
    { numRuns: runs(500) },
  );
});
