/**
 * Completion of peers and transfers in real shells: what is inserted is the word that the daemon
 * knows, whatever its peer put into it, and nothing of it is ever run.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { completionScript } from "../../src/boltctl/completion_script.ts";
import { peerText } from "../../src/ipc/api/peer_text.ts";
import type { PeerView } from "../../src/ipc/api/schemas.ts";
import { type Program, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { boltctl } from "./support/boltctl.ts";
import { hasPseudoTerminal, OnTerminal } from "./support/pseudo_terminal.ts";
import { EVE, PEERS, Staged, transfer } from "./support/staged_daemon.ts";

/** Would run a program in each of the ways that shells know, if any of it were evaluated. */
const HOSTILE = "Eve's $(touch pwned) `touch pwned` \"; touch pwned & | > pwned * {a,b} !! #=:~";
const PEER: PeerView = {
  ...{ identity: EVE, trust: "allow_always", autoAccept: false, proven: true },
  ...{ trustedByKey: false, connected: true, deviceName: peerText(HOSTILE) },
};
const STAGE = { peers: [PEER], transfers: [transfer(1, { state: "paused" })] };

const SHELLS = {
  bash: { args: ["--norc", "--noprofile", "-i"], ready: "PS1='READ''Y> '" },
  zsh: {
    args: ["-f", "-i"],
    ready: "autoload -U compinit && compinit -u -D; setopt NO_BANG_HIST; PS1='READ''Y> '",
  },
  fish: {
    args: ["--no-config", "-i"],
    ready: "function fish_prompt; echo -n READ; echo -n 'Y> '; end",
  },
} as const;

async function isHere(shell: string): Promise<boolean> {
  try {
    return (await new Deno.Command(shell, { args: ["--version"], stderr: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

/**
 * The arguments that boltctl is run with when this is typed at a shell, tabs among it. The folder
 * `pwned` would appear in is the shell's.
 */
async function typed(
  shell: keyof typeof SHELLS,
  folder: TempFolder,
  socket: string,
  line: string,
): Promise<string[]> {
  const { command, args, env = {} } = boltctl(socket);
  // The shell's home is another, and the runtime's cache where it was.
  const home = `HOME='${Deno.env.get("HOME") ?? ""}'`;
  const real = [command, ...args].map((word) => `'${word}'`).join(" ");
  const told = folder.path("told");
  await Deno.mkdir(folder.path("bin"));
  await Deno.writeTextFile(
    folder.path("bin", "boltctl"),
    `#!/bin/sh\nif [ "$1" = completion ]; then ${home} exec ${real} "$@"; fi\n` +
      `for word in "$@"; do printf '%s\\n' "$word"; done > '${told}'\n`,
    { mode: 0o755 },
  );
  const script = folder.path("script");
  await Deno.writeTextFile(script, completionScript(shell));
  await Deno.mkdir(folder.path("here"));
  const program: Program = {
    ...{ command: shell, args: SHELLS[shell].args },
    env: {
      ...env,
      ...{ PATH: `${folder.path("bin")}:${Deno.env.get("PATH")}`, HOME: folder.path("here") },
      ...{ TERM: "xterm", LC_ALL: "C.UTF-8" },
    },
  };
  await using shown = new OnTerminal(program, [], 200);
  await shown.type(`cd ${folder.path("here")}; ${SHELLS[shell].ready}; source ${script}\n`);
  await shown.shows("READY> ");
  await shown.type(`${line}\n`);
  await shown.showsTimes("READY> ", 2);
  await shown.type("exit\n");
  await shown.ended();
  const made = await Array.fromAsync(Deno.readDir(folder.path("here")), ({ name }) => name);
  assertEquals(made.filter((name) => name.includes("pwned")), []);
  return (await Deno.readTextFile(told)).trimEnd().split("\n");
}

// The daemon of these tests listens at a socket.
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;
const available = await hasPseudoTerminal();
for (const shell of ["bash", "zsh", "fish"] as const) {
  const here = available && await isHere(shell);
  if (!here) {
    // deno-lint-ignore no-console
    console.warn(`Skipping the tests of completion in ${shell}: it, or script, is not here`);
  }
  Deno.test({
    name: `${shell} completes peers and transfers, and runs nothing of a hostile name`,
    ignore: !here,
    async fn() {
      await using staged = await Staged.serve(STAGE);
      for (
        const [line, words] of [
          ["boltctl send --to Ev\t file", ["send", "--to", HOSTILE, "file"]],
          ["boltctl disconnect Ev\t", ["disconnect", HOSTILE]],
          ["boltctl trust 77\t", ["trust", "77aa2222"]],
          ["boltctl resume 1a\t", ["resume", "1a1b0000"]],
          ["boltctl --api /none reject 1\t", ["--api", "/none", "reject", "1"]],
          [`boltctl --socket ${staged.socket} resume 1a\t`, [
            ...["--socket", staged.socket, "resume", "1a1b0000"],
          ]],
        ] as const
      ) {
        await using folder = await TempFolder.make();
        assertEquals(await typed(shell, folder, staged.socket, line), [...words]);
      }
    },
  });
  Deno.test({
    name: `${shell} completes nothing, and says nothing, where no daemon is`,
    ignore: !here,
    async fn() {
      await using folder = await TempFolder.make();
      const words = await typed(shell, folder, folder.path("none.sock"), "boltctl trust 77\t x");
      assertEquals(words, ["trust", "77", "x"]);
    },
  });
}

test("the words of the daemon are a line each; without a daemon, or with one that hangs, there are none", async () => {
  await using staged = await Staged.serve({ ...STAGE, peers: PEERS });
  const listed = await run(boltctl(staged.socket), ["completion", "peers"]);
  assertEquals([
    listed.code,
    listed.stderr,
    listed.stdout.split("\n").map((line) => line.split("\t")[0]),
  ], [
    0,
    "",
    ["bob", "Bob's laptop", "3f2b1111", "eve", ""],
  ]);
  await using folder = await TempFolder.make();
  const socket = folder.path("hangs.sock");
  const hanging = Deno.listen({ transport: "unix", path: socket });
  try {
    for (const path of [socket, folder.path("none.sock")]) {
      const none = await run(boltctl(path), ["completion", "transfers"]);
      assertEquals([none.code, none.stdout, none.stderr], [0, "", ""]);
    }
  } finally {
    hanging.close();
  }
});
