import { assert } from "@std/assert";
import fc from "fast-check";
import { MisuseError } from "../errors.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import type { WireFrame } from "../messages/envelope.ts";
import { test } from "../testing/both_encodings.ts";
import { memoisedX25519 } from "../testing/memoised_x25519.ts";
import { ALL_CAPABILITIES, RawPeer } from "../testing/raw_peer.ts";
import { RawRatchet } from "../testing/raw_ratchet.ts";
import { runs } from "../testing/runs.ts";
import { SessionModel } from "../testing/session_model.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import type { Transfers } from "../transfer/transfers.ts";
import { toHex } from "../crypto/encoding.ts";
import { sha256 } from "../crypto/sha256.ts";

// 10,000 sequences and more, each against a machine of its own.
const SEQUENCES = 10_400;
const IDS = ["0", "1", "2"].map((digit) => digit.repeat(32) as TransferId);
const CHUNK = 4;
const FILE = seededRandom("hostile file")(10);
const FILE_HASH = toHex(sha256(FILE));

/** One sequence's world. */
interface World {
  readonly peer: RawPeer;
  readonly model: SessionModel;
  readonly ratchet: RawRatchet;
  readonly chunks: "ratchet" | "plain" | "box";
  transfers: Transfers | undefined;
  now: number;
  /** The transfer that the peer carries on with when it behaves. */
  course: { readonly id: TransferId; readonly fileHash: string; next: number } | undefined;
  courses: number;
}

/** A step of a sequence: what it does, and the codes that may end the session by it. */
interface Step {
  readonly does: string;
  readonly codes: readonly string[];
  readonly run: (world: World) => void;
}

/** Codes that end a session before HELLO whatever else the frame is. */
const EARLY = ["INVALID_STATE", "HELLO_PARSE_ERROR", "HELLO_DECRYPT_FAIL"];

/** Hears a frame; like the program, ends the session when a whole file has another hash. */
function hear({ peer, model, now }: World, frame: WireFrame): void {
  const effects = peer.session.receive(frame, now);
  const isOther = effects.some((effect) => {
    if (effect.type !== "transfer-ended" || effect.outcome !== "completed") return false;
    const offered = model.live.get(effect.transferId)?.file?.fileHash;
    return offered !== undefined && offered.hex !== FILE_HASH;
  });
  model.step(effects);
  if (isOther) model.step(peer.session.fail("INTEGRITY_FAILED", "it is another file"));
}

function frame(does: string, codes: readonly string[], make: (world: World) => WireFrame): Step {
  const run = (world: World) => hear(world, make(world));
  return { does, codes: [...codes, ...EARLY], run };
}

const sealed = (inner: Record<string, unknown>, ...codes: string[]): Step =>
  frame(JSON.stringify(inner), codes, ({ peer }) => peer.envelope(inner));

const ids = fc.constantFrom(...IDS);

const offers = fc.record({
  transferId: ids,
  size: fc.constantFrom(0, 1, 4, 8, 10, 10, 10, 11 * 2 ** 30),
  hash: fc.constantFrom(FILE_HASH, FILE_HASH, "0".repeat(64), undefined),
}).map(({ transferId, size, hash }) =>
  sealed(
    {
      type: "file-offer",
      transferId,
      filename: "f",
      size,
      totalChunks: Math.ceil(size / CHUNK),
      chunkSize: CHUNK,
      fileHash: hash,
    },
    "REPLAY_DETECTED",
    "INVALID_MESSAGE",
  )
);

const chunks = fc.record({
  transferId: ids,
  index: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
  length: fc.constantFrom(CHUNK, CHUNK, CHUNK, 2, 0),
  sealing: fc.constantFrom("right", "right", "right", "wrong", "none"),
}).map(({ transferId, index, length, sealing }) => {
  const codes = ["INVALID_STATE", "REPLAY_DETECTED", "TRANSFER_FAILED", "INVALID_MESSAGE"];
  codes.push("PROTOCOL_VIOLATION", "ENCRYPTION_FAILED", "RATCHET_STATE_ERROR");
  codes.push("RATCHET_DOWNGRADE_REJECTED");
  return frame(`${sealing} chunk ${index} of ${transferId[0]}, ${length} bytes`, codes, (world) => {
    const plaintext = FILE.slice(index * CHUNK, index * CHUNK + length);
    const message = {
      type: "file-chunk",
      transferId,
      filename: "f",
      chunkIndex: index,
      totalChunks: 3,
      fileSize: 10,
    };
    const { peer, ratchet } = world;
    if (world.chunks === "ratchet" && sealing === "right") {
      const { chunk, fields } = ratchet.chunk(transferId, index, plaintext);
      return peer.envelope({ ...message, chunk }, fields);
    }
    const boxed = (world.chunks === "box") === (sealing === "right");
    const chunk = boxed ? peer.seal(plaintext) : plaintext.toBase64();
    return peer.envelope({ ...message, chunk: sealing === "none" ? undefined : chunk });
  });
});

