/**
 * A reader of the published protocol: what a peer checks that knows the published schemas and nothing
 * of ours. Unknown fields are ignored; every published field, its type, and the order of messages are
 * held. It shares no code with the protocol core: written from the published description, with
 * cryptography of its own.
 *
 * @module
 */
import { hkdfSync } from "node:crypto";
import nacl from "tweetnacl";

/** A JSON object that nobody has looked at. */
export type Fields = Readonly<Record<string, unknown>>;

/** Something that a published peer refuses. */
export class Violation extends Error {}

const violated = (what: string): never => {
  throw new Violation(what);
};

/** The registered codes that travel: CONNECTION_LOST is local only. */
const ERROR_CODES: readonly unknown[] = [
  ...["VERSION_MISMATCH", "ENCRYPTION_FAILED", "INTEGRITY_FAILED", "REPLAY_DETECTED"],
  ...["TRANSFER_FAILED", "LIMIT_EXCEEDED", "PEER_NOT_FOUND", "ALREADY_CONNECTED", "INVALID_STATE"],
  ...["KEY_MISMATCH", "DUPLICATE_HELLO", "ENVELOPE_REQUIRED", "ENVELOPE_UNNEGOTIATED"],
  ...["ENVELOPE_DECRYPT_FAIL", "ENVELOPE_INVALID", "HELLO_PARSE_ERROR", "HELLO_DECRYPT_FAIL"],
  ...["HELLO_SCHEMA_ERROR", "INVALID_MESSAGE", "UNKNOWN_MESSAGE_TYPE", "PROTOCOL_VIOLATION"],
  ...["RATCHET_STATE_ERROR", "RATCHET_CHAIN_ERROR", "RATCHET_DECRYPT_FAIL"],
  "RATCHET_DOWNGRADE_REJECTED",
];
/** Codes that end a transfer only. */
const TRANSFER_CODES: readonly unknown[] = [
  "LIMIT_EXCEEDED",
  "RATCHET_CHAIN_ERROR",
  "RATCHET_DECRYPT_FAIL",
];
const CAPABILITIES = [
  "bolt.file-hash",
  "bolt.profile-envelope-v1",
  "bolt.transfer-ratchet-v1",
] as const;
/** What a published web client does not know, and takes for a violation. */
const UNKNOWN_TO_WEB = ["file-offer", "file-accept", "file-finish", "ping", "pong"];

const HEX_ID = /^[0-9a-f]{32}$/;
const HEX_HASH = /^[0-9a-f]{64}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** An object, or a violation. */
export function objectOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return violated(`${what} is no object`);
  }
  return value as Fields;
}

/** JSON of any kind, or a violation. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return violated("no JSON");
  }
}

/** A text of an object, or a violation. */
export function text(fields: Fields, name: string, pattern?: RegExp): string {
  const value = fields[name];
  if (typeof value !== "string") return violated(`${name} is no text`);
  if (pattern !== undefined && !pattern.test(value)) violated(`${name} is not as published`);
  return value;
}

/** A whole number from 0 up, or a violation. */
export function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    return violated(`${name} is no whole number`);
  }
  return value;
}

/** Bytes written in base64, or a violation. */
export function base64(fields: Fields, name: string, length?: number): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.fromBase64(text(fields, name, BASE64));
  if (length !== undefined && bytes.length !== length) violated(`${name} has not ${length} bytes`);
  return bytes;
}

const hkdf = (ikm: Uint8Array, info: string, salt: Uint8Array = new Uint8Array()) =>
  new Uint8Array(hkdfSync("sha256", ikm, salt, info, 32));

/** The reader's keys for the connection, and what it is. */
export interface ReaderOptions {
  /** Its own secret half. */
  readonly secretKey: Uint8Array;
  /** The other side's half. */
  readonly remotePublicKey: Uint8Array;
  /** What kind of published peer it is. */
  readonly kind: "daemon" | "web";
  /** What it said in its HELLO. @default {all published ones} */
  readonly capabilities?: readonly string[];
  /** Ids of the files that it offered itself. @default {none} */
  readonly offered?: readonly string[];
}

/** A file that the other side sends. */
interface Incoming {
  readonly filename: string;
  readonly size: number;
  readonly totalChunks: number;
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number;
  next: number;
  chain: Uint8Array | undefined;
  readonly bytes: number[];
}

/** Reads the frames of one session, in order; what a published peer would refuse is thrown. */
export class PublishedReader {
  readonly #options: ReaderOptions;
  readonly #negotiated = new Set<string>();
  readonly #incoming = new Map<string, Incoming>();
  readonly #whole = new Map<string, Uint8Array>();
  readonly #box: Uint8Array;
  #root: Uint8Array;
  #generation = 0;
  #state: "hello" | "open" | "over" = "hello";

  /** Waits for HELLO. */
  constructor(options: ReaderOptions) {
    this.#options = options;
    const { secretKey, remotePublicKey } = options;
    this.#box = nacl.box.before(remotePublicKey, secretKey);
    const shared = nacl.scalarMult(secretKey, remotePublicKey);
    this.#root = hkdf(shared, "bolt-btr-session-root-v1");
  }

