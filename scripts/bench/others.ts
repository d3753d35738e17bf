/**
 * A file by our daemons against programs of others, and as many bytes by raw channels.
 *
 * The tools run with us in a network namespace that has nothing but loopback: their servers are our
 * own, and none of them can reach another.
 *
 * @module
 */
import { abortable } from "../../src/base/deadline.ts";
import { fromFileUrl } from "../../tests/support/paths.ts";
import {
  canMakeNamespaces,
  inNamespace,
  NetworkNamespace,
} from "../../tests/support/network_namespace.ts";
import { TempFolder } from "../../tests/support/temp_folder.ts";
import { makeFiles } from "./daemon_pair.ts";
import { formatMachine, formatRounds, thisMachine, writeSection } from "./document.ts";
import { MIB, ourVariants, runMs } from "./files.ts";
import type { BenchOptions } from "./options.ts";
import { isInstalled } from "./others/programs.ts";
import { SCP } from "./others/scp.ts";
import { SYNCTHING } from "./others/syncthing.ts";
import type { Tool } from "./others/tool.ts";
import { MAGIC_WORMHOLE, TRANSIT_HOST, WORMHOLE_WILLIAM } from "./others/wormhole.ts";
import { carry, connect, Libdatachannel, spawnDenoPeer } from "./raw_channel.ts";
import type { RemotePeer } from "../interop/child.ts";
import { inTurns, say, type Variant } from "./rounds.ts";
import { comparisonTable, type Figures } from "./statistics.ts";

const TOOLS: readonly Tool[] = [MAGIC_WORMHOLE, WORMHOLE_WILLIAM, SYNCTHING, SCP];
/** Of a raw channel. */
const MESSAGE_BYTES = 64 * 1024;

/** Ours and those of others, in a namespace where one can be made; without tools elsewhere. */
export async function benchOthers(options: BenchOptions): Promise<void> {
  // What it needs of npm is fetched before there is no network.
  (await Libdatachannel.install())?.[Symbol.dispose]();
  if (!await canMakeNamespaces()) return await measureOthers(options, []);
  await using owned = new AsyncDisposableStack();
  const namespace = owned.use(await NetworkNamespace.make());
  // Some programs use no loopback interface: an address of a cable to a host where nobody is.
  await namespace.lay("cable", ["10.79.0.1/24"], owned.use(await NetworkNamespace.make()), []);
  const etc = `/etc/netns/${namespace.name}`;
  await Deno.mkdir(etc, { recursive: true });
  owned.defer(() => Deno.remove(etc, { recursive: true }));
  await Deno.writeTextFile(`${etc}/hosts`, ["localhost", TRANSIT_HOST].map(atLoopback).join(""));
  const args = ["run", "--no-prompt", "-A", fromFileUrl(import.meta.url), JSON.stringify(options)];
  const program = inNamespace(namespace.name, { command: Deno.execPath(), args });
  const { code } = await new Deno.Command(program.command, { args: [...program.args] }).spawn()
    .status;
  if (code !== 0) throw new Error(`the measurement in the namespace ended with ${code}`);
}

const atLoopback = (host: string) => `127.0.0.1 ${host}\n`;

async function measureOthers(options: BenchOptions, tools: readonly Tool[]): Promise<void> {
  const { rounds = 3, mib = 256, dryRun } = options;
  await using folder = await TempFolder.make();
  const files = await makeFiles(folder.path("sent"), { count: 1, bytes: mib * MIB });
  using libdatachannel = await Libdatachannel.install();
  const variants: Variant[] = ourVariants(files).map(withLargerPeak);
  const left: string[] = [];
  const [{ name: byTcp }, { name: byUdp }] = variants as [Variant, Variant];
  for (const tool of TOOLS) {
    const installed = await Promise.all(tool.programs.map(isInstalled));
    const missing = tool.programs.filter((_, i) => !installed[i]);
    if (!tools.includes(tool)) left.push(`${tool.name} (no network namespaces)`);
    else if (missing.length > 0) left.push(`${tool.name} (no ${missing.join(", ")})`);
    else variants.push({ name: tool.name, run: (signal) => tool.carry(files, signal) });
  }
  variants.push(rawVariant("our raw channel, UDP", () => spawnDenoPeer("ours"), files.bytes));
  if (libdatachannel === undefined) left.push("libdatachannel (no Node with npm)");
  else {
    const { name } = libdatachannel;
    variants.push(rawVariant(`raw ${name}`, () => libdatachannel.spawn(), files.bytes));
  }
  for (const what of left) say(`not measured: ${what}`);
  const results = await inTurns(variants, { rounds, deadlineMs: runMs(mib) });
  const ratio = (base: string, key: string, title: string) => ({
    base,
    key,
    title,
    isInverse: true,
  });
  await writeSection(
    `<!-- others: written by scripts/bench/others.ts -->

## A file by other programs

${formatMachine(thisMachine())} A file of ${mib} MiB of random bytes, ${
      formatRounds(rounds)
    }; each file's hash was compared. Each program runs on loopback with servers
of its own, in a network namespace that has nothing else. Ours count from the request to send to the
last word of both; wormholes from the start of both programs to their end; Syncthing from the request
to look at the folder until the other one has the file; scp from its start to its end; raw channels
carry as many bytes in messages of 64 KiB. CPU is of both sides, memory that of the largest process.
${left.length > 0 ? `Not measured: ${left.join("; ")}. ` : ""}Run it again with
\`deno task bench others\`.

${
      comparisonTable(results, [
        ratio(byTcp, "MB/s", `${byTcp} / it, MB/s`),
        ratio(byUdp, "MB/s", `${byUdp} / it, MB/s`),
        ratio(byTcp, "CPU", `${byTcp} / it, CPU`),
      ], [
        { title: "MB/s", key: "MB/s", digits: 1 },
        { title: "CPU (ms a MiB)", key: "CPU", digits: 1 },
        { title: "peak (MiB)", key: "peak", digits: 0 },
      ])
    }

<!-- end of others -->`,
    dryRun,
  );
}

function withLargerPeak({ name, run }: Variant): Variant {
  const peak = (figures: Figures) =>
    Math.max(figures.get("peak of the sender") ?? 0, figures.get("peak of the receiver") ?? 0);
  return {
    name,
    run: async (signal) => {
      const figures = await run(signal);
      return new Map([...figures, ["peak", peak(figures)]]);
    },
  };
}

function rawVariant(name: string, spawn: () => RemotePeer, total: number): Variant {
  return {
    name,
    run: async (signal) => {
      await using a = spawn();
      await using b = spawn();
      const { megabytesPerSecond, cpuMsPerMib, peakRssMb } = await abortable(
        connect(a, b).then(() => carry(a, b, { size: MESSAGE_BYTES, total })),
        signal,
      );
      return new Map([
        ["MB/s", megabytesPerSecond],
        ["CPU", cpuMsPerMib],
        ["peak", peakRssMb * 1e6 / MIB],
      ]);
    },
  };
}

// In the namespace.
if (import.meta.main) await measureOthers(JSON.parse(Deno.args[0] ?? "{}"), TOOLS);
