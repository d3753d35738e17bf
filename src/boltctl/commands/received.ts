/**
 * `boltctl received`.
 *
 * @module
 */
import { isAbsolute } from "node:path";
import { BackOff } from "../../base/back_off.ts";
import { UsageError } from "../../base/errors.ts";
import { safeJson } from "../../base/text.ts";
import { sleep, systemTimer } from "../../base/timer.ts";
import { CLIENT_RETRY } from "../../base/timing.ts";
import type { Received } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { type EventFeed, feedOverRestarts } from "../event_feed.ts";
import { CommandError } from "../exit_codes.ts";
import { changeMark, readMark } from "../mark_file.ts";
import { isGone, onceServed } from "../once_served.ts";
import { formatBytes } from "../output/units.ts";
import {
  afterGap,
  isHandled,
  isReceivedId,
  NO_MARK,
  type ReceivedMark,
  withHandled,
} from "../received_mark.ts";
import { shortId } from "../resolve.ts";

/** Prints the files that have arrived, or takes note of those that are handled. */
export async function received(context: Context): Promise<void> {
  const { flags, args, output } = context;
  const path = flags.text("mark");
  const mark = path === undefined ? undefined : context.absolutePath(path);
  if (flags.has("done")) return await takeNote(context, mark);
  if (args.length > 0) throw new UsageError("ID and PATH go with --done");
  if (flags.has("null") && output.json) throw new UsageError("--null does not go with --json");
  await using feed = flags.has("follow") ? await feedOverRestarts(context) : undefined;
  const shown = new Shown(context, mark);
  if (feed === undefined) return await shown.showNew();
  const waits = new BackOff(CLIENT_RETRY);
  for (;;) {
    try {
      await shown.showNew();
      waits.reset();
      await somethingArrived(feed);
    } catch (error) {
      if (!isGone(error)) throw error;
      await sleep(systemTimer, waits.next(), context.signal); // it comes again
    }
  }
}

/** Resolves when a file may have arrived: after a restart of the daemon there is a gap. */
async function somethingArrived(feed: EventFeed): Promise<void> {
  for (;;) {
    const event = await feed.take();
    if (event.type === "gap") return;
    if (event.type === "transfer-finished" && event.transfer.direction === "incoming") return;
  }
}

/** What was shown in this run: each file once, in the order of arriving. */
class Shown {
  readonly #context: Context;
  readonly #markPath: string | undefined;
  #mark: ReceivedMark = NO_MARK;
  #position: string | undefined;
  #hasBegun = false;

  constructor(context: Context, markPath: string | undefined) {
    this.#context = context;
    this.#markPath = markPath;
  }

  /** Shows what has arrived since. */
  async showNew(): Promise<void> {
    if (!this.#hasBegun && this.#markPath !== undefined) {
      this.#mark = await readMark(this.#markPath);
      this.#position = this.#mark.through;
    }
    this.#hasBegun = true;
    const { client, terminal, signal } = this.#context;
    for (let more = true; more;) {
      const after = this.#position;
      const part = await client().listReceived(after === undefined ? {} : { after }, signal);
      if (part.gap) await this.#onGap(part.before);
      for (const file of part.files) {
        if (!isHandled(this.#mark, file.receivedId)) this.#show(file);
        this.#position = file.receivedId;
        await terminal.flushed(signal);
      }
      ({ more } = part);
    }
  }

  /** It is said before the mark is moved: who is killed in between says it again. */
  async #onGap(before: string | undefined): Promise<void> {
    const { output, terminal, signal } = this.#context;
    const message =
      "Files that arrived are missing here: the daemon does not know them any more, " +
      "or its record is another than before; boltctl transfers and the inbox may tell of them";
    terminal.writeError(
      output.json
        ? `${safeJson({ warning: { code: "GAP", message } })}\n`
        : `boltctl: ${message}\n`,
    );
    await terminal.flushed(signal);
    this.#position = before;
    if (this.#markPath === undefined) return;
    const change = (mark: ReceivedMark) => afterGap(mark, before);
    await changeMark(this.#markPath, change, signal);
    this.#mark = change(this.#mark);
  }

  #show(file: Received): void {
    const { output, terminal, flags } = this.#context;
    if (flags.has("null")) return terminal.write(`${file.path}\0`);
    output.result(
      file,
      () =>
        output.line(
          `${file.receivedId}  ${file.receivedAt}  ${formatBytes(file.size)}  ` +
            `${shortId(file.identity)}  ${file.path}`,
        ),
    );
  }
}

/** Files are handled: they are not shown again to who has this mark. */
async function takeNote(context: Context, mark: string | undefined): Promise<void> {
  const { args, flags, output, signal } = context;
  if (mark === undefined) {
    throw new UsageError("--done goes with --mark FILE, in which it is noted");
  }
  const other = ["follow", "null"].find((name) => flags.has(name));
  if (other !== undefined) throw new UsageError(`--done does not go with --${other}`);
  if (args.length === 0) throw new UsageError("--done takes the ids or paths of what is handled");
  const wrong = args.find((arg) => !isReceivedId(arg) && !isAbsolute(arg));
  if (wrong !== undefined) {
    throw new UsageError(
      `${wrong} is neither an id, as boltctl received shows it, nor an absolute path`,
    );
  }
  for (const arg of args) {
    const id = isReceivedId(arg)
      ? await issuedId(context, arg)
      : await idOf(context, arg, await readMark(mark));
    await changeMark(mark, (known) => withHandled(known, id), signal);
    output.result({ receivedId: id }, () => {});
  }
}

/**
 * That id, if a file can have had it. A mark that is ahead of the daemon's record would be taken for
 * that of another record, and all files would be listed again.
 */
async function issuedId(context: Context, id: string): Promise<string> {
  const { client } = context;
  const query = { after: id };
  const { gap, before } = await onceServed(
    context,
    (signal) => client().listReceived(query, signal),
  );
  if (!gap || isHandled({ ...(before === undefined ? {} : { through: before }), done: [] }, id)) {
    return id;
  }
  throw new CommandError(
    "RECEIVED_NOT_FOUND",
    `No file that arrived has the id ${id}; boltctl received lists those that have`,
  );
}

/**
 * The earliest file of that path that is not handled yet: one that arrived later, under a name that
 * was free again, was shown later too.
 */
async function idOf(context: Context, path: string, mark: ReceivedMark): Promise<string> {
  const { client } = context;
  let after = mark.through;
  for (let more = true; more;) {
    const query = after === undefined ? {} : { after };
    const part = await onceServed(context, (signal) => client().listReceived(query, signal));
    const found = part.files.find((file) =>
      file.path === path && !isHandled(mark, file.receivedId)
    );
    if (found !== undefined) return found.receivedId;
    after = part.files.at(-1)?.receivedId;
    ({ more } = part);
  }
  throw new CommandError(
    "RECEIVED_NOT_FOUND",
    `No file that arrived at ${path} is left to be handled; boltctl received lists those that are`,
  );
}