  /** The files that came whole, by transfer id. */
  get received(): ReadonlyMap<string, Uint8Array> {
    return this.#whole;
  }

  /**
   * Reads the next frame.
   *
   * @returns What it says, opened: the HELLO, the inner message or the plaintext error, as JSON text.
   * @throws {Violation} When a published peer would refuse it.
   */
  read(message: string | Uint8Array): string {
    if (typeof message !== "string") return violated("sent as bytes, not as text");
    if (this.#state === "over") violated("a frame after the end");
    if (message.length > 262_144) violated("a frame that is too large for a channel");
    const frame = objectOf(parsed(message), "the frame");
    const type = text(frame, "type");
    if (type === "error") return this.#plainError(frame, message);
    if (this.#state === "hello") {
      if (type !== "hello") violated(`${type} before HELLO`);
      return this.#hello(this.#open(frame));
    }
    if (type === "hello") violated("a second HELLO");
    if (type !== "profile-envelope") violated(`${type} outside an envelope`);
    if (frame.version !== 1 || frame.encoding !== "base64") violated("the envelope's version");
    const plaintext = this.#open(frame);
    this.#inner(objectOf(parsed(plaintext), "the inner message"), frame);
    return plaintext;
  }

  #open(frame: Fields): string {
    const sealed = base64(frame, "payload");
    const opened = nacl.box.open.after(sealed.subarray(24), sealed.subarray(0, 24), this.#box);
    if (opened === null) return violated("a seal that does not open");
    return new TextDecoder("utf-8", { fatal: true }).decode(opened);
  }

  #hello(plaintext: string): string {
    const hello = objectOf(parsed(plaintext), "HELLO");
    if (hello.type !== "hello" || hello.version !== 1) violated("HELLO's type or version");
    base64(hello, "identityPublicKey", 32);
    const { capabilities } = hello;
    if (!Array.isArray(capabilities) || capabilities.length > 32) violated("HELLO's capabilities");
    const listed: readonly unknown[] = Array.isArray(capabilities) ? capabilities : [];
    for (const one of listed) {
      if (typeof one !== "string") violated("a capability is no text");
      if (new TextEncoder().encode(String(one)).length > 64) violated("a capability is too long");
    }
    const { capabilities: ours = CAPABILITIES } = this.#options;
    for (const one of ours) if (listed.includes(one)) this.#negotiated.add(one);
    if (!this.#negotiated.has("bolt.profile-envelope-v1")) violated("no bolt.profile-envelope-v1");
    this.#state = "open";
    return plaintext;
  }

  #plainError(frame: Fields, message: string): string {
    const code = this.#error(frame);
    if (this.#state === "open" && !code.startsWith("ENVELOPE_")) violated(`${code} in plaintext`);
    this.#state = "over";
    return message;
  }

  #error(fields: Fields): string {
    if (!ERROR_CODES.includes(fields.code)) violated(`${fields.code} is not registered`);
    text(fields, "message");
    return text(fields, "code");
  }

