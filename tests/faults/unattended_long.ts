/**
 * Twenty minutes in which two daemons that nobody watches live through as much as in half a day:
 * `deno task test:unattended [-- --seed N --minutes N --files N --happenings N --write]`; with
 * `--write` the figures go to docs/TESTING.md.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { machine, publish, say, tableOf } from "./results.ts";
import {
  BOUNDS,
  canRunUnattended,
  type Cut,
  faultsOf,
  HAPPENINGS,
  runUnattended,
  type UnattendedResult,
} from "./unattended.ts";

const flags = parseArgs(Deno.args, {
  string: ["seed", "minutes", "files", "happenings", "largest", "rate"],
});
const numberOf = (text: unknown, otherwise: number) => Number(text ?? otherwise);
const seed = numberOf(flags.seed, Math.floor(Math.random() * 1e9));
const minutes = numberOf(flags.minutes, 20);
const files = numberOf(flags.files, 200);
const happenings = numberOf(flags.happenings, Math.ceil(minutes * 6));
const largest = numberOf(flags.largest, 100_000_000);
const rate = String(flags.rate ?? "32mbit");

function report(result: UnattendedResult): string {
  const { sent, arrived, happened, cuts, onWire, failedStarts, tail, wrong, lost } = result;
  const rows = [
    ["", "figure"],
    ["files sent", `${sent.files}`],
    ["arrived: in the inbox, with the right hash", `${arrived.inbox}`],
    ["arrived: by `boltctl received`", `${arrived.received}`],
    ["arrived: by the receiver's journal", `${arrived.journal}`],
    ["second, half or wrong files", `${wrong.length}`],
    ["files lost", `${lost.length}`],
    ["bytes of the files", `${sent.bytes}`],
    ["bytes that left the sender's host", `${onWire} (${(onWire / sent.bytes).toFixed(3)})`],
    ...(["a kill of the receiver", "anything else"] as const).flatMap((by) => {
      const ofKind = cuts.filter((cut: Cut) => cut.by === by).map(({ again }) => again);
      const sum = ofKind.reduce((a, b) => a + b, 0);
      return [
        [`files cut by ${by}`, `${ofKind.length}`],
        ["- bytes that came again, in all", `${sum}`],
        ["- most at once (allowed)", `${Math.max(0, ...ofKind)} (${BOUNDS[by]})`],
      ];
    }),
    ["starts that failed and were made again", `${failedStarts}`],
    ["seconds from the last trouble to the last file", tail.toFixed(1)],
  ];
  const troubles = HAPPENINGS.map((what) => [what, `${happened.get(what) ?? 0}`]);
  return `${machine()}, seed ${seed}: ${minutes} minutes, ${files} files of up to ${largest} bytes, a cable of
${rate}/s.

${tableOf(rows)}

${tableOf([["what happened", "times"], ...troubles])}`;
}

if (!await canRunUnattended()) {
  await say("Skipped: this needs Linux, root, iproute2 and a mount.");
} else {
  await say(`seed ${seed}`);
  const result = await runUnattended(
    {
      ...{ seed, files, happenings, largest, rate },
      seconds: minutes * 60,
      graceSeconds: 600,
    },
    say,
  );
  await publish(
    { mark: "unattended", document: "TESTING.md", title: "Testing" },
    report(result),
  );
  const faults = faultsOf(result);
  for (const fault of faults) await say(`FAULT: ${fault}`);
  if (faults.length > 0) Deno.exitCode = 1;
}
