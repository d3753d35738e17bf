/**
 * Runs the development rendezvous server:
 * `deno run --allow-net scripts/rendezvous/main.ts [--host 127.0.0.1] [--port 3001]
 * [--behaviour strict|replace]`.
 *
 * `--behaviour` says which version of the real server it is like: see {@linkcode BEHAVIOURS}. With
 * `replace` plain HTTP is answered with 200, and messages over the limit with `rate limited`, the
 * third in a row with the end. What it does not play: rooms by the client's address, and connections
 * that end without a close frame.
 *
 * It logs on stderr and ends with exit code 0 on SIGINT or SIGTERM.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { messageOf } from "../../src/base/errors.ts";
import { flushLog, logFor, setupLog } from "../../src/log/log.ts";
import { type Behaviour, BEHAVIOURS } from "./room.ts";
import { startRendezvousServer } from "./server.ts";

const USAGE = "Usage: rendezvous [--host ADDRESS] [--port 0..65535] [--behaviour strict|replace]";

const log = logFor("rendezvous-server");

function parseOptions(args: string[]): { host: string; port: number; behaviour: Behaviour } {
  const refused: string[] = [];
  const flags = parseArgs(args, {
    string: ["host", "port", "behaviour"],
    unknown: (arg) => {
      refused.push(arg);
      return false;
    },
  });
  if (refused.length > 0) throw new Error(`Unknown argument: ${refused[0]}. ${USAGE}`);
  const { host = "127.0.0.1", port = "3001" } = flags;
  if (typeof port !== "string" || !/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new Error(`--port takes 0 to 65535. ${USAGE}`);
  }
  if (typeof host !== "string" || host === "") throw new Error(`--host takes an address. ${USAGE}`);
  const behaviour = BEHAVIOURS.find((one) => one === (flags["behaviour"] ?? "strict"));
  if (behaviour === undefined) {
    throw new Error(`--behaviour takes ${BEHAVIOURS.join(" or ")}. ${USAGE}`);
  }
  return { host, port: Number(port), behaviour };
}

/** Settles at the first signal that asks the program to end. */
function interrupted(): Promise<void> {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of signals) Deno.addSignalListener(signal, () => resolve());
  return promise;
}

async function main(): Promise<void> {
  const ended = interrupted();
  await using server = startRendezvousServer({
    ...parseOptions(Deno.args),
    onEvent: ({ kind, detail }) => log.info(kind, { detail }),
  });
  log.info("listening", { url: server.url });
  await ended;
}

if (import.meta.main) {
  setupLog();
  let code = 0;
  try {
    await main();
  } catch (error) {
    log.error(`FATAL: ${messageOf(error)}`);
    code = 1;
  }
  await flushLog();
  Deno.exit(code);
}
