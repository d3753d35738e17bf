/**
 * The daemon's long-lived X25519 key pair on disk: 64 raw bytes, public(32) || secret(32), mode
 * 0600 (the wire format, identity). Made once, whole or not at all; never made again over a file
 * that can't be used.
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { StorageError } from "../base/errors.ts";
import { type IdentityKeyPair, KeyPair } from "../protocol/crypto/keys.ts";
import type { RandomSource } from "../protocol/crypto/random_source.ts";
import {
  encodeIdentityFile,
  IDENTITY_FILE_BYTES,
  parseIdentityFile,
} from "../protocol/identity/identity_file.ts";
import { writeAtomically } from "./atomic_write.ts";
import { DATA_NAMES, type DataFolder } from "./data_folder.ts";
import { type FileSystem, joinPath } from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";
import { readPrivateFile } from "./private_path.ts";

const ADVICE = "put back a copy of it. To become a new identity on purpose, which every peer has " +
  "to approve anew, move the whole data folder away";

/** Options of {@linkcode openIdentity}. */
export interface IdentityOptions {
  /** Where the secret comes from. @default {crypto.getRandomValues} */
  readonly random?: RandomSource;
}

function parse(bytes: Uint8Array, path: string): IdentityKeyPair {
  const pair = parseIdentityFile(bytes);
  if (pair !== undefined) return pair;
  const what = bytes.length === IDENTITY_FILE_BYTES
    ? "holds a public key that is not the secret key's"
    : `is ${bytes.length} bytes long instead of ${IDENTITY_FILE_BYTES}`;
  throw new StorageError("IDENTITY_INVALID", `${path} ${what}: ${ADVICE}`);
}

/** Names that only a folder with an identity can have. */
async function hasHistory(fs: FileSystem, folder: DataFolder): Promise<boolean> {
  const paths = [
    joinPath(folder.pinsPath, DATA_NAMES.trust),
    joinPath(folder.pinsPath, DATA_NAMES.peers),
    joinPath(folder.path, DATA_NAMES.journal),
  ];
  for (const path of paths) {
    if (await unlessMissing(fs.lstat(path)) !== undefined) return true;
  }
  return false;
}

async function create(
  fs: FileSystem,
  folder: DataFolder,
  options: IdentityOptions,
): Promise<IdentityKeyPair> {
  const { random = (length) => crypto.getRandomValues(new Uint8Array(length)) } = options;
  const pair = KeyPair.generate("identity", random);
  const bytes = encodeIdentityFile(pair);
  try {
    await writeAtomically(fs, folder.root, DATA_NAMES.identity, bytes);
    return pair;
  } catch (error) {
    pair[Symbol.dispose]();
    throw error;
  } finally {
    bytes.fill(0);
  }
}

/**
 * The identity of this data folder, made on its first start.
 *
 * @throws {StorageError} `IDENTITY_INVALID` (length, kind, keys that don't fit), `MODE_TOO_OPEN`,
 * `OWNER_FOREIGN`; `IDENTITY_MISSING` when the folder has pins or a journal but no identity; or a
 * failure of the file system. The file is left as it is.
 */
export async function openIdentity(
  fs: FileSystem,
  folder: DataFolder,
  options: IdentityOptions = {},
): Promise<IdentityKeyPair> {
  const path = joinPath(folder.path, DATA_NAMES.identity);
  const bytes = await readPrivateFile(fs, path, {
    uid: folder.uid,
    limit: IDENTITY_FILE_BYTES,
    invalid: "IDENTITY_INVALID",
    advice: ADVICE,
  });
  if (bytes !== undefined) {
    try {
      return parse(bytes, path);
    } finally {
      new Uint8Array(bytes.buffer).fill(0);
    }
  }
  if (await withStorageErrors(`look into ${folder.path}`, () => hasHistory(fs, folder))) {
    throw new StorageError(
      "IDENTITY_MISSING",
      `${path} is gone, but the folder has pins or a journal: ${ADVICE}`,
    );
  }
  return await create(fs, folder, options);
}
