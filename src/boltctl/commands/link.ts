/**
 * `boltctl link`: pairings that the daemon makes again whenever they are lost.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { LinkView } from "../../ipc/api/schemas.ts";
import { givenName } from "../../vocabulary/session_values.ts";
import { LINK_ACTIONS, type LinkAction } from "../command_table.ts";
import { awaitEvent, EventFeed } from "../event_feed.ts";
import type { Context } from "../context.ts";
import { linkStateInFull, linkStateInShort } from "../output/link_state.ts";
import type { Column } from "../output/output.ts";
import { readLinkRequest, refuseLinkFlags } from "../pair_request.ts";
import { shortId } from "../resolve.ts";

/** Lists, adds, removes, pauses or resumes. */
export async function link(context: Context): Promise<void> {
  const [word = "list", given] = context.args;
  const action = LINK_ACTIONS.find((one) => one === word);
  if (action === undefined) {
    throw new UsageError(`boltctl link takes ${LINK_ACTIONS.join(", ")}, not ${word}`);
  }
  if (action !== "add") refuseLinkFlags(context.flags, `goes with boltctl link add`);
  if (action === "list") return await list(context, given);
  if (given === undefined) throw new UsageError(`boltctl link ${action} needs a NAME`);
  const name = givenName.parse(given);
  if (name === undefined) throw new UsageError(`A link's NAME takes ${givenName.expects}`);
  await act(context, action, name);
}

const columns = (now: number): readonly Column<LinkView>[] => [
  { title: "LINK", cell: ({ name }) => name },
  { title: "PEER", cell: ({ identity }) => shortId(identity) },
  { title: "STATE", cell: (link) => linkStateInShort(link, now) },
  { title: "SERVER", cell: ({ server }) => server },
  { title: "CODES", cell: ({ peerId, remoteCode }) => `${peerId} to ${remoteCode}` },
  { title: "TRANSPORT", cell: ({ transport = "daemon's" }) => transport },
  { title: "FROM", cell: ({ source }) => source },
  { title: "REASON", cell: ({ failure }) => failure?.message ?? "", shrinks: true },
];

async function list(
  { client, output, signal, clock }: Context,
  name: string | undefined,
): Promise<void> {
  if (name === undefined) {
    const links = await client().listLinks(signal);
    return output.table(
      links,
      columns(clock.now()),
      "No pairing is kept; boltctl link add keeps one",
    );
  }
  const link = await client().getLink(name, signal);
  output.result(link, () =>
    output.pairs([
      ["link", link.name],
      ["identity", link.identity],
      ["state", linkStateInFull(link, clock.now())],
      ["role", link.role],
      ["server", `${link.rendezvousUrl} (${link.server})`],
      ["peer at server", link.peerAtServer ? "yes" : "no"],
      ["room", link.room],
      ["session name", link.session],
      ["our code", link.peerId],
      ["peer's code", link.remoteCode],
      ["scope", link.networkScope],
      ["phase", `${link.phaseTimeoutSecs} s`],
      ["transport", link.transport ?? "as the daemon's"],
      ["attempts", `${link.attempts}, refused ${link.refusals}`],
      ["from", link.source === "file" ? "the file of --links" : "the API"],
      ["session", link.sessionId],
    ]));
}

/** Resolves when a session is open. */
async function untilConnected(context: Context, name: string): Promise<void> {
  const { client, output, signal } = context;
  await using feed = await EventFeed.open(client(), { signal });
  const isOpen = ({ state }: LinkView) => state === "connected";
  const now = await client().getLink(name, signal);
  const link = isOpen(now)
    ? now
    : await awaitEvent(context, feed, `the link ${name}`, async (event) => {
      const isIts = event.type === "link-changed" && event.link.identity === now.identity;
      if (isIts) return isOpen(event.link) ? event.link : undefined;
      if (event.type !== "gap" && event.type !== "link-removed") return undefined;
      const later = await client().getLink(name, signal);
      return isOpen(later) ? later : undefined;
    });
  output.result(link, () => output.line(`${link.name} is connected`));
}

async function act(
  context: Context,
  action: Exclude<LinkAction, "list">,
  name: string,
): Promise<void> {
  const { client, output, flags, signal } = context;
  switch (action) {
    case "add": {
      const request = readLinkRequest(flags, name);
      if (flags.has("trust")) {
        await client().trust(request.identity, { decision: "allow_always", name }, signal);
      }
      const link = await client().addLink(request, signal);
      return output.result(
        link,
        () => output.line(`${name} is kept: boltctl peers shows how it is`),
      );
    }
    case "wait":
      return await untilConnected(context, name);
    case "remove":
      await client().removeLink(name, signal);
      return output.result({ name }, () => output.line(`${name} is kept no longer`));
    case "pause": {
      const link = await client().pauseLink(name, signal);
      return output.result(link, () => output.line(`${name} rests until boltctl link resume`));
    }
    case "resume": {
      const link = await client().resumeLink(name, signal);
      return output.result(link, () => output.line(`${name} goes on`));
    }
  }
}
