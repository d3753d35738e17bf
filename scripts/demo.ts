/**
 * The demo: a rendezvous server and two daemons on this machine, which exchange the payload.
 *
 * Run it with `deno task demo`. It prints what each daemon says and exits 0 when both succeeded.
 *
 * @module
 */
import { PROGRAMS } from "./build/programs.ts";
import { startRendezvousServer } from "./rendezvous/server.ts";

const [daemon] = PROGRAMS;
if (daemon === undefined) throw new Error("Cannot run the demo: no program is defined");
const { entry, permissions } = daemon;

const say = (text: string): void => {
  Deno.stdout.writeSync(new TextEncoder().encode(text + "\n"));
};

/** Runs a daemon, shows its log under its name, and resolves with its exit code. */
async function runDaemon(name: string, args: readonly string[]): Promise<number> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...permissions, entry.href, ...args],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let rest = "";
  for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) say(`  ${name.padEnd(5)} | ${line}`);
  }
  return (await process.status).code;
}

async function demo(): Promise<number> {
  await using server = startRendezvousServer();
  say(`1. A rendezvous server listens at ${server.url} (it relays, and is not trusted).`);
  say("2. alice offers, bob answers; each checks the other's version, session, room and scope.");
  say("3. They connect directly to each other and exchange the payload:\n");
  const common = ["--signal", "rendezvous", "--rendezvous-url", server.url];
  const meeting = [...common, "--room", "demo", "--session", "demo-1"];
  const [alice, bob] = await Promise.all([
    runDaemon("alice", ["--role", "offerer", "--peer-id", "alice", "--to", "bob", ...meeting]),
    runDaemon("bob", [
      "--role",
      "answerer",
      "--peer-id",
      "bob",
      "--expect-peer",
      "alice",
      ...meeting,
    ]),
  ]);
  say(`\n4. Exit codes: alice ${alice}, bob ${bob}.`);
  const done = alice === 0 && bob === 0;
  say(done ? "The payload went both ways and was checked." : "The demo failed: see the log above.");
  return done ? 0 : 1;
}

if (import.meta.main) Deno.exit(await demo());
