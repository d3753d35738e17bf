import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FileHash } from "../crypto/sha256.ts";
import { ERROR_ACTIONS, isErrorCode, ProtocolError } from "../errors.ts";
import { forMessages, shown } from "../testing/inner_messages.ts";
import { runs } from "../testing/runs.ts";
import { isJsonObject, type JsonObject, parseJsonObject } from "../json.ts";
import { chunkCount, encodeInnerMessage, parseInnerMessage } from "./inner_message.ts";

function codeOf(object: JsonObject): string {
  return assertThrows(() => parseInnerMessage(object), ProtocolError).code;
}

const ID = "00112233445566778899aabbccddeeff";
const HASH = "ab".repeat(32);

const OFFER = {
  type: "file-offer",
  transferId: ID,
  filename: "notes.txt",
  size: 20_000,
  totalChunks: 2,
  chunkSize: 16_384,
  fileHash: HASH,
};

const CHUNK = {
  type: "file-chunk",
  transferId: ID,
  filename: "notes.txt",
  chunkIndex: 1,
  totalChunks: 2,
  chunk: "AAAA",
  fileSize: 20_000,
};

Deno.test("any message is the same after encoding and parsing", () => {
  forMessages(2_000, (message) => {
    const object = parseJsonObject(encodeInnerMessage(message));
    assert(object !== undefined);
    assertEquals(shown(parseInnerMessage(object)), shown(message));
  });
});

Deno.test("messages are encoded with exactly the wire's names", () => {
  const id = parseInnerMessage({ type: "pause", transferId: ID });
  assert(id.type === "pause");
  const { transferId } = id;
  const fileHash = FileHash.parse(HASH);
  assert(fileHash !== undefined);
  const encoded = [
    encodeInnerMessage({ type: "ping", tsMs: 5 }),
    encodeInnerMessage({ type: "pong", tsMs: 6, replyToMs: 5 }),
    encodeInnerMessage({ type: "app_message", text: "hi" }),
    encodeInnerMessage({
      type: "file-offer",
      transferId,
      filename: "a",
      size: 1,
      totalChunks: 1,
      chunkSize: 16384,
      fileHash,
    }),
    encodeInnerMessage({ type: "file-accept", transferId }),
    encodeInnerMessage({
      type: "file-chunk",
      transferId,
      file: { filename: "a", fileSize: 1 },
      chunkIndex: 0,
      totalChunks: 1,
      chunk: new Uint8Array(1),
    }),
    encodeInnerMessage({ type: "file-finish", transferId }),
    encodeInnerMessage({ type: "cancel", transferId, cancelledBy: "initiator" }),
    encodeInnerMessage({ type: "error", code: "LIMIT_EXCEEDED", message: "m", transferId }),
  ];
  assertEquals(encoded, [
    '{"type":"ping","ts_ms":5}',
    '{"type":"pong","ts_ms":6,"reply_to_ms":5}',
    '{"type":"app_message","text":"hi"}',
    `{"type":"file-offer","transferId":"${ID}","filename":"a","size":1,"totalChunks":1,` +
    `"chunkSize":16384,"fileHash":"${HASH}"}`,
    `{"type":"file-accept","transferId":"${ID}"}`,
    `{"type":"file-chunk","transferId":"${ID}","filename":"a","chunkIndex":0,"totalChunks":1,` +
    `"chunk":"AA==","fileSize":1}`,
    `{"type":"file-finish","transferId":"${ID}"}`,
    `{"type":"cancel","transferId":"${ID}","cancelledBy":"initiator"}`,
    `{"type":"error","code":"LIMIT_EXCEEDED","message":"m","transferId":"${ID}"}`,
  ]);
});

