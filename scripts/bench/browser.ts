/**
 * What a browser's page feels on a busy machine: Chromium sends to us, and to another Chromium.
 *
 * @module
 */
import { abortable } from "../../src/base/deadline.ts";
import type { RemotePeer } from "../interop/child.ts";
import { findChromium, openChromiumPeer } from "../interop/chromium.ts";
import { formatMachine, formatRounds, thisMachine, writeSection } from "./document.ts";
import type { BenchOptions } from "./options.ts";
import { Program } from "./others/programs.ts";
import { carry, connect, spawnDenoPeer } from "./raw_channel.ts";
import { inTurns, say, type Variant } from "./rounds.ts";
import { comparisonTable } from "./statistics.ts";

/** 5 MB in messages of 50 kB. */
const SENT = { size: 50_000, total: 5_000_000 };
const BUSY_LOOPS = 3;
const RUN_MS = 300_000;
const TO_CHROMIUM = "Chromium to Chromium";

/** A page's upload under load. */
export async function benchBrowser({ rounds = 5, dryRun }: BenchOptions): Promise<void> {
  const chromium = await findChromium();
  if (chromium === undefined) return say("not measured: the browser, which needs Chromium");
  const variant = (name: string, open: () => Promise<RemotePeer>): Variant => ({
    name,
    run: async (signal) => {
      await using sender = await openChromiumPeer(chromium);
      await using receiver = await open();
      await abortable(connect(sender, receiver), signal);
      await using owned = new AsyncDisposableStack();
      for (let i = 0; i < BUSY_LOOPS; i++) {
        owned.use(new Program("sh", ["-c", "while :; do :; done"]));
      }
      const { seconds } = await abortable(carry(sender, receiver, SENT), signal);
      return new Map([["seconds", seconds]]);
    },
  });
  const results = await inTurns([
    variant("Chromium to us", () => Promise.resolve(spawnDenoPeer("ours"))),
    variant(TO_CHROMIUM, () => openChromiumPeer(chromium)),
  ], { rounds, deadlineMs: RUN_MS });
  await writeSection(
    `<!-- browser: written by scripts/bench/browser.ts -->

## A browser that sends, on a busy machine

${formatMachine(thisMachine())} Chromium sends ${SENT.total / 1e6} MB over a data
channel while ${BUSY_LOOPS} other processes compute without end; seconds until it knows that all has come,
${formatRounds(rounds)}. Run it again with \`deno task bench browser\`.

${
      comparisonTable(
        results,
        [{ title: `time, times ${TO_CHROMIUM}`, key: "seconds", base: TO_CHROMIUM }],
        [{ title: "seconds", key: "seconds", digits: 2 }],
      )
    }

<!-- end of browser -->`,
    dryRun,
  );
}
