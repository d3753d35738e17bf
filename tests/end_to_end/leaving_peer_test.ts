/**
 * "The daemon MUST NOT exit 0 unless the full payload exchange succeeded": peers that leave, or say
 * something else, at each point of it.
 *
 * @module
 */
import { assertStringIncludes } from "@std/assert";
import { Deadline } from "../../src/base/deadline.ts";
import { GREETING } from "../../src/protocol/payload_exchange.ts";
import { closeNotify } from "../support/leaving.ts";
import { assertExchanged, assertFatal, byFile, having } from "../support/pairs.ts";
import { fromFileUrl } from "../support/paths.ts";
import { DAEMON, type Program, Run } from "../support/program.ts";
import { connectScripted, type ScriptedPeer } from "../support/scripted_peer.ts";

/** What a peer does, and how the run ends that it does it to. */
interface Case {
  readonly act: (peer: ScriptedPeer, signal: AbortSignal) => Promise<unknown>;
  /** What its FATAL line says; a run without one succeeds. */
  readonly fatal?: string;
  /** The run's deadline is what ends it. */
  readonly waits?: true;
}

const hello = ({ channel }: ScriptedPeer, signal: AbortSignal) =>
  channel.send(GREETING, { signal });
const abort = ({ channel }: ScriptedPeer) => channel.close({ graceful: false });

/** Gives the payload, and has not acknowledged the echo when it has come. */
async function unacknowledgedHello(peer: ScriptedPeer, signal: AbortSignal): Promise<void> {
  const echoed = peer.packets.dropUserData();
  await hello(peer, signal);
  await echoed;
}

const says = (message: string | Uint8Array<ArrayBuffer>): Case => ({
  act: async ({ channel }, signal) => {
    await channel.send(message, { signal });
    await channel.closed;
  },
  fatal: "the peer sent another payload",
});

const OFFERERS: Record<string, Case> = {
  "closes before the payload": {
    act: ({ channel }, signal) => channel.close({ signal }),
    fatal: "closed before the payload was exchanged",
  },
  "breaks off before the payload": {
    act: abort,
    fatal: "closed before the payload was exchanged",
  },
  "is gone before the payload": {
    act: (peer) => Promise.resolve(peer.vanish()),
    fatal: "phase timeout expired: waiting for the payload exchange",
    waits: true,
  },
  "breaks off right after the payload": {
    act: async (peer, signal) => {
      void peer.packets.dropUserData();
      await hello(peer, signal);
      await abort(peer);
    },
    fatal: "left before it acknowledged the echo",
  },
  "closes without having acknowledged the echo": {
    act: async (peer, signal) => {
      await unacknowledgedHello(peer, signal);
      await peer.channel.close({ signal });
    },
    fatal: "left before it acknowledged the echo",
  },
  "breaks off without having acknowledged the echo": {
    act: async (peer, signal) => {
      await unacknowledgedHello(peer, signal);
      await abort(peer);
    },
    fatal: "left before it acknowledged the echo",
  },
  "closes DTLS without having acknowledged the echo": {
    act: async (peer, signal) => {
      await unacknowledgedHello(peer, signal);
      closeNotify(peer.target);
      peer.vanish();
    },
    fatal: "left before it acknowledged the echo",
  },
  "is gone without having acknowledged the echo": {
    act: async (peer, signal) => {
      await unacknowledgedHello(peer, signal);
      peer.vanish();
    },
    fatal: "the peer has not acknowledged the echo",
    waits: true,
  },
  "stays, and never acknowledges the echo": {
    act: unacknowledgedHello,
    fatal: "the peer has not acknowledged the echo",
    waits: true,
  },
  "has the echo, and breaks off at once": {
    act: async (peer, signal) => {
      await hello(peer, signal);
      await peer.channel.receive({ signal });
      await abort(peer);
    },
  },
  "says something else": says("bolt-hello-v2"),
  "says more than the payload": says("bolt-hello-v1\n"),
};

const ANSWERERS: Record<string, Case> = {
  "closes in place of the echo": {
    act: async ({ channel }, signal) => {
      await channel.receive({ signal });
      await channel.close({ signal });
    },
    fatal: "closed before the payload was exchanged",
  },
  "is gone in place of the echo": {
    act: async (peer, signal) => {
      await peer.channel.receive({ signal });
      peer.vanish();
    },
    fatal: "phase timeout expired: waiting for the payload exchange",
    waits: true,
  },
  "echoes something else": says(GREETING.with(12, 0x32)),
  "echoes more than the payload": says("bolt-hello-v1 and more"),
  "echoes text": {
    act: async ({ channel }, signal) => {
      await channel.send("bolt-hello-v1", { signal });
      await channel.closed;
    },
  },
};

/** Runs ours with a scripted peer, and looks at how it ended. */
async function play(ours: "offerer" | "answerer", { act, fatal, waits }: Case): Promise<void> {
  using deadline = new Deadline(60_000, { what: "the run" });
  const args = byFile("-", "-")[ours];
  await using run = new Run(DAEMON, waits ? having(args, "--phase-timeout-secs", "5") : args);
  const lines = { put: (line: string) => run.input(line), take: () => run.line() };
  const theirs = ours === "offerer" ? "answerer" : "offerer";
  await using peer = await connectScripted(theirs, lines, deadline.signal);
  await act(peer, deadline.signal);
  const outcome = await run.outcome();
  if (fatal !== undefined) assertFatal(outcome, fatal);
  else assertExchanged(ours === "offerer" ? "Offerer" : "Answerer", outcome);
}

for (
  const [ours, theirs, cases] of [
    ["answerer", "offerer", OFFERERS],
    ["offerer", "answerer", ANSWERERS],
  ] as const
) {
  for (const [what, one] of Object.entries(cases)) {
    if (one.waits) continue;
    const end = one.fatal === undefined ? "succeeds" : "fails";
    Deno.test(`the ${ours} ${end} whose ${theirs} ${what}`, () => play(ours, one));
  }
  // At once, as they all wait.
  const waiting = Object.entries(cases).filter(([, { waits }]) => waits);
  const names = waiting.map(([what]) => what).join("; or ");
  Deno.test(`the ${ours} fails at its deadline whose ${theirs} ${names}`, async () => {
    await Promise.all(waiting.map(([, one]) => play(ours, one)));
  });
}

const DEAF_OFFERER: Program = {
  command: Deno.execPath(),
  args: [
    ...["run", "--quiet", "--no-prompt", "-A"],
    fromFileUrl(new URL("unacknowledging_offerer.ts", import.meta.url)),
  ],
  env: { DENO_NO_UPDATE_CHECK: "1" },
};

Deno.test("the answerer fails whose offerer is killed before it has acknowledged the echo", async () => {
  const args = having(byFile("-", "-").answerer, "--phase-timeout-secs", "5");
  await using answerer = new Run(DAEMON, args);
  await using offerer = new Run(DEAF_OFFERER, []);
  await answerer.input(await offerer.line());
  await offerer.input(await answerer.line());
  await offerer.said("the echo has come");
  offerer.kill("SIGKILL");
  const outcome = await answerer.outcome();
  assertFatal(outcome, "the peer has not acknowledged the echo");
  assertStringIncludes(outcome.stderr, "DataChannel open");
});
