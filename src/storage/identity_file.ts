/**
 * The daemon's long-lived X25519 key pair on disk: 64 raw bytes, public(32) || secret(32), mode
 * 0600 (the wire format, identity). Made once, whole or not at all; never made again over a file
 * that can't be used.
 *
 * @module
 */
import nacl from "tweetnacl";
import { StorageError } from "../base/errors.ts";
import { writeAtomically } from "./atomic_write.ts";
import { DATA_NAMES, type DataFolder } from "./data_folder.ts";
import { type FileSystem, joinPath } from "./file_system.ts";
import { guarded, unlessMissing } from "./failure.ts";
import { readPrivateFile } from "./private_path.ts";

const KEY_BYTES = 32;
const FILE_BYTES = 2 * KEY_BYTES;
const ADVICE = "put back a copy of it. To become a new identity on purpose, which every peer has " +
  "to approve anew, move the whole data folder away";

/** The bytes of a key pair; whoever gets it owns it and zeroes `secretKey` in the end. */
export interface IdentityKeyPair {
  /** 32 bytes, X25519. */
  readonly publicKey: Uint8Array;
  /** 32 bytes, X25519; never to be shown. */
  readonly secretKey: Uint8Array;
}

/** Options of {@linkcode openIdentity}. */
export interface IdentityOptions {
  /** Fills a buffer with secret randomness. @default {crypto.getRandomValues} */
  readonly randomize?: (secret: Uint8Array<ArrayBuffer>) => void;
}

function parse(bytes: Uint8Array, path: string): IdentityKeyPair {
  const refuse = (what: string) => {
    throw new StorageError("IDENTITY_INVALID", `${path} ${what}: ${ADVICE}`);
  };
  if (bytes.length !== FILE_BYTES) refuse(`is ${bytes.length} bytes long instead of 64`);
  const publicKey = bytes.slice(0, KEY_BYTES);
  const secretKey = bytes.slice(KEY_BYTES);
  const derived = nacl.scalarMult.base(secretKey);
  if (!nacl.verify(derived, publicKey)) {
    secretKey.fill(0);
    refuse("holds a public key that is not the secret key's");
  }
  return { publicKey, secretKey };
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
  const { randomize = (secret) => void crypto.getRandomValues(secret) } = options;
  const secretKey = new Uint8Array(KEY_BYTES);
  const bytes = new Uint8Array(FILE_BYTES);
  try {
    randomize(secretKey);
    const publicKey = nacl.scalarMult.base(secretKey);
    bytes.set(publicKey, 0);
    bytes.set(secretKey, KEY_BYTES);
    await writeAtomically(fs, folder.path, DATA_NAMES.identity, bytes);
    return { publicKey, secretKey };
  } catch (error) {
    secretKey.fill(0);
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
    limit: FILE_BYTES,
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
  if (await guarded(`look into ${folder.path}`, () => hasHistory(fs, folder))) {
    throw new StorageError(
      "IDENTITY_MISSING",
      `${path} is gone, but the folder has pins or a journal: ${ADVICE}`,
    );
  }
  return await create(fs, folder, options);
}
