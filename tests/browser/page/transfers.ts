/**
 * Files, as the published web client sends and takes them: no offer, no answer, no receipt. It has
 * one pause and one cancel for whatever it sends, forgets both when it begins a file, and says
 * "sent" when its last chunk is on its way.
 *
 * @module
 */
import { someBytes } from "../../support/some_bytes.ts";
import type { Happening } from "./options.ts";
import { type Seal, sha256 } from "./sealing.ts";
import type { DataChannel } from "./w3c.ts";

const CHUNK_BYTES = 65_536;
/** Between its last chunk and its "sent", in which a cancel still counts. */
const SENT_MS = 50;
/** How often it looks whether a pause is over. */
const PAUSED_LOOK_MS = 100;

/** A chunk of a file. */
interface Chunk {
  readonly type: "file-chunk";
  readonly transferId: string;
  readonly filename: string;
  readonly chunkIndex: number;
  readonly totalChunks: number;
  readonly chunk: string;
  readonly fileSize: number;
  readonly fileHash?: string;
}

/** What steers a transfer. */
interface Steering {
  readonly type: "pause" | "resume" | "cancel";
  readonly transferId: string;
}

/** A message about files. */
export type FileMessage = Chunk | Steering;

interface Incoming {
  readonly name: string;
  readonly hash: string | undefined;
  readonly chunks: Uint8Array<ArrayBuffer>[];
}

/** What transfers stand on. */
export interface TransfersOptions {
  /** The open channel. */
  readonly channel: DataChannel;
  /** The connection's. */
  readonly seal: Seal;
  /** Sends a message in an envelope. */
  readonly say: (message: object) => void;
  /** Told what happens. */
  readonly note: (kind: Happening["kind"], name: string, detail?: string, size?: number) => void;
}

/** The transfers of one session. */
export class Transfers {
  readonly #options: TransfersOptions;
  readonly #names = new Map<string, string>();
  readonly #incoming = new Map<string, Incoming>();
  readonly #outgoing = new Set<string>();
  #isPaused = false;
  #isCancelled = false;
  #isOver = false;
  #wake: () => void = () => {};

  /** Of an open session. */
  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /** Sends a file of bytes that can be made again; resolves when its people are told "sent". */
  async send(name: string, size: number, seed: number): Promise<string> {
    const { note } = this.#options;
    const bytes = someBytes(size, seed);
    const fileHash = await sha256(bytes);
    const transferId = crypto.getRandomValues(new Uint8Array(16)).toHex();
    this.#names.set(transferId, name);
    this.#outgoing.add(transferId);
    this.#isPaused = this.#isCancelled = false;
    const file = new Blob([bytes]);
    const totalChunks = Math.ceil(size / CHUNK_BYTES);
    for (let chunkIndex = 0; chunkIndex < totalChunks; chunkIndex++) {
      const at = chunkIndex * CHUNK_BYTES;
      const raw = await file.slice(at, at + CHUNK_BYTES).arrayBuffer();
      await this.#mayGoOn();
      if (this.#isCancelled) return fileHash;
      const place = { transferId, filename: name, chunkIndex, totalChunks, fileSize: size };
      const chunk = this.#options.seal.seal(new Uint8Array(raw));
      const first = chunkIndex === 0 ? { fileHash } : {};
      this.#options.say({ type: "file-chunk", ...place, chunk, ...first });
    }
    await after(SENT_MS);
    if (!this.#isCancelled) note("sent", name, fileHash, size);
    return fileHash;
  }

  /** Its people pause, resume or cancel a file, of either direction. */
  steer(type: Steering["type"], name: string): void {
    const transferId = [...this.#names].findLast(([, known]) => known === name)?.[0];
    if (transferId === undefined) throw new Error(`there is no file ${name}`);
    const isSender = this.#outgoing.has(transferId);
    const by = type === "cancel" ? { cancelledBy: isSender ? "sender" : "receiver" } : {};
    this.#options.say({ type, transferId, ...by });
    this.#obey(type, transferId);
  }

  /** The session has ended: what is being sent fails. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** A message about files has come. */
  take(message: FileMessage): void {
    if (message.type === "file-chunk") return this.#takeChunk(message);
    this.#obey(message.type, message.transferId);
    const kind =
      ({ pause: "paused", resume: "resumed", cancel: "cancelled" } as const)[message.type];
    this.#options.note(kind, this.#names.get(message.transferId) ?? "unknown");
  }

  #obey(type: Steering["type"], transferId: string): void {
    if (type === "cancel") {
      this.#incoming.delete(transferId);
      this.#isCancelled = true;
    } else this.#isPaused = type === "pause";
  }

  #takeChunk({ transferId, filename, totalChunks, chunk, fileHash }: Chunk): void {
    const file = this.#incoming.get(transferId) ?? { name: filename, hash: fileHash, chunks: [] };
    this.#incoming.set(transferId, file);
    this.#names.set(transferId, filename);
    file.chunks.push(this.#options.seal.open(chunk));
    if (file.chunks.length === totalChunks) void this.#finish(transferId, file);
  }

  async #finish(transferId: string, { name, hash, chunks }: Incoming): Promise<void> {
    this.#incoming.delete(transferId);
    const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
    const actual = await sha256(bytes);
    if (hash !== undefined && actual !== hash) throw new Error(`${name} has another hash`);
    this.#options.note("received", name, actual, bytes.length);
  }

  async #mayGoOn(): Promise<void> {
    const { channel } = this.#options;
    while (this.#isPaused && !this.#isCancelled && !this.#isOver) await after(PAUSED_LOOK_MS);
    if (channel.bufferedAmount > channel.bufferedAmountLowThreshold && !this.#isOver) {
      await new Promise<void>((resolve) => this.#wake = channel.onbufferedamountlow = resolve);
    }
    if (this.#isOver) throw new Error("the session ended in the middle of a file");
  }
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
