/**
 * Checks of the data folder and of the inbox.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { DATA_NAMES } from "../../storage/data_folder.ts";
import { formatBytes } from "../output/units.ts";
import { failure, type Finding, fine, warning } from "./finding.ts";
import type { Machine, PathFacts } from "./machine.ts";

/** Bytes of an identity file: two keys. */
const IDENTITY_BYTES = 64;
/** Free bytes below which receiving will soon fail, and below which it may. */
const SPACE = { failure: 64 * 1024 ** 2, warning: 1024 ** 3 } as const;

/** What the data folder holds, and what each must be. */
const ENTRIES: readonly { path: string; kind: PathFacts["kind"] }[] = [
  { path: DATA_NAMES.identity, kind: "file" },
  { path: DATA_NAMES.pins, kind: "folder" },
  { path: `${DATA_NAMES.pins}/${DATA_NAMES.trust}`, kind: "file" },
  { path: `${DATA_NAMES.pins}/${DATA_NAMES.peers}`, kind: "file" },
  { path: DATA_NAMES.journal, kind: "file" },
  { path: DATA_NAMES.api, kind: "file" },
];

/** Looks at the data folder's kinds and modes, nothing of its content. */
export async function checkDataFolder(machine: Machine, folder: string): Promise<Finding[]> {
  const looked = await machine.look(folder);
  if ("failed" in looked) {
    const advice = "Run boltctl as the daemon's user";
    return [failure("data folder", `${folder} can't be looked at: ${looked.failed}`, advice)];
  }
  if (looked.ok === undefined) {
    const advice = `bolt-daemon serve --data-dir ${folder} makes it at its first start`;
    return [warning("data folder", `${folder} does not exist`, advice)];
  }
  const wrong = wrongOf(folder, looked.ok, "folder");
  if (looked.ok.kind !== "folder") return wrong;
  for (const { path, kind } of ENTRIES) {
    const entry = join(folder, path);
    const found = await machine.look(entry);
    if ("ok" in found && found.ok !== undefined) wrong.push(...wrongOf(entry, found.ok, kind));
    else if ("failed" in found) {
      const advice = "Run boltctl as the daemon's user";
      wrong.push(failure("data folder", `${entry} can't be looked at: ${found.failed}`, advice));
    }
  }
  if (wrong.length > 0) return wrong;
  if (looked.ok.mode === null) {
    return [warning(
      "data folder",
      `Who may read ${folder} is not checked: this system has no modes, and boltctl reads no ACLs`,
      `Look that nobody but the daemon's user is listed: icacls "${folder}" /T`,
    )];
  }
  return [fine("data folder", `${folder} is private, and so is what the daemon keeps in it`)];
}

function wrongOf(path: string, facts: PathFacts, kind: PathFacts["kind"]): Finding[] {
  if (facts.kind !== kind) {
    const advice = "Stop the daemon and put back what was there, from a backup";
    return [failure("data folder", `${path} is a ${facts.kind}, not a ${kind}`, advice)];
  }
  const wrong: Finding[] = [];
  if (facts.mode !== null && (facts.mode & 0o077) !== 0) {
    wrong.push(failure(
      "data folder",
      `${path} is open to other users (mode ${facts.mode.toString(8)})`,
      `Make sure that nobody has used it, then: chmod ${kind === "folder" ? "700" : "600"} ${path}`,
    ));
  }
  if (path.endsWith(DATA_NAMES.identity) && facts.size !== IDENTITY_BYTES) {
    wrong.push(failure(
      "data folder",
      `${path} has ${facts.size} bytes and must have ${IDENTITY_BYTES}`,
      "Put the identity back from a backup; without one, remove it: peers must pair anew",
    ));
  }
  return wrong;
}

/** Looks how much room there is where received files go; the inbox may not exist yet. */
export async function checkSpace(machine: Machine, inbox: string): Promise<Finding> {
  const looked = await machine.look(inbox);
  const place = "ok" in looked && looked.ok === undefined ? dirname(inbox) : inbox;
  const free = await machine.freeBytes(place);
  if ("failed" in free) {
    const found = `The free space of ${place} is unknown: ${free.failed}`;
    return warning("disk space", found, `Look with: df -h ${place}`);
  }
  const found = `${formatBytes(free.ok)} are free for received files in ${place}`;
  const advice = "Make room, or choose another folder: bolt-daemon serve --inbox";
  if (free.ok < SPACE.failure) return failure("disk space", found, advice);
  if (free.ok < SPACE.warning) return warning("disk space", found, advice);
  return fine("disk space", found);
}
