import { assertRejects } from "@std/assert";
import { SignalError } from "../../../base/errors.ts";
import { DescriptionSecrets } from "../../../protocol/identity/proven_identity.ts";
import { KeyPair } from "../../../protocol/crypto/keys.ts";
import { code } from "../../../protocol/testing/peer_codes.ts";
import { seededRandom } from "../../../protocol/testing/seeded_random.ts";
import { MemoryNetwork } from "../../../transport/testing/memory_connector.ts";
import { logFor } from "../../../log/log.ts";
import { Registrations } from "../../../signaling/rendezvous/registrations.ts";
import { connectSession } from "./connect_session.ts";

Deno.test("our own peer code is not taken for the other end's, and no server is asked", async () => {
  const random = seededRandom("our own code");
  using identity = KeyPair.generate("identity", random);
  const error = await assertRejects(
    () =>
      connectSession({
        request: {
          signal: "rendezvous",
          role: "offerer",
          to: code("SELF23"),
          rendezvousUrl: "ws://192.0.2.1:1/", // nobody has that address (RFC 5737)
          room: "r",
          session: "s",
        },
        freshSecrets: () => new DescriptionSecrets(identity.publicKey, random),
        selfCode: code("SELF23"),
        deviceName: "self",
        registrations: new Registrations({ deviceName: "self", log: logFor("rendezvous") }),
        connector: new MemoryNetwork().connector,
        signal: new AbortController().signal,
        onConnecting: () => {},
        commits: true,
      }),
    SignalError,
    "SELF23 is this daemon's own peer code",
  );
  if (error.code !== "PEER_MISMATCH") throw error;
});
