/**
 * Makes a folder of an archive that has arrived: unpacked beside it, then renamed as a whole, then the
 * archive goes. Where that can't be, the archive is left to be published as it is: it is never lost.
 *
 * @module
 */
import { StorageError } from "../../base/errors.ts";
import { type Unpacked, unpackTar } from "../archive/unpack.ts";
import type { FileStatus, OpenFile } from "../file_system.ts";
import { joinPath } from "../file_system.ts";
import { withStorageErrors } from "../failure.ts";
import type { CollisionPolicy } from "../../vocabulary/policies.ts";
import type { Inbox } from "./inbox.ts";
import { safeName } from "./safe_name.ts";

const TAR = /\.tar$/i;

/** Whether a file of this name is unpacked where that is asked for. */
export function isArchiveName(name: string): boolean {
  return TAR.test(name);
}

/** The name of the folder that an archive of this name becomes. */
export function folderNameOf(name: string): string {
  const safe = safeName(name.replace(TAR, ""));
  return safe.safe ? safe.name : name;
}

/** Options of {@linkcode publishUnpacked}. */
export interface UnpackedPublication {
  /** Id of the transfer, 32 lower-case hex digits. */
  readonly transferId: string;
  /** The archive, whole and synced; read from its first byte. */
  readonly file: OpenFile;
  /** What the archive must be. */
  readonly part: FileStatus;
  /** The folder's name, from {@linkcode folderNameOf}. */
  readonly name: string;
  /** What to do when the name is taken. */
  readonly collision: CollisionPolicy;
  /** Told each name before it is tried; what it does is done, and durable, when it resolves. */
  readonly onPublishing: (savedAs: string) => Promise<void>;
}

/** What became of an archive that was to be unpacked. */
export type UnpackOutcome =
  /** It is a folder of this name. */
  | { readonly savedAs: string; readonly unpacked: Unpacked }
  /** It is left as it is, for this reason. */
  | { readonly failure: StorageError };

/**
 * Unpacks an archive and gives the folder its name.
 *
 * @throws {StorageError} `INBOX_CHANGED`, or a failure of the file system once the folder was about to
 * get its name.
 */
export async function publishUnpacked(
  inbox: Inbox,
  publication: UnpackedPublication,
): Promise<UnpackOutcome> {
  const { transferId } = publication;
  const removeStage = () => inbox.removeStage(transferId);
  let unpacked: Unpacked;
  try {
    unpacked = await unpackPart(inbox, publication);
  } catch (error) {
    // The archive can't be published either when the inbox is another.
    if (!(error instanceof StorageError) || error.code === "INBOX_CHANGED") throw error;
    await removeStage();
    return { failure: error };
  }
  try {
    return { savedAs: await inbox.publishFolder(publication), unpacked };
  } catch (error) {
    if (error instanceof StorageError && error.code === "NAME_TAKEN") {
      await removeStage();
      return { failure: error };
    }
    // It may have its name, and must not come twice. What was first is told.
    await removeStage().catch(() => {});
    throw error;
  }
}

async function unpackPart(
  inbox: Inbox,
  { transferId, file, part: { size } }: UnpackedPublication,
): Promise<Unpacked> {
  const { fs } = inbox;
  await inbox.removeStage(transferId);
  using _claim = await inbox.claimSpace(size);
  const stage = inbox.stagePath(transferId);
  return await withStorageErrors(`unpack into ${stage}`, async () => {
    await fs.makeNewFolder(stage);
    const tree = joinPath(stage, "tree");
    await file.seek(0);
    const unpacked = await unpackTar(fs, { input: file, size, into: tree });
    const { onlyFolder } = unpacked;
    const whole = onlyFolder === undefined ? tree : joinPath(tree, onlyFolder);
    await fs.rename(whole, inbox.unpackedPath(transferId));
    await fs.syncFolder(stage);
    return unpacked;
  });
}
