/**
 * What a daemon says is sent back to it: each kind of message, in a session that is open.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { KeyPair } from "../../../src/protocol/crypto/keys.ts";
import { PublicValue } from "../../../src/protocol/crypto/public_value.ts";
import { commitmentTo } from "../../../src/protocol/identity/proven_identity.ts";
import { closedSession } from "../../support/daemon.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { namesIn, someBytes } from "../../support/transfers.ts";
import type { Payload } from "../support/hostile_relay.ts";
import { IdentityStage } from "../support/identity_stage.ts";
import { type Ends, ManInTheMiddle, type MiddleEnd } from "../support/man_in_the_middle.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

/** A stage where everybody is let in, and a man in the middle whom both have let in as himself. */
async function letIn(stack: AsyncDisposableStack) {
  const flags = ["--pairing-policy", "allow"];
  const stage = stack.use(await IdentityStage.set({ acquainted: false, flags }));
  const identity = KeyPair.generate("identity", random);
  const sides = [0, 1].map(() => ({
    ephemeral: KeyPair.generate("ephemeral", random),
    nonce: new PublicValue("session-nonce", random(32)),
  }));
  const [offerer, answerer] = sides;
  assert(offerer !== undefined && answerer !== undefined);
  const own = { offerer, answerer };
  const middle = stack.use(
    new ManInTheMiddle({
      connector: stage.scene.connector,
      random,
      attack: {
        tell: (victim) => {
          const { ephemeral, nonce } = own[victim];
          const commitment = commitmentTo(identity.publicKey, ephemeral.publicKey, nonce);
          return { ephemeral, commitment };
        },
        async act(ends: Ends) {
          for (const victim of ["offerer", "answerer"] as const) {
            await ends[victim].heardHello;
            const { nonce } = own[victim];
            await ends[victim].say(
              ends[victim].hello({
                identity: identity.publicKey,
                nonce,
                proof: identity.secretKey,
              }),
            );
          }
        },
      },
    }),
  );
  const ends = await stage.victims.begin(middle.tamper);
  assertEquals([ends.offerer.state, ends.answerer.state], ["opened", "opened"]);
  const folder = stack.use(await TempFolder.make());
  const path = folder.path("secret.bin");
  await Deno.writeFile(path, someBytes(10_000));
  return {
    alice: stage.victims.alice,
    session: ends.offerer.session,
    /** His end to alice. */
    end: (await middle.ends).offerer,
    identity: identity.publicKey.hex,
    path,
  };
}

const offer = (transferId: string) => ({
  type: "file-offer",
  transferId,
  filename: "of-his.bin",
  size: 5,
  totalChunks: 1,
  chunkSize: 16_384,
  fileHash: "0".repeat(64),
});

/** Kinds of messages, and what makes alice say them. */
const KINDS: Readonly<
  Record<string, (parts: Awaited<ReturnType<typeof letIn>>) => Promise<unknown>>
> = {
  "pong": ({ end }) => end.say(end.envelope({ type: "ping", ts_ms: 1 })),
  "file-offer": ({ alice, path, session: { sessionId } }) =>
    alice.client.send({ paths: [path], sessionId, priority: 0 }),
  "file-accept": async ({ alice, end, identity }) => {
    await alice.client.setAutoAccept(identity, { enabled: true });
    await end.say(end.envelope(offer(random(16).toHex())));
  },
  "cancel": async ({ alice, path, session: { sessionId } }) => {
    const [sent] = await alice.client.send({ paths: [path], sessionId, priority: 0 });
    assert(sent !== undefined);
    await alice.event("transfer-offered", (e) => e.transfer.transferId === sent.transferId);
    await alice.client.cancelTransfer(sent.transferId);
  },
};

/** Sends one kind of what the victim says back to it. */
function reflect(end: MiddleEnd, kind: string): void {
  end.onFrame(async (frame, inner) => {
    if (inner?.type === kind) await end.say(frame);
  });
}

for (const [kind, provoke] of Object.entries(KINDS)) {
  Deno.test(`a ${kind} that is sent back to the daemon that said it ends the session`, async () => {
    await using stack = new AsyncDisposableStack();
    const parts = await letIn(stack);
    const { alice, session, end } = parts;
    reflect(end, kind);
    await provoke(parts);
    assertEquals((await closedSession(alice, session)).failure?.code, "PROTOCOL_VIOLATION");
    assertEquals(await namesIn(alice.inbox), []);
  });
}

Deno.test("who swallows a file and sends the pings after it back does not have it told as completed", async () => {
  await using stack = new AsyncDisposableStack();
  const { alice, session, end, path } = await letIn(stack);
  end.onFrame(async (frame, inner: Payload) => {
    if (inner?.type === "file-offer") {
      await end.say(end.envelope({ type: "file-accept", transferId: inner.transferId }));
    } else if (inner?.type === "ping" || inner?.type === "pong") await end.say(frame);
  });
  const { sessionId } = session;
  const [sent] = await alice.client.send({ paths: [path], sessionId, priority: 0 });
  const { transfer } = await alice.event(
    "transfer-failed",
    (event) => event.transfer.transferId === sent?.transferId,
  );
  assert(transfer.state !== "completed");
  assertEquals((await closedSession(alice, session)).failure?.code, "PROTOCOL_VIOLATION");
});
