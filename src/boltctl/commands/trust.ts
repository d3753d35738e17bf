/**
 * `boltctl trust` and `boltctl untrust`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { TrustRequest } from "../../ipc/api/schemas.ts";
import {
  type AcceptRule,
  byteSize,
  filesPerDay,
  namePattern,
} from "../../vocabulary/accept_rule.ts";
import { givenName, identityKey, sas } from "../../vocabulary/session_values.ts";
import { onOrOff } from "../command_table.ts";
import type { Context } from "../context.ts";
import { ruleText } from "../output/rule_text.ts";
import { peerLabel, resolveForTrust } from "../resolve.ts";

const RULE_FLAGS = ["max-size", "names", "min-free", "per-day"];

/** Pins a decision, replaces a key, or sets auto-accept. */
export async function trust(context: Context): Promise<void> {
  const { client, output, flags, signal } = context;
  const autoAccept = flags.value("auto-accept", onOrOff);
  const name = flags.value("name", givenName);
  const replacing = readReplacing(context, name);
  if (autoAccept !== undefined) {
    refuseBeside(flags, "auto-accept", ["deny", "replaces", "unproven"]);
  }
  const rule = readRule(flags);
  if (flags.has("deny")) refuseBeside(flags, "deny", ["name", "unproven"]);
  const unproven = flags.has("unproven");
  const identity = await readIdentity(context, name !== undefined && !unproven);
  if (replacing.replaces === identity) {
    throw new UsageError(
      "--replaces takes the key that goes, not the one that is trusted in its place",
    );
  }
  const decision = flags.has("deny") ? "deny_always" : "allow_always";
  const more = {
    ...replacing,
    ...(name === undefined ? {} : { name }),
    ...(unproven ? { unproven } : {}),
  };
  const decide = () => client().trust(identity, { decision, ...more }, signal);
  if (autoAccept === undefined) {
    const peer = await decide();
    const what = decision === "deny_always" ? "is refused" : "is let in";
    return output.result(peer, () => output.line(`${peerLabel(peer)} ${what} from now on`));
  }
  if (name !== undefined) await decide();
  const request = { enabled: autoAccept === "on", ...rule };
  const peer = await client().setAutoAccept(identity, request, signal);
  const what = peer.autoAccept
    ? `are accepted unasked from now on${peer.acceptRule ? `: ${ruleText(peer.acceptRule)}` : ""}`
    : "are asked about again";
  output.result(peer, () => output.line(`Files of ${peerLabel(peer)} ${what}`));
}

/** Forgets the pinned decision. */
export async function untrust(context: Context): Promise<void> {
  const { client, output, args, signal } = context;
  const peer = await resolveForTrust(client(), args[0] ?? "", signal);
  await client().untrust(peer.identity, signal);
  output.result(
    { identity: peer.identity, trust: "none" },
    () => output.line(`The decision about ${peerLabel(peer)} is forgotten`),
  );
}

/** What files must meet to be accepted unasked. */
function readRule(flags: Context["flags"]): AcceptRule {
  const given = RULE_FLAGS.find((name) => flags.has(name));
  if (given !== undefined && flags.value("auto-accept", onOrOff) !== "on") {
    throw new UsageError(`--${given} goes with --auto-accept on`);
  }
  const maxSize = flags.value("max-size", byteSize);
  const names = flags.value("names", namePattern);
  const minFree = flags.value("min-free", byteSize);
  const perDay = flags.value("per-day", filesPerDay);
  return {
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(names === undefined ? {} : { names }),
    ...(minFree === undefined ? {} : { minFree }),
    ...(perDay === undefined ? {} : { perDay }),
  };
}

function refuseBeside(flags: Context["flags"], alone: string, others: readonly string[]): void {
  const given = others.find((name) => flags.has(name));
  if (given !== undefined) throw new UsageError(`--${alone} does not go with --${given}`);
}

/**
 * A full identity may be one that the daemon has not met. One that is to be trusted as it was typed
 * has to be typed, unless the peer has proven it.
 */
async function readIdentity(
  { client, args, signal }: Context,
  trustsKey: boolean,
): Promise<string> {
  const wanted = args[0] ?? "";
  const whole = identityKey.parse(wanted);
  if (whole !== undefined) return whole;
  const peer = await resolveForTrust(client(), wanted, signal);
  if (!trustsKey || peer.proven || peer.trustedByKey) return peer.identity;
  throw new UsageError(
    `With --name a key is trusted as it is typed: give the whole key of ${
      peerLabel(peer)
    }, as boltctl ` +
      "identity prints it at the other end",
  );
}

function readReplacing(
  { flags }: Context,
  name: string | undefined,
): Pick<TrustRequest, "replaces" | "sas"> {
  const replaces = flags.value("replaces", identityKey);
  const confirmed = flags.value("sas", sas);
  if (replaces === undefined && confirmed === undefined) return {};
  if (replaces === undefined || (confirmed === undefined) === (name === undefined)) {
    throw new UsageError("--replaces IDENTITY goes with either --sas SAS or --name NAME");
  }
  if (confirmed === undefined) {
    refuseBeside(flags, "replaces", ["unproven"]);
    return { replaces };
  }
  return { replaces, sas: confirmed };
}
