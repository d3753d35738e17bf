/**
 * Which pair carries the data: the one that the controlling side nominates (RFC 8445, section
 * 7.3.1.5), in each role, against a peer whose agent is driven by hand.
 */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Message, parseMessage } from "werift";
import { abortable } from "../../src/base/deadline.ts";
import type { LibraryConnection, LibraryPair } from "../../src/transport/webrtc/library.ts";
import type { ConnectorOptions } from "../../src/transport/webrtc/connector.ts";
import type { DatagramTap } from "../../src/transport/webrtc/ice/udp_socket.ts";
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";
import {
  assertAlive,
  catcher,
  connected,
  ended,
  inject,
  isRequest,
  meet,
  remoteOf,
} from "./harness.ts";

/** Two addresses on each side that can't reach one another: two pairs. */
const ADDRESSES = ["127.0.0.1", "::1"];
const TWO_ADDRESSES: ConnectorOptions = {
  interfaces: () => ADDRESSES.map((address) => ({ address })),
};
const STRANGER = ["127.0.0.1", 40404] as const;
/** `CandidatePairState.SUCCEEDED` of the library. */
const SUCCEEDED = 3;
/** Long enough for a connection over loopback, on a machine with much to do. */
const NEVER_MS = 2500;

const isAnswer = (data: Uint8Array) => data[0] === 1 && data[1] === 1;

/** What a hand reaches of an agent. */
interface AgentHandle {
  buildRequest(parameters: { nominate: boolean }): Message;
  checkComplete(pair: LibraryPair): void;
}

const handleOf = (connection: LibraryConnection) => connection as unknown as AgentHandle;

/** A peer whose agent checks as always, and nominates by hand alone. */
function byHand() {
  const caught = Promise.withResolvers<PeerParts>();
  let wake = Promise.withResolvers<void>();
  const inspect = (parts: PeerParts) => {
    caught.resolve(parts);
    const agent = handleOf(parts.connection);
    const buildRequest = agent.buildRequest.bind(agent);
    agent.buildRequest = (parameters) => buildRequest({ ...parameters, nominate: false });
    const checkComplete = agent.checkComplete.bind(agent);
    agent.checkComplete = (pair) => {
      wake.resolve();
      wake = Promise.withResolvers();
      checkComplete(pair);
    };
    // Whichever of its pairs succeeds, none is nominated: that comes by hand, and stays so.
    const pinned = { nominateTcpPairIfReady: () => {}, isTcpPair: () => true };
    for (const [name, value] of Object.entries(pinned)) {
      Object.defineProperty(agent, name, { get: () => value, set: () => {} });
    }
  };
  return {
    options: { ...TWO_ADDRESSES, inspect },
    caught: caught.promise,
    /** Resolves with its pairs when so many have been answered. */
    async succeeded(count: number): Promise<LibraryPair[]> {
      const { connection } = await caught.promise;
      for (;;) {
        const pairs = connection.checkList.filter(({ state }) => state === SUCCEEDED);
        if (pairs.length >= count) return pairs;
        await wake.promise;
      }
    },
    /** From now on its data goes by that pair. */
    async use(pair: LibraryPair): Promise<void> {
      const { connection } = await caught.promise;
      if (connection.nominated === undefined) {
        pair.nominated = true;
        handleOf(connection).checkComplete(pair);
      } else connection.nominated = pair;
    },
  };
}

/** An authentic check by a pair, with what its sender says of its role and wish. */
function check(
  { connection }: PeerParts,
  says: readonly ("ICE-CONTROLLING" | "ICE-CONTROLLED" | "USE-CANDIDATE")[],
): Message {
  const { remoteUsername, localUsername, remotePassword } = connection;
  const message = new Message(1, 0)
    .setAttribute("USERNAME", `${remoteUsername}:${localUsername}`)
    .setAttribute("PRIORITY", 1);
  for (const attribute of says) {
    // It loses every conflict of roles.
    const value = attribute === "USE-CANDIDATE"
      ? null
      : attribute === "ICE-CONTROLLED"
      ? 2n ** 64n - 1n
      : 0n;
    message.setAttribute(attribute, value);
  }
  return message.addMessageIntegrity(Buffer.from(remotePassword)).addFingerprint();
}

/** Nominates a pair, once. */
async function nominate(parts: PeerParts, pair: LibraryPair): Promise<void> {
  const message = check(parts, ["ICE-CONTROLLING", "USE-CANDIDATE"]);
  await pair.protocol.sendStun(message, pair.remoteAddr);
}