/** What the codes of a behaving peer can be: noise before it may have put it out of place. */
const STRAYED = [
  ...["INVALID_STATE", "REPLAY_DETECTED", "TRANSFER_FAILED", "INTEGRITY_FAILED"],
  ...["RATCHET_STATE_ERROR", "RATCHET_DOWNGRADE_REJECTED"],
  ...EARLY,
];

/** The next message of a peer that behaves: offer (to be accepted), chunks, finish. */
const onwards = fc.record({
  fileHash: fc.constantFrom(FILE_HASH, FILE_HASH, "0".repeat(64)),
  slip: fc.constantFrom("", "", "", "", "", "", "", "generation", "downgrade"),
}).map(({ fileHash, slip }): Step => ({
  does: "go on",
  codes: STRAYED,
  run: (world) => {
    const { peer, model, now } = world;
    const say = (frame: WireFrame) => hear(world, frame);
    const shape = { filename: "f", totalChunks: 3 };
    world.course ??= {
      id: world.courses.toString(16).padStart(32, "e") as TransferId,
      fileHash,
      next: -1,
    };
    const { course } = world;
    const transferId = course.id;
    if (course.next === -1) {
      const offer = {
        type: "file-offer",
        transferId,
        ...shape,
        size: 10,
        chunkSize: CHUNK,
        fileHash,
      };
      if (world.chunks !== "box") say(peer.envelope(offer));
      if (model.live.get(transferId)?.started === false) {
        model.step(world.transfers?.accept(transferId, now) ?? []);
      }
    } else if (course.next < 3) {
      const index = course.next;
      const plaintext = FILE.slice(index * CHUNK, index * CHUNK + CHUNK);
      const hash = index === 0 ? { fileHash } : {};
      const message = {
        type: "file-chunk",
        transferId,
        ...shape,
        chunkIndex: index,
        fileSize: 10,
        ...hash,
      };
      if (world.chunks === "ratchet" && slip !== "downgrade") {
        const ahead = slip === "generation" ? 1 : 0;
        const { chunk, fields } = world.ratchet.chunk(transferId, index, plaintext, ahead);
        say(peer.envelope({ ...message, chunk }, fields));
      } else {
        const chunk = world.chunks === "box" ? peer.seal(plaintext) : plaintext.toBase64();
        say(peer.envelope({ ...message, chunk }));
      }
    } else {
      say(peer.envelope({ type: "file-finish", transferId }));
      world.course = undefined;
      world.courses++;
    }
    course.next++;
  },
}));

/** Fields of an extension that these sessions do not have: nothing comes of them. */
const unknownFields = fc.constantFrom(
  ...[{}, {}, { resumeFrom: CHUNK }, { resumeFrom: "x" }, { resumable: true }, { retryOf: 1 }],
);

const controls = fc.record({
  type: fc.constantFrom("file-accept", "file-finish", "pause", "resume", "cancel"),
  transferId: ids,
  fields: unknownFields,
}).map(({ type, transferId, fields }) =>
  sealed(
    type === "cancel"
      ? { type, transferId, cancelledBy: "sender", ...fields }
      : { type, transferId, ...fields },
    "INVALID_STATE",
    "TRANSFER_FAILED",
    "INTEGRITY_FAILED",
  )
);

const others = fc.constantFrom(
  sealed({ type: "ping", ts_ms: 1 }),
  sealed({ type: "pong", ts_ms: 1, reply_to_ms: 1 }),
  sealed({ type: "app_message", text: "hi" }),
);

