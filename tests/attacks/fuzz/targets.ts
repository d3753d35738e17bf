/**
 * Every parser of hostile input, and the inputs that broke one of them once.
 *
 * @module
 */
import type { FuzzFailure } from "./fuzz_target.ts";
import { LOCAL_TARGETS } from "./local_targets.ts";
import { PROTOCOL_TARGETS } from "./protocol_targets.ts";
import { TRANSPORT_TARGETS } from "./transport_targets.ts";

/** All targets. */
export const TARGETS = [...PROTOCOL_TARGETS, ...TRANSPORT_TARGETS, ...LOCAL_TARGETS];

const corpusFile = (name: string) => new URL(`../fuzz_corpus/${name}.json`, import.meta.url);

/** The kept inputs of a target, in base64. */
export async function keptInputs(name: string): Promise<readonly string[]> {
  try {
    const kept: unknown = JSON.parse(await Deno.readTextFile(corpusFile(name)));
    if (Array.isArray(kept) && kept.every((one) => typeof one === "string")) return kept;
    throw new Error(`${corpusFile(name).pathname} is not a list of base64 texts`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Keeps the input of a failure, to be tried first from now on. */
export async function keepInput({ target, input }: FuzzFailure): Promise<void> {
  const kept = new Set([...await keptInputs(target), input]);
  await Deno.writeTextFile(corpusFile(target), JSON.stringify([...kept], null, 2) + "\n");
}
