/**
 * `deno task bench`: the parts that are named, or all of them, one after the other. Each writes its
 * section of docs/BENCHMARKS.md; nothing is asserted about a speed.
 *
 * @module
 */
import { fromFileUrl } from "../../tests/support/paths.ts";
import { type BenchOptions, parseBench, type Part, UsageError } from "./options.ts";

const RUN: Readonly<Record<Part, (options: BenchOptions) => Promise<void>>> = {
  files: async (options) => (await import("./files.ts")).benchFiles(options),
  small: async (options) => (await import("./files.ts")).benchSmallFiles(options),
  others: async (options) => (await import("./others.ts")).benchOthers(options),
  loss: async (options) => (await import("./loss.ts")).benchLoss(options),
  browser: async (options) => (await import("./browser.ts")).benchBrowser(options),
  profile: async (options) => (await import("./profile.ts")).benchProfile(options),
  transport: async (options) => (await import("./transport.ts")).benchTransport(options),
  core: async () => (await import("./core.ts")).benchCore(),
  handshake: async (options) => (await import("./handshake.ts")).benchHandshake(options),
  memory: async (options) => (await import("./memory.ts")).benchMemory(options),
};

/** The exit code. */
async function main(args: readonly string[]): Promise<number> {
  let bench: ReturnType<typeof parseBench>;
  try {
    bench = parseBench(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await Deno.stderr.write(new TextEncoder().encode(`bench: ${error.message}\n`));
    return 1;
  }
  const [part] = bench.parts;
  if (bench.parts.length === 1 && part !== undefined) {
    await RUN[part](bench.options);
    return 0;
  }
  // A process for each: none measures what another has left in memory and compilers.
  const flags = args.filter((arg) => !(bench.parts as string[]).includes(arg));
  let worst = 0;
  for (const part of bench.parts) {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-A", fromFileUrl(import.meta.url), part, ...flags],
    });
    worst = Math.max(worst, (await command.spawn().status).code);
  }
  return worst;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
