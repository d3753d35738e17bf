/**
 * The base binary (`denort`) that `deno compile` appends a program to, of each platform.
 *
 * @module
 */
import { messageOf } from "../../src/base/errors.ts";
import { run } from "./subprocess.ts";
import { DENO_VERSION, type Target } from "./targets.ts";

/** How long the server that base binaries come from has to answer, in ms. */
const PROBE_TIMEOUT_MS = 10_000;

/** A base binary can't be had on this machine. */
export class BaseBinaryError extends Error {
  /** The class's name. */
  override readonly name = "BaseBinaryError";
}

/** Where base binaries may be. */
export interface BaseBinaryOptions {
  /** A file to use in place of a fetched one. @default {the environment's DENORT_BIN} */
  readonly denortBin?: string;
  /** Where they are fetched from. @default {"https://dl.deno.land"} */
  readonly server?: string;
}

/**
 * Makes sure that `deno compile` will find a platform's base binary: given by `DENORT_BIN`, fetched
 * before, or to be had from the server. Nothing is fetched here.
 *
 * @throws {BaseBinaryError} When it can't be had; the message says what else to do.
 */
export async function requireBaseBinary(
  target: Target,
  options: BaseBinaryOptions = {},
): Promise<void> {
  const path = `release/v${DENO_VERSION}/denort-${target.triple}.zip`;
  const given = options.denortBin ?? Deno.env.get("DENORT_BIN");
  if (given !== undefined) {
    if (await exists(given)) return;
    throw new BaseBinaryError(`DENORT_BIN names no file: ${given}`);
  }
  const { denoDir } = JSON.parse(await run(Deno.execPath(), ["info", "--json"]));
  if (await exists(`${denoDir}/dl/${path}`)) return;
  const url = `${options.server ?? "https://dl.deno.land"}/${path}`;
  const refusal = await probe(url);
  if (refusal === undefined) return;
  throw new BaseBinaryError(
    `can't fetch the base binary for ${target.name} from ${url}: ${refusal}. Set DENORT_BIN to ` +
      `the denort ${DENO_VERSION} of that platform, or make the other kind of file: deno task pack`,
  );
}

/** Why a URL can't be fetched; undefined when it can. */
async function probe(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      method: "HEAD",
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `it answers ${response.status}`;
  } catch (error) {
    return messageOf(error);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
