/**
 * A file on paths that lose and delay packets, by TCP and by UDP: two hosts in network namespaces
 * and a cable between them.
 *
 * @module
 */
import { canMakeNamespaces } from "../../tests/support/network_namespace.ts";
import { DAEMON } from "../../tests/support/program.ts";
import { TempFolder } from "../../tests/support/temp_folder.ts";
import { DaemonPair, makeFiles } from "./daemon_pair.ts";
import { formatMachine, formatRounds, thisMachine, writeSection } from "./document.ts";
import { MIB } from "./files.ts";
import { LossyCable } from "./lossy_cable.ts";
import type { BenchOptions } from "./options.ts";
import { inTurns, say, type Variant } from "./rounds.ts";
import { medianOf, ratioText, tableOf } from "./statistics.ts";

const LOSSES = [0, 0.01, 0.03, 0.05];
const ROUND_TRIPS_MS = [0, 20, 100];
const TRANSPORTS = ["tcp", "udp"] as const;
const RUN_MS = 300_000;
const SEED = 1;

/** The ladder. */
export async function benchLoss(options: BenchOptions): Promise<void> {
  const { rounds = 1, mib = 4, dryRun } = options;
  if (!await canMakeNamespaces()) {
    return say("not measured: loss and delay, which need Linux, root and iproute2");
  }
  await using folder = await TempFolder.make();
  const files = await makeFiles(folder.path("sent"), { count: 1, bytes: mib * MIB });
  const rungs = ROUND_TRIPS_MS.flatMap((roundTripMs) =>
    LOSSES.map((loss) => ({
      name: `${roundTripMs} ms round trip, ${(100 * loss).toFixed(0)} % lost`,
      conditions: { loss, delayMs: roundTripMs / 2 },
    }))
  );
  const variants = rungs.flatMap(({ name, conditions }) =>
    TRANSPORTS.map((transport): Variant => ({
      name: `${name}, ${transport}`,
      run: async (signal) => {
        await using cable = await LossyCable.lay(conditions, SEED);
        await using pair = await DaemonPair.start({
          flags: ["--transport", transport],
          programs: { sender: cable.one.inside(DAEMON), receiver: cable.two.inside(DAEMON) },
        });
        return new Map([["seconds", await pair.send(files, signal)]]);
      },
    }))
  );
  const results = await inTurns(variants, { rounds, deadlineMs: RUN_MS });
  const rows = rungs.map(({ name }) => {
    const [tcp, udp] = TRANSPORTS.map((one) => medianOf(results, `${name}, ${one}`, "seconds"));
    return [name, ratioText(udp, tcp), ...[tcp, udp].map((s) => s?.toFixed(2) ?? "lost")];
  });
  await writeSection(
    `<!-- loss: written by scripts/bench/loss.ts -->

## A file on a bad path

${formatMachine(thisMachine())} Seconds for a file of ${mib} MiB between two
hosts in network namespaces, ${formatRounds(rounds)}. The cable between them is this process,
which takes each packet, of any protocol, from one TUN device to the other: it loses the share each
way, each packet on its own, holds each for half the round trip, and is itself the limit where
nothing is lost or held. TCP's own congestion control (the kernel's) is what carries a session by
TCP. Run it again with \`deno task bench loss\`.

${tableOf([["", "UDP / TCP", "TCP (s)", "UDP (s)"], ...rows])}

<!-- end of loss -->`,
    dryRun,
  );
}