/** Where a pair of the peer's begins, as we see it. */
const sourceOf = ({ localCandidate: { host, port } }: LibraryPair): readonly [string, number] => [
  host,
  port,
];

function twoOf([first, second]: readonly LibraryPair[]): [LibraryPair, LibraryPair] {
  if (first === undefined || second === undefined) throw new Error("there are no two pairs");
  return [first, second];
}

/** Pairs that differ in the peer's end. */
function apart(pairs: readonly LibraryPair[]): [LibraryPair, LibraryPair] {
  const [first] = pairs;
  const second = pairs.find(({ localCandidate }) =>
    localCandidate.host !== first?.localCandidate.host
  );
  return twoOf([first, second].filter((pair) => pair !== undefined));
}

/** Resolves when `isTrue`, which is looked at whenever a datagram comes or goes. */
function watched(
  isTrue: () => boolean,
): { readonly tap: DatagramTap; readonly when: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => {
    queueMicrotask(() => isTrue() && resolve());
    return true;
  };
  return { tap: { inbound: look, outbound: look }, when: promise };
}

Deno.test("the controlled side takes the pair that was nominated last, of several at once", async () => {
  const [offerer, answerer] = [byHand(), catcher()];
  const nominated = (async () => {
    const [a, b] = apart(await offerer.succeeded(2));
    await nominate(await offerer.caught, a);
    await nominate(await offerer.caught, b);
    await offerer.use(b);
    return b;
  })();
  const isMoved = () => answerer.get().connection.nominated?.remoteAddr[0] === moved?.[0];
  let moved: readonly [string, number] | undefined;
  const { tap, when } = watched(isMoved);
  await connected(
    offerer.options,
    { ...TWO_ADDRESSES, ...answerer.options, tap },
    async (ours, theirs, signal) => {
      moved = sourceOf(await nominated);
      await assertAlive(ours, theirs, signal);
      await abortable(when, signal);
      assertEquals(remoteOf(answerer.get()), moved);
    },
  );
});

Deno.test("the controlled side follows a nomination that comes late, and one back", async () => {
  const [offerer, answerer] = [byHand(), catcher()];
  let wanted: readonly [string, number] | undefined;
  let arrived = Promise.withResolvers<void>();
  const look = () => {
    queueMicrotask(() => {
      const at = answerer.get().connection.nominated?.remoteAddr;
      if (at?.[0] === wanted?.[0] && at?.[1] === wanted?.[1]) arrived.resolve();
    });
    return true;
  };
  const nominated = (async () => {
    const [a, b] = apart(await offerer.succeeded(2));
    await nominate(await offerer.caught, a);
    await offerer.use(a);
    return [a, b] as const;
  })();
  await connected(
    offerer.options,
    { ...TWO_ADDRESSES, ...answerer.options, tap: { inbound: look, outbound: look } },
    async (ours, theirs, signal) => {
      const [a, b] = await nominated;
      for (const pair of [b, a, b]) {
        arrived = Promise.withResolvers();
        wanted = sourceOf(pair);
        await offerer.use(pair);
        await nominate(await offerer.caught, pair);
        await abortable(arrived.promise, signal);
        await assertAlive(ours, theirs, signal);
      }
    },
  );
});

/** Has a peer's answers to checks made with a key that nobody was told, as some browsers' are. */
function answeringWithAnotherKey(): DatagramTap {
  return {
    outbound: (data) => {
      if (!isAnswer(data)) return true;
      const message = parseMessage(Buffer.from(data));
      if (message === undefined) throw new Error("an answer that is none");
      const address = message.getAttributeValue("XOR-MAPPED-ADDRESS");
      const forged = new Message(1, message.messageClass, message.transactionId)
        .setAttribute("XOR-MAPPED-ADDRESS", address)
        .addMessageIntegrity(Buffer.from("the key of another connection"))
        .addFingerprint();
      data.set(forged.bytes);
      return true;
    },
  };
}

