/**
 * The links that the daemon was told of over its API, kept: `links.json` beside the pins.
 *
 * @module
 */
import { StorageError } from "../base/errors.ts";
import { unlessMissing } from "../base/system_error.ts";
import { writeAtomically } from "./atomic_write.ts";
import { DATA_NAMES, type DataFolder } from "./data_folder.ts";
import { withStorageErrors } from "./failure.ts";
import { type FileSystem, joinPath } from "./file_system.ts";
import type { KnownFolder } from "./known_folder.ts";
import { formatLinks, type Link, MAX_KEPT_LINKS, MAX_LINK_BYTES, parseLinks } from "./link_file.ts";
import { type OwnUid, readPrivateFile } from "./private_path.ts";
import { Serial } from "./serial.ts";
import { readBounded } from "./whole_file.ts";

/** Longest file of links, in bytes. */
const MAX_FILE_BYTES = MAX_KEPT_LINKS * MAX_LINK_BYTES;
/** Changes that may wait for the disk. */
const MAX_PENDING = 64;

/** The kept links. What a method promised is on disk when its promise resolves. */
export class LinkStore {
  readonly #fs: FileSystem;
  readonly #folder: KnownFolder;
  readonly #serial = new Serial(MAX_PENDING);
  #links: ReadonlyMap<string, Link>;

  private constructor(fs: FileSystem, folder: KnownFolder, links: readonly Link[]) {
    this.#fs = fs;
    this.#folder = folder;
    this.#links = new Map(links.map((link) => [link.identity, link]));
  }

  /**
   * Reads the links of a locked data folder.
   *
   * @throws {StorageError} `LINKS_INVALID`, `MODE_TOO_OPEN`, `OWNER_FOREIGN`, or a failure to read.
   * The file is left as it is.
   */
  static async open(fs: FileSystem, folder: DataFolder): Promise<LinkStore> {
    const path = joinPath(folder.pinsPath, DATA_NAMES.links);
    const advice = "put back a copy of it, or move it away and add the links anew";
    const rules = { limit: MAX_FILE_BYTES, invalid: "LINKS_INVALID", advice } as const;
    const bytes = await readPrivateFile(fs, path, { ...rules, uid: folder.uid });
    const links = bytes === undefined ? [] : parseLinks(bytes);
    if (typeof links !== "string") return new LinkStore(fs, folder.pins, links);
    throw new StorageError("LINKS_INVALID", `${path} ${links}: ${advice}`);
  }

  /** All links, in the order in which they were added. */
  list(): readonly Link[] {
    return [...this.#links.values()];
  }

  /**
   * Keeps a link, in place of the one to the same identity.
   *
   * @throws {StorageError} `STORE_FULL`, or a failure to write, after which the old state stands.
   */
  put(link: Link): Promise<void> {
    return this.#serial.run(async () => {
      if (!this.#links.has(link.identity) && this.#links.size >= MAX_KEPT_LINKS) {
        throw new StorageError(
          "STORE_FULL",
          `${MAX_KEPT_LINKS} links are kept already: remove one`,
        );
      }
      await this.#write(new Map(this.#links).set(link.identity, link));
    });
  }

  /**
   * Forgets the link to an identity.
   *
   * @throws {StorageError} On a failure to write, after which the old state stands.
   */
  remove(identity: string): Promise<void> {
    return this.#serial.run(async () => {
      const links = new Map(this.#links);
      if (links.delete(identity)) await this.#write(links);
    });
  }

  async #write(links: ReadonlyMap<string, Link>): Promise<void> {
    const bytes = formatLinks([...links.values()]);
    await writeAtomically(this.#fs, this.#folder, DATA_NAMES.links, bytes);
    this.#links = links;
  }
}

/**
 * The links of the file that `serve --links` names. Whoever can write it decides whom the daemon
 * trusts, so that must be nobody but its user and root; others may read it.
 *
 * @throws {StorageError} `LINKS_INVALID`, which names the line or the member; `MODE_TOO_OPEN`,
 * `OWNER_FOREIGN`, or a failure to read.
 */
export async function readLinkFile(
  fs: FileSystem,
  path: string,
  uid: OwnUid,
): Promise<readonly Link[]> {
  const invalid = (what: string) => new StorageError("LINKS_INVALID", `${path} ${what}`);
  return await withStorageErrors(`read ${path}`, async () => {
    const seen = await unlessMissing(fs.lstat(path));
    if (seen === undefined) throw invalid("is not there: make it, or leave --links out");
    if (seen.kind !== "file") throw invalid("is not a regular file: --links takes one");
    using file = await fs.open(path, "read");
    const status = await file.status();
    if (uid !== null && status.uid !== uid && status.uid !== 0) {
      throw new StorageError(
        "OWNER_FOREIGN",
        `${path} belongs to user ${status.uid}, who would decide whom this daemon trusts: give it ` +
          `to root or to user ${uid}`,
      );
    }
    if (status.mode !== null && (status.mode & 0o022) !== 0) {
      throw new StorageError(
        "MODE_TOO_OPEN",
        `${path} can be written by other users (mode 0${status.mode.toString(8)}), who would ` +
          `decide whom this daemon trusts: chmod go-w ${path}`,
      );
    }
    const bytes = await readBounded(file, MAX_FILE_BYTES);
    if (bytes === undefined) throw invalid(`is longer than ${MAX_FILE_BYTES} bytes`);
    const links = parseLinks(bytes);
    if (typeof links !== "string") return links;
    throw invalid(links);
  });
}