Deno.test("any JSON gives a message or a protocol error, never another throw", () => {
  const keys = fc.constantFrom(
    ...["type", "transferId", "filename", "size", "totalChunks", "chunkSize", "fileHash", "chunk"],
    ...["chunkIndex", "fileSize", "cancelledBy", "code", "message", "ts_ms", "text", "__proto__"],
  );
  const values = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("file-offer", "file-chunk", "error", "cancel", "pong", ID, HASH, 0, 1, null),
  );
  const near = fc.dictionary(keys, values).map((object) => JSON.stringify(object));
  fc.assert(
    fc.property(fc.oneof(fc.json(), near, fc.string()), (text) => {
      const object = parseJsonObject(text);
      if (object === undefined) return;
      try {
        parseInnerMessage(object);
      } catch (error) {
        assert(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: runs(5_000) },
  );
});

Deno.test("unknown fields are ignored", () => {
  for (const message of [OFFER, CHUNK]) {
    const more = JSON.parse(JSON.stringify({ ...message, future: { deep: [1] } }));
    assertEquals(shown(parseInnerMessage(more)), shown(parseInnerMessage(message)));
  }
});

Deno.test("a __proto__ key in JSON is a key like any other: it lends no fields", () => {
  const object = parseJsonObject(
    `{"type":"pause","__proto__":{"transferId":"${ID}","polluted":true}}`,
  );
  assert(object !== undefined);
  assertEquals(codeOf(object), "INVALID_MESSAGE");
  assertEquals(Reflect.get({}, "polluted"), undefined);
});

Deno.test("each field that is absent or of another type is an invalid message", () => {
  for (const message of [OFFER, CHUNK]) {
    for (const key of Object.keys(message).filter((key) => key !== "type" && key !== "fileHash")) {
      for (const value of [undefined, null, true, {}, [], -1, 1.5, 2 ** 53, NaN]) {
        const broken = { ...message, [key]: value };
        assertEquals(codeOf(broken), "INVALID_MESSAGE", `${key}: ${String(value)}`);
      }
    }
  }
});

Deno.test("counts that contradict each other are an invalid message", () => {
  const bad = [
    { ...OFFER, totalChunks: 1 },
    { ...OFFER, totalChunks: 3 },
    { ...OFFER, chunkSize: 0 },
    { ...OFFER, size: 0, totalChunks: 1 },
    { ...CHUNK, chunkIndex: 2 },
    { ...CHUNK, totalChunks: 0 },
    { ...CHUNK, totalChunks: 20_001 },
  ];
  for (const message of bad) assertEquals(codeOf(message), "INVALID_MESSAGE");
  assertEquals(parseInnerMessage({ ...OFFER, size: 0, totalChunks: 0 }).type, "file-offer");
});

Deno.test("names, ids and hashes are bounded", () => {
  const bad = [
    { ...OFFER, filename: "" },
    { ...OFFER, filename: "a".repeat(1025) },
    { ...OFFER, filename: "€".repeat(342) },
    { ...OFFER, filename: "\ud800" },
    { ...OFFER, transferId: ID + "0" },
    { ...OFFER, transferId: ID.replace("0", "g") },
    { ...OFFER, fileHash: "ab" },
    { ...OFFER, fileHash: HASH + "ab" },
    { ...OFFER, fileHash: 7 },
  ];
  for (const message of bad) assertEquals(codeOf(message), "INVALID_MESSAGE");
  for (const filename of ["a".repeat(1024), "€".repeat(341)]) {
    assertEquals(parseInnerMessage({ ...OFFER, filename }).type, "file-offer");
  }
});

Deno.test("an inbound code that is not in the registry is a protocol violation", () => {
  assertEquals(Object.keys(ERROR_ACTIONS).length, 26);
  for (const code of Object.keys(ERROR_ACTIONS)) {
    assertEquals(parseInnerMessage({ type: "error", code, message: "" }).type, "error");
  }
  for (const code of ["OUR_OWN", "toString", "__proto__", 7, null, undefined]) {
    assert(!isErrorCode(code));
    assertEquals(codeOf({ type: "error", code, message: "" }), "PROTOCOL_VIOLATION");
  }
});

Deno.test("MUST NOT define new message types: a type that the wire lacks is unknown", () => {
  for (const type of ["file-request", "PING", "hello", "profile-envelope", "constructor"]) {
    assertEquals(codeOf({ type }), "UNKNOWN_MESSAGE_TYPE");
  }
  assertEquals(codeOf({}), "INVALID_MESSAGE");
  assertEquals(codeOf({ type: 5 }), "INVALID_MESSAGE");
});

Deno.test("all four spellings of who cancelled are taken, and no other", () => {
  for (const cancelledBy of ["initiator", "responder", "sender", "receiver"]) {
    assertEquals(parseInnerMessage({ type: "cancel", transferId: ID, cancelledBy }).type, "cancel");
  }
  assertEquals(codeOf({ type: "cancel", transferId: ID, cancelledBy: "me" }), "INVALID_MESSAGE");
});

Deno.test("chunks are counted exactly up to the largest safe integer", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.integer({ min: 1 }), (size, chunkSize) => {
    const exact = (BigInt(size) + BigInt(chunkSize) - 1n) / BigInt(chunkSize);
    assertEquals(BigInt(chunkCount(size, chunkSize)), exact);
  }));
});

Deno.test("only JSON objects are messages", () => {
  for (const text of ["", "[]", "null", "5", '"x"', "{", "bolt-hello-v1"]) {
    assertEquals(parseJsonObject(text), undefined);
  }
  assert(!isJsonObject([]));
});