Deno.test("a controlling peer whose answers are made with another key is met where it nominates, and stays", async () => {
  let looks = 0;
  const interfaces = () => {
    looks++;
    return [{ address: "127.0.0.1" }];
  };
  let checks = 0;
  const checked = Promise.withResolvers<void>();
  const tap: DatagramTap = {
    ...answeringWithAnotherKey(),
    inbound: (data) => {
      if (isRequest(data) && ++checks === 4) checked.resolve();
      return true;
    },
  };
  await connected({ tap }, { interfaces }, async (offerer, answerer, signal) => {
    await assertAlive(offerer, answerer, signal);
    looks = 0;
    await abortable(checked.promise, signal);
    await assertAlive(offerer, answerer, signal);
    // In doubt it would look whether the machine has other addresses.
    assertEquals(looks, 0);
  });
});

Deno.test("once a peer has answered by a pair in order, answers made with another key keep no dead session open", async () => {
  const [offerer, answerer] = [catcher(), catcher()];
  let isDead = false;
  const { outbound: forge } = answeringWithAnotherKey();
  // Of the peer nothing is left but new nominations and forged answers. A recorded nomination is
  // as good as a new one when it is too old to be remembered.
  const tap: DatagramTap = {
    outbound: (data, to) => {
      if (!isDead) return true;
      return isAnswer(data) ? forge?.(data, to) ?? true : isRequest(data);
    },
  };
  await connected(
    { ...offerer.options, tap },
    answerer.options,
    async (ours, theirs, signal) => {
      await assertAlive(ours, theirs, signal);
      isDead = true;
      const end = await ended(theirs, signal);
      assertEquals(end.by, "failure");
    },
    { ms: 30_000 },
  );
});

Deno.test("a controlled peer whose answers are made with another key is not met: it nominates nothing", async () => {
  await meet({}, { tap: answeringWithAnotherKey() }, ({ offerer }) => {
    assertEquals(offerer.status, "rejected");
    return Promise.resolve();
  }, { ms: NEVER_MS });
});

Deno.test("answers made with another key count for nothing where nothing was nominated", async () => {
  const offerer = byHand();
  const tap = answeringWithAnotherKey();
  await meet({ ...offerer.options, tap }, TWO_ADDRESSES, ({ answerer }) => {
    assertEquals(answerer.status, "rejected");
    return Promise.resolve();
  }, { ms: NEVER_MS });
});

Deno.test("answers made with another key count for nothing when they come from elsewhere", async () => {
  const answerer = catcher();
  const { outbound } = answeringWithAnotherKey();
  let sent = 0;
  const tap: DatagramTap = {
    outbound: (data, to) => {
      outbound?.(data, to);
      if (!isAnswer(data)) return true;
      sent++;
      inject(answerer.get(), data.slice(), STRANGER);
      return false;
    },
  };
  await meet({ tap }, answerer.options, ({ answerer }) => {
    assertEquals(answerer.status, "rejected");
    return Promise.resolve();
  }, { ms: NEVER_MS });
  assert(sent > 0);
});

for (
  const [role, says] of Object.entries(
    {
      answerer: ["USE-CANDIDATE"],
      offerer: ["ICE-CONTROLLED", "USE-CANDIDATE"],
    } as const,
  )
) {
  Deno.test(`the ${role} moves nowhere for a nomination by a peer that does not say that it controls`, async () => {
    const [tested, hand] = [catcher(), catcher()];
    let isAnswered = false;
    const tap: DatagramTap = {
      outbound: (data) => {
        if (transaction !== undefined && isAnswer(data)) {
          isAnswered ||= parseMessage(Buffer.from(data))?.transactionIdHex === transaction;
        }
        return true;
      },
    };
    let transaction: string | undefined;
    const [testedOptions, handOptions] = [{ ...tested.options, tap }, hand.options];
    const [first, second] = role === "offerer"
      ? [testedOptions, handOptions]
      : [handOptions, testedOptions];
    await connected(
      { ...TWO_ADDRESSES, ...first },
      { ...TWO_ADDRESSES, ...second },
      async (offerer, answerer, signal) => {
        const { connection } = hand.get();
        const before = remoteOf(tested.get());
        const other = connection.checkList.find((pair) => sourceOf(pair)[0] !== before[0]);
        assert(other !== undefined);
        const message = check(hand.get(), says);
        transaction = message.transactionIdHex;
        const [, port] = other.remoteAddr;
        const socket = tested.get().sockets().find(({ address }) => address.port === port);
        socket?.receive(message.bytes, [...sourceOf(other)]);
        await assertAlive(offerer, answerer, signal);
        assertEquals(remoteOf(tested.get()), before);
        assert(!isAnswered);
      },
    );
  });
}