  #inner(inner: Fields, envelope: Fields): void {
    const type = text(inner, "type");
    const isChunk = type === "file-chunk";
    const ratchetFields = ["chain_index", "ratchet_public_key", "ratchet_generation"];
    if (!isChunk && ratchetFields.some((name) => envelope[name] !== undefined)) {
      violated(`ratchet fields beside ${type}`);
    }
    if (this.#options.kind === "web" && UNKNOWN_TO_WEB.includes(type)) {
      violated(`${type} to a web client`);
    }
    switch (type) {
      case "ping":
        count(inner, "ts_ms");
        return;
      case "pong":
        count(inner, "ts_ms");
        count(inner, "reply_to_ms");
        return;
      case "app_message":
        text(inner, "text");
        return;
      case "file-offer":
        return this.#offer(inner);
      case "file-chunk":
        return this.#chunk(inner, envelope);
      case "file-finish":
        return this.#finish(inner);
      case "file-accept":
        if (!this.#isOurs(inner)) violated("an accept of nothing that was offered");
        return;
      case "pause":
      case "resume":
        this.#known(inner);
        return;
      case "cancel": {
        const by = text(inner, "cancelledBy", /^(initiator|responder|sender|receiver)$/);
        const isSender = by === "initiator" || by === "sender";
        if (this.#options.kind === "web" && !/^(sender|receiver)$/.test(by)) {
          violated("cancelledBy");
        }
        if (this.#isOurs(inner) === isSender) violated("cancelledBy names the other side");
        this.#known(inner);
        this.#incoming.delete(text(inner, "transferId"));
        return;
      }
      case "error": {
        const code = this.#error(inner);
        const { transferId } = inner;
        if (transferId !== undefined) this.#known(inner);
        const isOfTransfer = transferId !== undefined && TRANSFER_CODES.includes(code);
        // A web client takes any error for the end.
        if (!isOfTransfer || this.#options.kind === "web") this.#state = "over";
        return;
      }
      default:
        violated(`${type} is not published`);
    }
  }

  #isOurs(inner: Fields): boolean {
    return (this.#options.offered ?? []).includes(text(inner, "transferId", HEX_ID));
  }

  #known(inner: Fields): void {
    const id = text(inner, "transferId", HEX_ID);
    if (this.#isOurs(inner) || this.#incoming.has(id) || this.#whole.has(id)) return;
    violated(`${inner.type} of an unknown transfer`);
  }

  #hash(fields: Fields, isRequired: boolean): void {
    if (isRequired || fields.fileHash !== undefined) text(fields, "fileHash", HEX_HASH);
  }

  #offer(inner: Fields): void {
    const id = text(inner, "transferId", HEX_ID);
    if (this.#incoming.size > 0) violated("a second offer while one waits or flows");
    if (this.#whole.has(id)) violated("an offer again");
    const filename = text(inner, "filename", /^[^]{1,1024}$/);
    const size = count(inner, "size");
    const totalChunks = count(inner, "totalChunks");
    const chunkSize = count(inner, "chunkSize");
    if (totalChunks !== Math.ceil(size / chunkSize)) violated("totalChunks");
    this.#hash(inner, this.#negotiated.has("bolt.file-hash"));
    const file = { filename, size, totalChunks, chunkSize, next: 0, chain: undefined, bytes: [] };
    this.#incoming.set(id, file);
  }

  #chunk(inner: Fields, envelope: Fields): void {
    const id = text(inner, "transferId", HEX_ID);
    const index = count(inner, "chunkIndex");
    const isImplied = this.#options.kind === "web";
    if (isImplied && index === 0 && !this.#incoming.has(id)) {
      this.#hash(inner, this.#negotiated.has("bolt.file-hash"));
      const [size, totalChunks] = [count(inner, "fileSize"), count(inner, "totalChunks")];
      const filename = text(inner, "filename");
      const chunkSize = 16_384;
      if (totalChunks !== Math.ceil(size / chunkSize)) violated("totalChunks");
      const file = { filename, size, totalChunks, chunkSize, next: 0, chain: undefined, bytes: [] };
      this.#incoming.set(id, file);
    }
    const file = this.#incoming.get(id) ?? violated("a chunk without an offer");
    const { filename, size, totalChunks, chunkSize } = file;
    if (index !== file.next++) violated("a chunk out of order");
    if (text(inner, "filename") !== filename || count(inner, "fileSize") !== size) {
      violated("a chunk's header");
    }
    if (count(inner, "totalChunks") !== totalChunks) violated("totalChunks");
    const plain = this.#chunkBytes(id, file, index, base64(inner, "chunk"), envelope);
    const expected = index === totalChunks - 1 ? size - index * chunkSize : chunkSize;
    if (plain.length !== expected) violated(`chunk ${index} has ${plain.length} bytes`);
    file.bytes.push(...plain);
    if (isImplied && index === totalChunks - 1) this.#end(id, file);
  }

  #chunkBytes(
    id: string,
    file: Incoming,
    index: number,
    bytes: Uint8Array,
    envelope: Fields,
  ): Uint8Array {
    const { secretKey, kind } = this.#options;
    const [nonce, sealed] = [bytes.subarray(0, 24), bytes.subarray(24)];
    if (!this.#negotiated.has("bolt.transfer-ratchet-v1")) {
      if (envelope.chain_index !== undefined) violated("a ratchet that was not negotiated");
      if (kind === "daemon") return bytes;
      return nacl.box.open.after(sealed, nonce, this.#box) ?? violated("a chunk's box");
    }
    if (count(envelope, "chain_index") !== index) violated("chain_index");
    if (index === 0) {
      const fresh = base64(envelope, "ratchet_public_key", 32);
      if (count(envelope, "ratchet_generation") !== ++this.#generation) violated("the generation");
      const shared = nacl.scalarMult(secretKey, fresh);
      this.#root = hkdf(shared, "bolt-btr-dh-ratchet-v1", this.#root);
      file.chain = hkdf(this.#root, "bolt-btr-transfer-root-v1", Uint8Array.fromHex(id));
    } else if (
      envelope.ratchet_public_key !== undefined || envelope.ratchet_generation !== undefined
    ) violated("a ratchet key in the middle of a transfer");
    const chain = file.chain ?? violated("no chain");
    file.chain = hkdf(chain, "bolt-btr-chain-advance-v1");
    const key = hkdf(chain, "bolt-btr-message-key-v1");
    return nacl.secretbox.open(sealed, nonce, key) ?? violated("a chunk's seal");
  }

  #finish(inner: Fields): void {
    const id = text(inner, "transferId", HEX_ID);
    const file = this.#incoming.get(id) ?? violated("a finish of no transfer");
    if (file.next !== file.totalChunks) violated("a finish before the last chunk");
    this.#hash(inner, false);
    this.#end(id, file);
  }

  #end(id: string, file: Incoming): void {
    this.#incoming.delete(id);
    this.#whole.set(id, Uint8Array.from(file.bytes));
  }
}
