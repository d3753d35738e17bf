/**
 * First part of the demo: the one-shot program of the operator contract.
 *
 * @module
 */
import { startDaemon } from "./programs.ts";
import { say } from "./say.ts";

/** Two one-shot daemons meet at a rendezvous server and exchange the payload. */
export async function exchangePayload(rendezvousUrl: string): Promise<boolean> {
  say(
    "1. The one-shot program: alice offers, bob answers; both check the other's version, session,",
  );
  say("   room and network scope, connect directly, and exchange a payload.\n");
  const common = ["--signal", "rendezvous", "--rendezvous-url", rendezvousUrl];
  const meeting = [...common, "--room", "demo", "--session", "demo-1"];
  const show = (name: string) => (line: string) => {
    if (!line.includes("ICE candidate")) say(`   ${name.padEnd(5)} | ${line}`);
  };
  await using alice = startDaemon(
    ["--role", "offerer", "--peer-id", "alice", "--to", "bob", ...meeting],
    show("alice"),
  );
  await using bob = startDaemon(
    ["--role", "answerer", "--peer-id", "bob", "--expect-peer", "alice", ...meeting],
    show("bob"),
  );
  const [aliceCode, bobCode] = await Promise.all([alice.code(), bob.code()]);
  say(`\n   Exit codes: alice ${aliceCode}, bob ${bobCode}.\n`);
  return aliceCode === 0 && bobCode === 0;
}
