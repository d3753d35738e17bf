/**
 * No ephemeral key, commitment or nonce of a daemon is used for two descriptions: over many attempts
 * with whoever asks for them, files that are replaced, and a rendezvous server that is lost.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { abortable, Deadline } from "../../../src/base/deadline.ts";
import { KeyPair } from "../../../src/protocol/crypto/keys.ts";
import { DescriptionSecrets } from "../../../src/protocol/identity/proven_identity.ts";
import { PublicValue } from "../../../src/protocol/crypto/public_value.ts";
import { encodeWebSignal, parseWebSignal } from "../../../src/protocol/signal/web_payload.ts";
import { publishSignalFile } from "../../../src/signaling/file/signal_file.ts";
import { SignalFileWatcher } from "../../../src/signaling/file/signal_file_watcher.ts";
import { MemoryNetwork } from "../../../src/transport/testing/memory_connector.ts";
import { connector as webrtc } from "../../../src/transport/webrtc/connector.ts";
import { LocalDaemon, meetingByFile } from "../../support/daemon.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import type { Payload, Tamper } from "../support/hostile_relay.ts";
import { CHANGED_FINGERPRINTS } from "../support/identity_attacks.ts";
import { IdentityStage } from "../support/identity_stage.ts";
import { type Attack, ManInTheMiddle } from "../support/man_in_the_middle.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

/** Descriptions as they went over the wire, and the nonces that came after them. */
class Seen {
  readonly #descriptions = new Set<string>();
  readonly #keys = new Set<string>();
  readonly #commitments = new Set<string>();
  readonly #nonces = new Set<string>();
  #heardNonces = 0;

  /** How many different descriptions there were. */
  get descriptions(): number {
    return this.#descriptions.size;
  }

  /** `data` of an offer or an answer. */
  description({ publicKey, commitment, offer, answer }: Payload): void {
    assert(typeof publicKey === "string" && typeof commitment === "string");
    this.#descriptions.add(JSON.stringify([publicKey, commitment, (offer ?? answer).sdp]));
    this.#keys.add(publicKey);
    this.#commitments.add(commitment);
  }

  /** From a HELLO. */
  nonce(nonce: unknown): void {
    assert(typeof nonce === "string");
    this.#nonces.add(nonce);
    this.#heardNonces++;
  }

