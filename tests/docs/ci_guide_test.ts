/**
 * The CI guide, followed to the letter, with somebody at the rendezvous server who poses as either
 * side: he gets nothing and puts nothing anywhere, and the build arrives all the same.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { skipped } from "../support/skipped.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn } from "../support/transfers.ts";
import { runnableBlocksOf } from "./page.ts";
import { runPage } from "./run_page.ts";

const PAGE = "docs/guides/ci.md";
const TEXT = await Deno.readTextFile(new URL(`../../${PAGE}`, import.meta.url));

/** A daemon of the impostor's that lets everybody in, and takes all that is offered. */
const IMPOSTOR = `
export BOLT_SOCKET="$HOME/bolt/daemon.sock"
bolt-daemon serve --data-dir "$HOME/bolt" --device-name build-store \\
  --pairing-policy allow --unproven-peers allow 2> daemon.log &
boltctl status --wait
`;
/** How he meets the one who expects another. */
const meet = (rendezvous: string, as: string) =>
  `boltctl pair --signal rendezvous --rendezvous-url ${rendezvous} ` +
  `--room builds --session 1 ${as} --no-wait\n`;

Deno.test({
  name:
    "the CI guide's set-up hands the build to nobody but its receiver, and takes none but the job's",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = await TempFolder.make();
    await using server = startRendezvousServer();
    const share = folder.path("share");
    const job = runnableBlocksOf(TEXT).find(({ file }) => file === "send-build.sh");
    const script = job?.text.replaceAll("ws://192.168.1.10:3001", server.url) ?? "";
    const lacking = await runPage(PAGE, folder, server.url, async ([block], machines) => {
      const impostor = await machines.named("impostor");
      if (block?.text.includes("while sleep")) {
        // Nobody waits as the store yet: the impostor does.
        await impostor.run(
          IMPOSTOR + meet(server.url, "--role answerer --peer-id store --expect-peer ci"),
        );
        const deceived = await machines.named("deceived");
        await Deno.writeTextFile(`${deceived.home}/send-build.sh`, script);
        await deceived.run(`
code=0
sh send-build.sh ${share}/BOLT_IDENTITY "$(cat ${share}/store.identity)" report.pdf || code=$?
test $code -eq 4
`);
      } else if (block?.text.startsWith("sh send-build.sh")) {
        // The receiver waits: the impostor comes as the job, and first.
        const receiver = await machines.named("receiver");
        await impostor.run(`
until ${meet(server.url, "--role offerer --peer-id ci --to store").trim()}; do sleep 0.2; done
until grep -q expected-identity "${receiver.home}/pair.log"; do sleep 0.2; done
if boltctl send report.pdf; then exit 1; fi
`);
      }
    });
    if (lacking.length > 0) return skipped(`${PAGE}: what needs ${lacking.join(", ")}`);
    const inboxOf = (name: string) => namesIn(folder.path("machines", name, "bolt", "inbox"));
    assertEquals(await inboxOf("impostor"), []);
    assertEquals(await inboxOf("receiver"), ["report.pdf"]);
  },
});
