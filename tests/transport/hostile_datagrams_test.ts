/** Datagrams that nobody proved to have sent: none may end, change or start anything. */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import dns from "node:dns";
import { Message } from "werift";
import { MAX_PAIRS } from "../../src/transport/webrtc/ice/pairing.ts";
import type { DatagramTap } from "../../src/transport/webrtc/ice/udp_socket.ts";
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";
import { assertAlive, catcher, connected, inject, meet, remoteOf } from "./harness.ts";

/** `CandidatePairState.FAILED` of the library. */
const PAIR_FAILED = 4;

const record = (type: number, epoch: number, sequence: number, ...body: number[]): Uint8Array =>
  Uint8Array.of(type, 254, 253, 0, epoch, 0, 0, 0, 0, 0, sequence, 0, body.length, ...body);

const FATAL_ALERT = record(21, 0, 9, 2, 40);
const CLOSE_NOTIFY = record(21, 0, 9, 1, 0);
const CLIENT_HELLO = record(
  22,
  0,
  9,
  ...[
    1,
    0,
    0,
    42,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    42,
    254,
    253,
    ...new Array(32).fill(7),
    0,
    0,
    0,
    2,
    192,
    43,
  ],
  ...[1, 0],
);
const KILLERS: Record<string, Uint8Array> = {
  "a forged fatal alert": FATAL_ALERT,
  "a forged close": CLOSE_NOTIFY,
  "an unknown content type": record(63, 0, 9, 1, 2, 3),
  "a ClientHello": CLIENT_HELLO,
  "plaintext application data": record(23, 0, 9, 1, 2, 3),
  "a protected record of nobody's": record(21, 1, 99, ...new Array(30).fill(5)),
  "half a record": CLIENT_HELLO.subarray(0, 20),
  "an empty datagram": new Uint8Array(),
};

for (const [name, datagram] of Object.entries(KILLERS)) {
  Deno.test(`${name} ends no session, from the peer's address or another, in either DTLS role`, async () => {
    const [a, b] = [catcher(), catcher()];
    await connected(a.options, b.options, async (offerer, answerer, signal) => {
      for (const { get } of [a, b]) {
        inject(get(), datagram, remoteOf(get()));
        inject(get(), datagram, ["127.0.0.1", 9]);
      }
      await assertAlive(offerer, answerer, signal);
    });
  });
}

Deno.test("a forged alert in the middle of the handshake does not end it", async () => {
  const [a, b] = [catcher(), catcher()];
  const forging = ({ get }: typeof a): DatagramTap => {
    let forged = 0;
    return {
      inbound: (data, from) => {
        const isHandshake = data[0] === 22;
        if (isHandshake && forged++ < 3) inject(get(), FATAL_ALERT, from);
        return true;
      },
    };
  };
  await connected(
    { ...a.options, tap: forging(a) },
    { ...b.options, tap: forging(b) },
    assertAlive,
  );
});

/** How many protected records have been obeyed since. */
function countHandled({ dtls }: PeerParts): () => number {
  const link = dtls();
  if (link === undefined) throw new Error("there is no DTLS yet");
  let handled = 0;
  const { onPacket } = link;
  link.onPacket = (packet) => {
    handled++;
    onPacket(packet);
  };
  return () => handled;
}

Deno.test("a protected record that was recorded is not obeyed again", async () => {
  const b = catcher();
  const recorded: Uint8Array[] = [];
  const tap: DatagramTap = {
    inbound: (data) => {
      if (data[0] === 23) recorded.push(new Uint8Array(data));
      return true;
    },
  };
  await connected({}, { ...b.options, tap }, async (offerer, answerer, signal) => {
    await assertAlive(offerer, answerer, signal);
    const handled = countHandled(b.get());
    assert(recorded.length > 0);
    for (const datagram of recorded.slice()) inject(b.get(), datagram, remoteOf(b.get()));
    assertEquals(handled(), 0);
    await assertAlive(offerer, answerer, signal);
  });
});

Deno.test("a true record from an address that has not proven to be the peer's is not looked at", async () => {
  const b = catcher();
  const withheld = Promise.withResolvers<Uint8Array>();
  let isWithholding = false;
  const tap: DatagramTap = {
    inbound: (data) => {
      if (isWithholding && data[0] === 23) withheld.resolve(new Uint8Array(data));
      return !isWithholding;
    },
  };
  await connected({}, { ...b.options, tap }, async (offerer, answerer, signal) => {
    const handled = countHandled(b.get());
    isWithholding = true;
    await offerer.send("true", { signal });
    const first = await withheld.promise;
    isWithholding = false;
    inject(b.get(), first, ["127.0.0.1", 9]);
    assertEquals(handled(), 0);
    inject(b.get(), first, remoteOf(b.get()));
    assertEquals(handled(), 1);
    assertEquals(await answerer.receive({ signal }), "true");
  });
});

Deno.test("no two protected records of a side have the same number", async () => {
  const numbers = { offerer: [] as number[], answerer: [] as number[] };
  const watching = (side: keyof typeof numbers): DatagramTap => ({
    outbound: (data) => {
      const bytes = Buffer.from(data);
      for (let at = 0; at + 13 <= bytes.length && (bytes[0] ?? 0) >= 20;) {
        if (bytes.readUInt16BE(at + 3) === 1) numbers[side].push(bytes.readUIntBE(at + 5, 6));
        at += 13 + bytes.readUInt16BE(at + 11);
      }
      return true;
    },
  });
  await connected(
    { tap: watching("offerer") },
    { tap: watching("answerer") },
    async (offerer, answerer, signal) => {
      for (let i = 0; i < 10; i++) await assertAlive(offerer, answerer, signal);
    },
  );
  for (const side of Object.values(numbers)) {
    assert(side.length > 10);
    assertEquals(new Set(side).size, side.length);
  }
});