/** What ends the session at once, so it is to be rarer. */
const fatal = fc.oneof(
  fc.constantFrom(
    sealed({ type: "error", code: "LIMIT_EXCEEDED", message: "", transferId: IDS[0] }),
    sealed({ type: "error", code: "TRANSFER_FAILED", message: "" }, "TRANSFER_FAILED"),
    sealed({ type: "error", code: "WHATEVER", message: "" }, "PROTOCOL_VIOLATION"),
    sealed({ type: "no-such-type" }, "UNKNOWN_MESSAGE_TYPE"),
    frame("hello", ["DUPLICATE_HELLO"], ({ peer }) => peer.hello()),
    frame(
      "bad hello",
      ["DUPLICATE_HELLO", "HELLO_SCHEMA_ERROR"],
      ({ peer }) => peer.hello({ version: 0.5 }),
    ),
    frame("plain ping", ["ENVELOPE_REQUIRED"], () => '{"type":"ping","ts_ms":1}'),
    frame(
      "plain error",
      ["ENVELOPE_REQUIRED", "KEY_MISMATCH"],
      () => '{"type":"error","code":"KEY_MISMATCH","message":""}',
    ),
  ),
  fc.string().map((text) => frame("text", ["ENVELOPE_INVALID", "ENVELOPE_REQUIRED"], () => text)),
  fc.jsonValue().map((value) =>
    frame(
      "sealed json",
      ["INVALID_MESSAGE", "UNKNOWN_MESSAGE_TYPE"],
      ({ peer }) => peer.envelope(value === undefined ? null : value),
    )
  ),
  fc.base64String().map((payload) =>
    frame(
      "forged envelope",
      ["ENVELOPE_DECRYPT_FAIL", "ENVELOPE_INVALID"],
      () => JSON.stringify({ type: "profile-envelope", version: 1, encoding: "base64", payload }),
    )
  ),
  fc.uint8Array({ maxLength: 80 }).map((bytes) =>
    frame(
      "forged bytes",
      ["ENVELOPE_DECRYPT_FAIL", "ENVELOPE_INVALID"],
      () => new Uint8Array([1, ...bytes]),
    )
  ),
  fc.uint8Array({ maxLength: 80 }).map((plain) =>
    frame(
      "sealed bytes",
      ["INVALID_MESSAGE", "ENVELOPE_INVALID", "INVALID_STATE", "UNKNOWN_MESSAGE_TYPE"],
      ({ peer }) => peer.binaryEnvelope(plain),
    )
  ),
);

function local(does: string, move: (world: World, transfers: Transfers) => void): Step {
  const run = (world: World) => {
    if (world.transfers === undefined) return;
    try {
      move(world, world.transfers);
    } catch (error) {
      // The program in this test moves blindly; a move that is not allowed must change nothing.
      if (!(error instanceof MisuseError)) throw error;
    }
  };
  return { does, codes: [], run };
}

const locals = fc.oneof(
  fc.constant<Step>({
    does: "approve",
    codes: [],
    run: (world) => {
      if (world.peer.session.phase !== "undecided") return;
      const { transfers, effects } = world.peer.session.approve(world.now);
      world.transfers = transfers;
      world.model.approve();
      world.model.step(effects);
    },
  }),
  ids.map((id) =>
    local("accept", ({ model, now }, transfers) => model.step(transfers.accept(id, now)))
  ),
  fc.record({ id: ids, move: fc.constantFrom("pause" as const, "resume" as const) })
    .map(({ id, move }) =>
      local(move, ({ model, now }, transfers) => model.step(transfers[move](id, now)))
    ),
  fc.record({ id: ids, move: fc.constantFrom("cancel" as const, "fail" as const) })
    .map(({ id, move }) =>
      local(move, ({ model }, transfers) => model.step(transfers[move](id, "blindly")))
    ),
  fc.constantFrom(
    local("offer", (world, transfers) => {
      const file = { filename: "g", size: 10, fileHash: FILE_HASH };
      const { transferId, effects } = transfers.offer(file, world.now);
      world.model.offered(transferId);
      world.model.step(effects);
      // The peer it is offered to takes it, so that the sending side is reached as well.
      const accept = world.peer.envelope({ type: "file-accept", transferId });
      if (world.now % 2 === 0 && world.chunks !== "box") {
        world.model.step(world.peer.session.receive(accept, world.now));
      }
    }),
    local("send", ({ model, now }, transfers) => {
      for (const id of model.live.keys()) {
        const next = transfers.nextChunk(id);
        if (next !== undefined) model.step(transfers.sendChunk(id, FILE, now));
      }
    }),
  ),
);