  /** Each description has a key and a commitment of its own, each HELLO a nonce. */
  check(): void {
    const { size } = this.#descriptions;
    assertEquals([this.#keys.size, this.#commitments.size], [size, size]);
    assertEquals(this.#nonces.size, this.#heardNonces);
  }
}

/** A relay that notes what the daemons say themselves. */
const noting = (seen: Seen, tamper: Tamper = (signal) => [signal]): Tamper => (signal) => {
  const { type, data } = signal.payload;
  if (type === "offer" || type === "answer") seen.description(data);
  return tamper(signal);
};

Deno.test("keys, commitments and nonces are new in each attempt, whatever became of the one before", async () => {
  await using stage = await IdentityStage.set({ connector: webrtc });
  const { victims, scene } = stage;
  const seen = new Seen();
  for (let round = 0; round < 3; round++) {
    assertEquals((await victims.meet({ tamper: noting(seen) })).result, "arrived");
    // A man in the middle gets the nonces as well.
    const keys = {
      offerer: KeyPair.generate("ephemeral", random),
      answerer: KeyPair.generate("ephemeral", random),
    };
    const commitment = new PublicValue("commitment", random(32));
    const attack: Attack = {
      tell: (victim) => ({ ephemeral: keys[victim], commitment }),
      async act(ends) {
        for (const end of [ends.offerer, ends.answerer]) {
          const hello = end.open(await end.heardHello);
          assert(hello !== undefined);
          // It is the one that was committed to, for this description and no other.
          seen.nonce(hello.sessionNonce);
          await end.hangUp();
        }
      },
    };
    const { connector } = scene;
    await using middle = new ManInTheMiddle({ connector, attack, random });
    const ended = await victims.meet({ tamper: noting(seen, middle.tamper) });
    assertEquals(ended.result, "refused");
    // DTLS fails, and the next attempt is made anew.
    for (const { begin } of CHANGED_FINGERPRINTS.slice(0, 1)) {
      const { tamper } = begin(scene);
      const failed = await victims.meet({ tamper: noting(seen, tamper), phaseTimeoutSecs: 1 });
      assertEquals(failed.result, "refused");
    }
  }
  assertEquals(seen.descriptions, 3 * 3 * 2);
  seen.check();
});

Deno.test("a rendezvous server that loses its connections is told the identical description again, never another one with the same secrets", async () => {
  await using stage = await IdentityStage.set();
  const { victims } = stage;
  const seen = new Seen();
  let [said, lost] = [0, 0];
  for (let round = 0; round < 4; round++) {
    let isLost = false;
    const { result } = await victims.meet({
      tamper: noting(seen, (signal) => {
        const { type } = signal.payload;
        if (type === "offer" || type === "answer") said++;
        if (isLost || type !== (round % 2 === 0 ? "offer" : "answer")) return [signal];
        isLost = true;
        lost++;
        victims.relay.loseConnections();
        return [];
      }),
    });
    assertEquals(result, "arrived");
  }
  assertEquals([seen.descriptions, lost], [4 * 2, 4]);
  assert(said > seen.descriptions, "something was said again");
  seen.check();
});

/** A daemon and an attacker who writes its signal files. */
async function byFiles(stack: AsyncDisposableStack) {
  const network = new MemoryNetwork();
  const daemon = stack.use(await LocalDaemon.start(network));
  const folder = stack.use(await TempFolder.make());
  const requests = meetingByFile(folder);
  const { signal } = new AbortController();
  const write = async (path: string, type: "offer" | "answer", sdp: string) => {
    const identity = KeyPair.generate("identity", random).publicKey;
    using secrets = new DescriptionSecrets(identity, random);
    const { publicKey, commitment } = secrets;
    const route = { from: "mallory", to: "bob", peerCode: "mallory" } as const;
    const text = JSON.stringify(encodeWebSignal({ type, sdp, publicKey, commitment, ...route }));
    await publishSignalFile(path, type, text, { signal });
  };
  const reader = (path: string, kind: "offer" | "answer") => {
    const parse = (text: string) => parseWebSignal(JSON.parse(text));
    const watcher = new SignalFileWatcher({ path, kind, parse });
    let previous: string | undefined;
    return async () => {
      const found = await watcher.next({
        signal,
        ...(previous === undefined ? {} : { previous }),
      });
      previous = found.text;
      return { ...found, data: JSON.parse(found.text).data };
    };
  };
  return { network, daemon, requests, signal, write, reader };
}

const ROUNDS = 6;

Deno.test("an answerer whose offer is replaced again and again answers each with secrets of its own", async () => {
  await using stack = new AsyncDisposableStack();
  const { network, daemon, requests, signal, write, reader } = await byFiles(stack);
  const { answerer: request } = requests;
  if (request.signal !== "file") throw new Error("unreachable");
  await daemon.pair(request);
  const nextAnswer = reader(request.answer, "answer");
  const seen = new Seen();
  for (let round = 0; round < ROUNDS; round++) {
    const offering = stack.use(await network.connector.offer({ scope: "lan", signal }));
    await write(request.offer, "offer", offering.offer.description.sdp);
    seen.description((await nextAnswer()).data);
  }
  assertEquals(seen.descriptions, ROUNDS);
  seen.check();
});

Deno.test("an offerer whose answer is replaced again and again, as by stale files, makes each offer with secrets of its own", async () => {
  await using stack = new AsyncDisposableStack();
  const { network, daemon, requests, signal, write, reader } = await byFiles(stack);
  const { offerer: request } = requests;
  if (request.signal !== "file") throw new Error("unreachable");
  await daemon.pair(request);
  const nextOffer = reader(request.offer, "offer");
  const seen = new Seen();
  const description = async () => {
    const { data } = await nextOffer();
    seen.description(data);
    return { sdpType: "offer", sdp: String(data.offer.sdp) } as const;
  };
  let offer = await description();
  for (let round = 1; round < ROUNDS; round++) {
    // Whoever answers is gone at once, as the peer of a file of an earlier run is.
    const answering = await network.connector.answer({ description: offer, candidates: [] }, {
      scope: "lan",
      signal,
    });
    await answering[Symbol.asyncDispose]();
    const next = description();
    let isReplaced = false;
    next.then(() => isReplaced = true, () => isReplaced = true);
    while (!isReplaced) {
      // Each has other keys, so it replaces the one before it, as soon as that was read.
      await write(request.answer, "answer", answering.answer.description.sdp);
      using pause = new Deadline(50, { what: "the next offer" });
      await abortable(next, pause.signal).catch(() => {}); // the one before was not read yet
    }
    offer = await next;
  }
  assertEquals(seen.descriptions, ROUNDS);
  seen.check();
});