Deno.test("a STUN request without the right integrity code gets no answer, pair or role flip", async () => {
  const a = catcher();
  const stranger = ["127.0.0.1", 40404] as const;
  const answered: number[] = [];
  const tap: DatagramTap = {
    outbound: (_, [, port]) => {
      if (port === stranger[1]) answered.push(port);
      return true;
    },
  };
  await connected({ ...a.options, tap }, {}, async (offerer, answerer, signal) => {
    const { connection } = a.get();
    const pairs = connection.checkList.length;
    const request = () =>
      new Message(1, 0)
        .setAttribute("USERNAME", `${connection.localUsername}:${connection.remoteUsername}`)
        .setAttribute("PRIORITY", 1)
        .setAttribute("ICE-CONTROLLING", 2n ** 64n - 1n)
        .setAttribute("USE-CANDIDATE", null);
    const right = Buffer.from(connection.localPassword);
    const forged = [
      request().addFingerprint(),
      request().addMessageIntegrity(Buffer.from("x".repeat(32))).addFingerprint(),
      // What follows the integrity code is not covered by it.
      request().addMessageIntegrity(right).setAttribute("SOFTWARE", "x").addFingerprint(),
      new Message(1, 0).setAttribute("USERNAME", "nobody:else").addMessageIntegrity(right),
      new Message(1, 0).addFingerprint(),
    ];
    for (const message of forged) inject(a.get(), message.bytes, stranger);
    assertEquals(connection.checkList.length, pairs);
    assert(connection.iceControlling);
    assertEquals(answered, []);
    await assertAlive(offerer, answerer, signal);
  });
});

/** An answerer all of whose datagrams reach the offerer from `address`, which no list names. */
async function meetFrom(address: string, ms: number): Promise<{ met: boolean; sentTo: number }> {
  const [victim, stranger] = [catcher(), catcher()];
  const source = [address, 40404] as const;
  let sentTo = 0;
  let victimAddress: readonly [string, number] = ["127.0.0.1", 0];
  const strangerTap: DatagramTap = {
    outbound: (data, to) => {
      victimAddress = to;
      inject(victim.get(), data, source);
      return false;
    },
  };
  const victimTap: DatagramTap = {
    outbound: (data, [host]) => {
      if (host === address) {
        sentTo++;
        inject(stranger.get(), data, victimAddress);
      }
      return false;
    },
  };
  let met = false;
  await meet(
    { ...victim.options, tap: victimTap },
    { ...stranger.options, tap: strangerTap },
    ({ offerer, answerer }) => {
      met = offerer.status === "fulfilled" && answerer.status === "fulfilled";
      return Promise.resolve();
    },
    { ms, scopes: ["lan", "global"] },
  );
  return { met, sentTo };
}

Deno.test("a peer outside the scope, whose candidates were all refused, never connects", async () => {
  const { met, sentTo } = await meetFrom("203.0.113.7", 2500);
  assertEquals({ met, sentTo }, { met: false, sentTo: 0 });
});

Deno.test("a peer inside the scope connects from an address that no candidate named", async () => {
  assertEquals((await meetFrom("10.1.2.3", 20_000)).met, true);
});

Deno.test("in no scope is any server asked: nothing is looked up and only the peer is sent to", async () => {
  const lookup = dns.promises.lookup;
  const lookedUp: string[] = [];
  const destinations = new Set<string>();
  const stub = (host: string) => {
    lookedUp.push(host);
    return Promise.resolve({ address: "127.0.0.1", family: 4 });
  };
  Object.assign(dns.promises, { lookup: stub });
  try {
    const tap: DatagramTap = { outbound: (_, [host]) => Boolean(destinations.add(host)) };
    await connected({ tap }, { tap }, assertAlive, { scopes: ["global", "global"] });
  } finally {
    Object.assign(dns.promises, { lookup });
  }
  assertEquals(lookedUp, []);
  assertEquals([...destinations], ["127.0.0.1"]);
});

/** A check such as the peer sends, with a transaction of its own. */
function authenticRequest({ connection }: PeerParts): Uint8Array {
  return new Message(1, 0)
    .setAttribute("USERNAME", `${connection.localUsername}:${connection.remoteUsername}`)
    .setAttribute("PRIORITY", 1)
    .addMessageIntegrity(Buffer.from(connection.localPassword))
    .addFingerprint().bytes;
}

Deno.test("an authentic peer makes no more pairs than there is room for", async () => {
  const a = catcher();
  await connected(a.options, {}, async (offerer, answerer, signal) => {
    const { connection } = a.get();
    for (let port = 1000; port < 1000 + 2 * MAX_PAIRS; port++) {
      inject(a.get(), authenticRequest(a.get()), ["127.0.0.1", port]);
    }
    assertEquals(connection.checkList.length, MAX_PAIRS);
    await assertAlive(offerer, answerer, signal);
  });
});

Deno.test("pairs that failed make room for the address that the peer has now", async () => {
  const a = catcher();
  await connected(a.options, {}, async (offerer, answerer, signal) => {
    const { connection } = a.get();
    const come = (port: number) => inject(a.get(), authenticRequest(a.get()), ["127.0.0.1", port]);
    for (let port = 1000; connection.checkList.length < MAX_PAIRS; port++) come(port);
    for (const pair of connection.checkList) {
      if (pair !== connection.nominated) pair.updateState(PAIR_FAILED);
    }
    come(2000);
    assertEquals(connection.checkList.length, MAX_PAIRS);
    assert(connection.checkList.some(({ remoteAddr }) => remoteAddr[1] === 2000));
    await assertAlive(offerer, answerer, signal);
  });
});