const waits = fc.constantFrom(1, 4_999, 15_000, 60_000).map((ms): Step => ({
  does: `wait ${ms}`,
  codes: ["CONNECTION_LOST"],
  run: (world) => {
    world.now += ms;
    world.model.step(world.peer.session.tick(world.now));
    const next = world.peer.session.nextDeadline;
    assert(next === undefined || next > world.now, "a deadline that passed is still there");
  },
}));

const steps = fc.array(
  fc.oneof(
    { weight: 30, arbitrary: onwards },
    { weight: 2, arbitrary: offers },
    { weight: 3, arbitrary: chunks },
    { weight: 2, arbitrary: controls },
    { weight: 2, arbitrary: others },
    { weight: 1, arbitrary: fatal },
    { weight: 5, arbitrary: locals },
    { weight: 1, arbitrary: waits },
  ),
  { minLength: 1, maxLength: 20 },
);

/** How a sequence begins: usually with a HELLO and an approval, so that it gets somewhere. */
const beginnings = fc.record({
  hello: fc.constantFrom(true, true, true, true, true, false),
  approve: fc.constantFrom(true, true, true, false),
  chunks: fc.constantFrom("ratchet" as const, "plain" as const, "box" as const),
});

const keysOf = ({ ephemeral, victimEphemeral }: RawPeer) => ({
  ephemeral,
  victim: victimEphemeral.publicKey,
});

function begin(
  { hello, approve, chunks }: { hello: boolean; approve: boolean; chunks: World["chunks"] },
): World {
  const capabilities = ALL_CAPABILITIES
    .filter((capability) => chunks === "ratchet" || !capability.includes("ratchet"));
  const peer = new RawPeer({ peerKind: chunks === "box" ? "web" : "daemon" });
  const model = new SessionModel((frame) => peer.read(frame));
  const world: World = {
    peer,
    model,
    ratchet: new RawRatchet({ ...keysOf(peer), random: peer.random }),
    chunks,
    transfers: undefined,
    now: 0,
    course: undefined,
    courses: 0,
  };
  model.step(peer.session.start(0));
  if (!hello) return world;
  model.step(peer.session.receive(peer.hello({ capabilities }), 0));
  if (!approve) return world;
  const { transfers, effects } = peer.session.approve(0);
  world.transfers = transfers;
  model.approve();
  model.step(effects);
  return world;
}

test("any sequence of a hostile peer leaves a legal state, bounded, and the right code", () => {
  using _ = memoisedX25519();
  const reached = new Map<string, number>();
  fc.assert(
    fc.property(beginnings, steps, (beginning, sequence) => {
      const world = begin(beginning);
      for (const step of sequence) {
        const wasClosed = world.model.closed !== undefined;
        step.run(world);
        const { closed } = world.model;
        if (closed !== undefined && !wasClosed) {
          assert(step.codes.includes(closed), `${step.does} ended the session with ${closed}`);
        }
        if (closed !== undefined) assert(world.peer.session.phase === "closed");
      }
      world.model.step(world.peer.session.close());
      assert(world.model.closed !== undefined && world.model.live.size === 0);
      assert(world.peer.victimEphemeral.secretKey.spent);
      reached.set(world.model.closed, (reached.get(world.model.closed) ?? 0) + 1);
    }),
    { numRuns: runs(SEQUENCES) },
  );
  if (runs(SEQUENCES) < SEQUENCES) return;
  // The model is worth something only if it gets to the corners.
  for (
    const code of [
      ...["in order", "INVALID_STATE", "TRANSFER_FAILED", "INTEGRITY_FAILED", "REPLAY_DETECTED"],
      ...["INVALID_MESSAGE", "RATCHET_STATE_ERROR", "RATCHET_DOWNGRADE_REJECTED"],
      ...["ENCRYPTION_FAILED", "CONNECTION_LOST", "ENVELOPE_REQUIRED", "UNKNOWN_MESSAGE_TYPE"],
    ]
  ) assert(reached.has(code), `no sequence ended with ${code}: ${[...reached.keys()]}`);
});
