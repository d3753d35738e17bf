/**
 * `boltctl trust` and `boltctl untrust`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { TrustRequest } from "../../ipc/api/schemas.ts";
import { sas } from "../../vocabulary/session_values.ts";
import { onOrOff } from "../command_table.ts";
import type { Context } from "../context.ts";
import { peerLabel, resolvePeer } from "../resolve.ts";

const IDENTITY = /^[0-9a-f]{64}$/;

/** Pins a decision, replaces a key, or sets auto-accept. */
export async function trust(context: Context): Promise<void> {
  const { client, output, flags, signal } = context;
  const autoAccept = flags.value("auto-accept", onOrOff);
  const replacing = readReplacing(context);
  if (autoAccept !== undefined && (flags.has("deny") || replacing !== undefined)) {
    throw new UsageError("--auto-accept stands alone: it does not go with --deny or --replaces");
  }
  const identity = await readIdentity(context);
  if (autoAccept !== undefined) {
    const peer = await client().setAutoAccept(identity, { enabled: autoAccept === "on" }, signal);
    const what = peer.autoAccept ? "are accepted unasked from now on" : "are asked about again";
    return output.result(peer, () => output.line(`Files of ${peerLabel(peer)} ${what}`));
  }
  const decision = flags.has("deny") ? "deny_always" : "allow_always";
  const peer = await client().trust(identity, { decision, ...replacing }, signal);
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

/** A full identity may be one that the daemon has not met. */
async function readIdentity({ client, args, signal }: Context): Promise<string> {
  const wanted = args[0] ?? "";
  if (IDENTITY.test(wanted.toLowerCase())) return wanted.toLowerCase();
  return (await resolvePeer(client(), wanted, signal)).identity;
}

function readReplacing(
  { flags }: Context,
): Required<Pick<TrustRequest, "replaces" | "sas">> | undefined {
  const identity = flags.text("replaces")?.toLowerCase();
  const confirmed = flags.value("sas", sas);
  if (identity === undefined && confirmed === undefined) return undefined;
  if (identity === undefined || confirmed === undefined) {
    throw new UsageError("--replaces IDENTITY and --sas SAS go together");
  }
  if (!IDENTITY.test(identity)) {
    throw new UsageError("--replaces takes a whole identity, 64 hexadecimal digits");
  }
  return { replaces: identity, sas: confirmed };
}
