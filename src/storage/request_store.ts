/**
 * Requests that came with a key and must not be carried out twice, kept over restarts: `requests.json`.
 * A key itself is not kept, only its hash.
 *
 * @module
 */
import { StorageError } from "../base/errors.ts";
import { REQUEST_KEY_MS } from "../base/timing.ts";
import { isCount, isJsonObject } from "../protocol/json.ts";
import { writeAtomically } from "./atomic_write.ts";
import { DATA_NAMES, type DataFolder } from "./data_folder.ts";
import { type FileSystem, joinPath } from "./file_system.ts";
import { isTransferId } from "./journal_record.ts";
import type { KnownFolder } from "./known_folder.ts";
import { readPrivateFile } from "./private_path.ts";
import { Serial } from "./serial.ts";
import { hasExactly, parseJson } from "./strict_json.ts";
import { isIdentity } from "./trust_file.ts";

/** Most requests that are kept. */
export const MAX_KEPT_REQUESTS = 2048;
/** Longest request, in bytes of its JSON; in memory it takes no more. */
export const MAX_REQUEST_BYTES = 512;
/** Changes that may wait for the disk. */
const MAX_PENDING = 64;

/** A request that came with a key. */
export interface KeyedRequest {
  /** SHA-256 of its key, 64 lower-case hex digits. */
  readonly key: string;
  /** SHA-256 of what it asked for, 64 lower-case hex digits. */
  readonly body: string;
  /** What the ids of its transfers are made from, 32 lower-case hex digits. */
  readonly seed: string;
  /** Whether all of its transfers are in the journal; if not, the rest is to be made up for. */
  readonly isDone: boolean;
  /** When it came, in milliseconds since 1970. */
  readonly at: number;
}

function isKeyedRequest(value: unknown): value is KeyedRequest {
  return isJsonObject(value) && hasExactly(value, ["key", "body", "seed", "isDone", "at"]) &&
    isIdentity(value["key"]) && isIdentity(value["body"]) && isTransferId(value["seed"]) &&
    typeof value["isDone"] === "boolean" && isCount(value["at"]);
}

/** The requests of that file; undefined when it is none. */
function parseRequests(bytes: Uint8Array): readonly KeyedRequest[] | undefined {
  const file = parseJson(bytes);
  if (!isJsonObject(file) || !hasExactly(file, ["version", "requests"])) return undefined;
  const { version, requests } = file;
  if (version !== 1 || !Array.isArray(requests) || requests.length > MAX_KEPT_REQUESTS) {
    return undefined;
  }
  return requests.every(isKeyedRequest) ? requests : undefined;
}

/** The kept requests. What a method promised is on disk when its promise resolves. */
export class RequestStore {
  readonly #fs: FileSystem;
  readonly #folder: KnownFolder;
  readonly #serial = new Serial(MAX_PENDING);
  #requests: ReadonlyMap<string, KeyedRequest>;

  private constructor(fs: FileSystem, folder: KnownFolder, requests: readonly KeyedRequest[]) {
    this.#fs = fs;
    this.#folder = folder;
    this.#requests = new Map(requests.map((request) => [request.key, request]));
  }

  /**
   * Reads the requests of a locked data folder.
   *
   * @throws {StorageError} `REQUESTS_INVALID`, `MODE_TOO_OPEN`, `OWNER_FOREIGN`, or a failure to read.
   * The file is left as it is.
   */
  static async open(fs: FileSystem, folder: DataFolder): Promise<RequestStore> {
    const path = joinPath(folder.path, DATA_NAMES.requests);
    const advice = "put back a copy of it, or move it away: requests with a key of before it may " +
      "then be carried out twice";
    const bytes = await readPrivateFile(fs, path, {
      ...{ limit: (MAX_KEPT_REQUESTS + 1) * MAX_REQUEST_BYTES, uid: folder.uid },
      ...{ invalid: "REQUESTS_INVALID", advice },
    });
    const requests = bytes === undefined ? [] : parseRequests(bytes);
    if (requests !== undefined) return new RequestStore(fs, folder.root, requests);
    throw new StorageError("REQUESTS_INVALID", `${path} is no list of requests: ${advice}`);
  }

  /** The request of that key, if it came within {@linkcode REQUEST_KEY_MS}. */
  find(key: string, now: number): KeyedRequest | undefined {
    const found = this.#requests.get(key);
    return found !== undefined && isFresh(found, now) ? found : undefined;
  }

  /**
   * Keeps a request, in place of what its key was of before.
   *
   * @throws {StorageError} `STORE_FULL`, or a failure to write, after which the old state stands.
   */
  put(request: KeyedRequest, now: number): Promise<void> {
    return this.#serial.run(async () => {
      const fresh = this.#othersThan(request.key, now);
      if (fresh.length >= MAX_KEPT_REQUESTS) {
        throw new StorageError(
          "STORE_FULL",
          `${MAX_KEPT_REQUESTS} requests came with a key within ${REQUEST_KEY_MS / 86_400_000} ` +
            "days: send without one, or wait",
        );
      }
      await this.#write([...fresh, request]);
    });
  }

  /**
   * Leaves a key free, as nothing came of its request.
   *
   * @throws {StorageError} A failure to write, after which the old state stands.
   */
  remove(key: string, now: number): Promise<void> {
    return this.#serial.run(() => this.#write(this.#othersThan(key, now)));
  }

  #othersThan(key: string, now: number): readonly KeyedRequest[] {
    return [...this.#requests.values()].filter((one) => one.key !== key && isFresh(one, now));
  }

  async #write(requests: readonly KeyedRequest[]): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify({ version: 1, requests })}\n`);
    await writeAtomically(this.#fs, this.#folder, DATA_NAMES.requests, bytes);
    this.#requests = new Map(requests.map((one) => [one.key, one]));
  }
}

/** A clock that was put back makes none older. */
function isFresh({ at }: KeyedRequest, now: number): boolean {
  return now - at < REQUEST_KEY_MS;
}
