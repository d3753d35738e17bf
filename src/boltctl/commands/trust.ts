/**
 * `boltctl trust` and `boltctl untrust`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { TrustRequest } from "../../ipc/api/schemas.ts";
import { givenName, identityKey, sas } from "../../vocabulary/session_values.ts";
import { onOrOff } from "../command_table.ts";
import type { Context } from "../context.ts";
import { peerLabel, resolvePeer } from "../resolve.ts";

/** Pins a decision, replaces a key, or sets auto-accept. */
export async function trust(context: Context): Promise<void> {
  const { client, output, flags, signal } = context;
  const autoAccept = flags.value("auto-accept", onOrOff);
  const name = flags.value("name", givenName);
  const replacing = readReplacing(context, name);
  if (autoAccept !== undefined) {
    refuseBeside(flags, "auto-accept", ["deny", "replaces", "name", "unproven"]);
  }
  if (flags.has("deny")) refuseBeside(flags, "deny", ["name", "unproven"]);
  const unproven = flags.has("unproven");
  const identity = await readIdentity(context, name !== undefined && !unproven);
  if (autoAccept !== undefined) {
    const peer = await client().setAutoAccept(identity, { enabled: autoAccept === "on" }, signal);
    const what = peer.autoAccept ? "are accepted unasked from now on" : "are asked about again";
    return output.result(peer, () => output.line(`Files of ${peerLabel(peer)} ${what}`));
  }
  const decision = flags.has("deny") ? "deny_always" : "allow_always";
  const more = {
    ...replacing,
    ...(name === undefined ? {} : { name }),
    ...(unproven ? { unproven } : {}),
  };
  const peer = await client().trust(identity, { decision, ...more }, signal);
  const what = decision === "deny_always" ? "is refused" : "is let in";
  output.result(peer, () => output.line(`${peerLabel(peer)} ${what} from now on`));
}

/** Forgets the pinned decision. */
export async function untrust(context: Context): Promise<void> {
  const { client, output, args, signal } = context;
  const peer = await resolvePeer(client(), args[0] ?? "", signal);
  await client().untrust(peer.identity, signal);
  output.result(
    { identity: peer.identity, trust: "none" },
    () => output.line(`The decision about ${peerLabel(peer)} is forgotten`),
  );
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
  const peer = await resolvePeer(client(), wanted, signal);
  if (!trustsKey || peer.proven || peer.trustedByKey) return peer.identity;
  throw new UsageError(
    `${
      peerLabel(peer)
    } has not proven its identity: give the whole key, as boltctl identity prints ` +
      "it at the other end",
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
