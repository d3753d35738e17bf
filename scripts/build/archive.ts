/**
 * Archives whose bytes depend on their files' names, modes and contents, and on nothing else.
 *
 * @module
 */
import { zipSync } from "fflate";
import { packTar } from "modern-tar";

/** A file of an archive. */
export interface ArchiveFile {
  /** Path in the archive, with forward slashes. */
  readonly path: string;
  /** What it holds. */
  readonly content: Uint8Array;
  /** Whether it is a program. @default {false} */
  readonly executable?: boolean;
}

/** The earliest time that a zip archive can hold: 1980-01-01. */
const EARLIEST = Date.UTC(1980, 0, 1);

/**
 * The time that every file of an archive gets: `SOURCE_DATE_EPOCH` (reproducible-builds.org), in
 * seconds, where it is set; else the earliest that every format can hold.
 */
export function archiveTime(sourceDateEpoch = Deno.env.get("SOURCE_DATE_EPOCH")): Date {
  if (sourceDateEpoch === undefined) return new Date(EARLIEST);
  if (!/^\d{1,11}$/.test(sourceDateEpoch)) {
    throw new Error("SOURCE_DATE_EPOCH takes seconds since 1970");
  }
  return new Date(Math.max(Number(sourceDateEpoch) * 1000, EARLIEST));
}

const modeOf = (file: ArchiveFile): number => file.executable === true ? 0o755 : 0o644;

/** A gzipped tar archive (ustar), the files in the order given, owned by root. */
export async function tarGz(
  files: readonly ArchiveFile[],
  mtime: Date,
): Promise<Uint8Array<ArrayBuffer>> {
  const tar = await packTar(files.map((file) => ({
    header: {
      name: file.path,
      size: file.content.length,
      mode: modeOf(file),
      mtime,
      uid: 0,
      gid: 0,
      uname: "",
      gname: "",
    },
    body: file.content,
  })));
  // The stream's gzip header carries neither a name nor a time.
  const gzip = new Blob([tar as Uint8Array<ArrayBuffer>]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(gzip).arrayBuffer());
}

/** A zip archive, the files in the order given. */
export function zip(files: readonly ArchiveFile[], mtime: Date): Uint8Array<ArrayBuffer> {
  // The library writes local time: UTC's numbers are given as local ones, so that the zone the
  // build runs in does not show.
  const local = new Date(
    mtime.getUTCFullYear(),
    mtime.getUTCMonth(),
    mtime.getUTCDate(),
    mtime.getUTCHours(),
    mtime.getUTCMinutes(),
    mtime.getUTCSeconds(),
  );
  const UNIX = 3;
  const bytes = zipSync(Object.fromEntries(
    files.map((file) => [file.path, [file.content, {
      mtime: local,
      os: UNIX,
      attrs: modeOf(file) << 16,
    }]]),
  ));
  return new Uint8Array(bytes);
}
