/**
 * Sends that come with a key: however often one is asked for, its files are sent once.
 *
 * The key is on disk before the first transfer is, and the ids of the transfers follow from it. So
 * what a crash has left out is made up for when the request comes again.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { SendParameters } from "../../../ipc/api/operations.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { RandomSource } from "../../../protocol/crypto/random_source.ts";
import type { KeyedRequest, RequestStore } from "../../../storage/request_store.ts";
import type { TransferEntry } from "./transfer_entry.ts";

/** Ids that transfers are to get, one for each file. */
export interface ChosenIds {
  /** 32 lower-case hex digits each. */
  readonly transferIds: readonly string[];
  /** Called when nothing can be refused any more, before the first transfer begins. */
  readonly commit: () => Promise<void>;
}

/** Options of {@linkcode KeyedSends}. */
export interface KeyedSendsOptions {
  /** The requests that came. */
  readonly store: RequestStore;
  /** The transfer of ours with an id, if it is remembered. */
  readonly sent: (transferId: string) => TransferEntry | undefined;
  /** Sends files, with these ids. */
  readonly send: (parameters: SendParameters, ids: ChosenIds) => Promise<TransferEntry[]>;
  /** Fresh random bytes. */
  readonly random: RandomSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Sends that come with a key. */
export class KeyedSends {
  readonly #options: KeyedSendsOptions;
  /** The last that was asked for with a key, while it is under way. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  /** Those that the store remembers. */
  constructor(options: KeyedSendsOptions) {
    this.#options = options;
  }

  /**
   * Sends files, unless they were sent with this key before: gives their transfers as they are now.
   *
   * @throws {OperationError} IDEMPOTENCY_KEY_REUSED when the key came with another request;
   * TRANSFER_NOT_FOUND when the transfers are not remembered any more; and as a send without a key.
   */
  async send(parameters: SendParameters, key: string): Promise<TransferEntry[]> {
    const hash = sha256(key);
    const before = this.#underWay.get(hash) ?? Promise.resolve();
    // Whatever became of the one before, this one looks for itself.
    const turn = before.catch(() => {}).then(() => this.#sendOnce(parameters, hash));
    this.#underWay.set(hash, turn);
    try {
      return await turn;
    } finally {
      if (this.#underWay.get(hash) === turn) this.#underWay.delete(hash);
    }
  }

  async #sendOnce(parameters: SendParameters, key: string): Promise<TransferEntry[]> {
    const { store, sent, send, random, now } = this.#options;
    const body = bodyHash(parameters);
    const known = store.find(key, now());
    if (known !== undefined && known.body !== body) {
      throw new OperationError(
        "IDEMPOTENCY_KEY_REUSED",
        "this Idempotency-Key came with another request before (other files, peer, priority or " +
          "expiry): use a fresh one for each request",
      );
    }
    const request: KeyedRequest = known ??
      { key, body, seed: random(16).toHex(), isDone: false, at: now() };
    const { paths } = parameters;
    const transferIds = paths.map((_, i) => sha256(`${request.seed} ${i}`).slice(0, 32));
    const before = transferIds.map((id) => known === undefined ? undefined : sent(id));
    if (request.isDone) return remembered(before);
    const isLeft = before.map((entry) => entry === undefined);
    if (isLeft.includes(true)) {
      const sending = send({ ...parameters, paths: paths.filter((_, i) => isLeft[i]) }, {
        transferIds: transferIds.filter((_, i) => isLeft[i]),
        commit: async () => {
          if (known === undefined) await store.put(request, now());
        },
      });
      try {
        await sending;
      } catch (error) {
        const isFree = known === undefined && transferIds.every((id) => sent(id) === undefined);
        // Where that can't be written the key stands for the same request, which can be sent yet.
        if (isFree) await store.remove(key, now()).catch(() => {});
        throw error;
      }
    }
    await store.put({ ...request, isDone: true }, now());
    return remembered(transferIds.map(sent));
  }
}

function remembered(entries: readonly (TransferEntry | undefined)[]): TransferEntry[] {
  const found = entries.filter((entry) => entry !== undefined);
  if (found.length === entries.length) return found;
  throw new OperationError(
    "TRANSFER_NOT_FOUND",
    "the files were sent with this Idempotency-Key before, and not all of their transfers are " +
      "remembered any more: nothing is sent again",
  );
}

/** What a request asks for, whatever the order of its members. */
function bodyHash(parameters: SendParameters): string {
  const { paths, priority, expireSecs = null } = parameters;
  const to = "sessionId" in parameters
    ? ["session", parameters.sessionId]
    : ["peer", parameters.identity];
  return sha256(JSON.stringify([to, paths, priority, expireSecs]));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
