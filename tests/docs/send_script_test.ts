/**
 * The shell program of the integration guide, where things go wrong: it fails when the daemon
 * refuses, and a file's name is not taken for JSON.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { OperationError } from "../../src/ipc/api/problem.ts";
import { peerText } from "../../src/ipc/api/peer_text.ts";
import { BOB, type Stage, Staged, transfer } from "../boltctl/support/staged_daemon.ts";
import { type Outcome, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { runnableBlocksOf } from "./page.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const GUIDE = await Deno.readTextFile(new URL("../../docs/guides/integrate.md", import.meta.url));
const SCRIPT = runnableBlocksOf(GUIDE).find(({ file }) => file === "send.sh")?.text ?? "";
const NAME = `a "quoted" \\u0041 'file' $HOME.txt`;

const hasTools = (await Promise.all(
  ["curl", "jq"].map((command) =>
    run({ command, args: ["--version"] }, []).then(() => true, () => false)
  ),
)).every((has) => has);

/** Runs the script for the file {@linkcode NAME}; tells what the daemon was asked to send. */
async function play(stage: Stage, socket?: string): Promise<Outcome & { readonly sent?: string }> {
  await using folder = await TempFolder.make();
  await using staged = await Staged.serve(stage);
  await Deno.writeTextFile(folder.path("send.sh"), SCRIPT);
  await Deno.writeTextFile(folder.path(NAME), "content");
  const args = [folder.path("send.sh"), socket ?? staged.socket, BOB, folder.path(NAME)];
  const outcome = await run({ command: "sh", args: [] }, args);
  const call = staged.daemon.calls.find((one) => one.startsWith("send("));
  const sent: string | undefined = call === undefined
    ? undefined
    : JSON.parse(call.slice("send(".length, -1)).paths[0].split("/").at(-1);
  return { ...outcome, ...(sent === undefined ? {} : { sent }) };
}

const ended = (failure?: { readonly code: string; readonly message: string }): Stage => ({
  onSend: [
    { type: "transfer-finished", transfer: transfer(7, { state: "completed" }) },
    failure === undefined
      ? { type: "transfer-finished", transfer: transfer(1, { state: "completed" }) }
      : {
        type: "transfer-failed",
        transfer: transfer(1, {
          state: "failed",
          failure: { ...failure, message: peerText(failure.message) },
        }),
      },
  ],
});

Deno.test({
  name: "send.sh sends a file of any name, and ends with 0 when it has arrived",
  ignore: !hasTools,
  fn: async () => {
    const { code, stdout, stderr, sent } = await play(ended());
    assertEquals([code, stderr, sent], [0, "", NAME]);
    assertStringIncludes(stdout, `${NAME} has arrived`);
  },
});

Deno.test({
  name: "send.sh fails with the daemon's words when the API refuses, or the transfer fails",
  ignore: !hasTools,
  fn: async () => {
    const failure = new OperationError("FILE_UNREADABLE", "/x is a folder");
    const refused = await play({ failure });
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, "FILE_UNREADABLE: /x is a folder");
    const failed = await play(ended({ code: "CONNECTION_LOST", message: "the peer went away" }));
    assertEquals([failed.code, failed.stderr], [1, "report.pdf: the peer went away\n"]);
  },
});

test({
  name: "send.sh fails when no daemon is there",
  ignore: !hasTools,
  fn: async () => {
    const { code, stderr } = await play({}, "/nonexistent/daemon.sock");
    assertEquals(code, 1);
    assertStringIncludes(stderr, "curl: ");
  },
});
