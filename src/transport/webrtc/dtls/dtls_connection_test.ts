import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { CipherContext, RTCCertificate } from "werift";
import { X509Certificate } from "node:crypto";
import { sha256 } from "../../../protocol/crypto/sha256.ts";
import { abortable, Deadline } from "../../../base/deadline.ts";
import { TransportError } from "../../../base/errors.ts";
import type { DatagramPath } from "../ice/datagram_path.ts";
import { DtlsConnection } from "./dtls_connection.ts";
import { DtlsHandshake } from "./handshake.ts";
import { HANDSHAKE } from "./handshake_messages.ts";
import { RecordLayer } from "./record_layer.ts";
import { CONTENT, readRecords } from "./records.ts";

const made = new Map<string, Promise<RTCCertificate>>();
/** Somebody's certificate; made once. */
function certificateOf(name: string): Promise<RTCCertificate> {
  let certificate = made.get(name);
  if (certificate === undefined) {
    certificate = CipherContext
      .createSelfSignedCertificateWithKey({ hash: 4, signature: 3 }, 23)
      .then(({ certPem, keyPem, signatureHash }) =>
        new RTCCertificate(keyPem, certPem, signatureHash)
      );
    made.set(name, certificate);
  }
  return certificate;
}

type Filter = (datagram: Uint8Array) => readonly Uint8Array[];

/** Two ends of a path in memory. As a network it delivers later, and what `filter` makes of it. */
function paths(filters: readonly [Filter, Filter]): readonly [DatagramPath, DatagramPath] {
  const make = (): DatagramPath => ({ send: () => {}, onDatagram: () => {}, maxDatagram: 1232 });
  const ends = [make(), make()] as const;
  const join = (from: DatagramPath, to: DatagramPath, filter: Filter) => {
    from.send = (datagram) => {
      const copies = filter(datagram.slice());
      queueMicrotask(() => copies.forEach((copy) => to.onDatagram(copy)));
    };
  };
  join(ends[0], ends[1], filters[0]);
  join(ends[1], ends[0], filters[1]);
  return ends;
}

const ALL: Filter = (datagram) => [datagram];

interface Ends extends Disposable {
  readonly client: DtlsConnection;
  readonly server: DtlsConnection;
  /** The two ends of the path, for what a stranger would send. */
  readonly paths: readonly [DatagramPath, DatagramPath];
  readonly signal: AbortSignal;
}

/** What an end has of itself and knows of the other. */
async function optionsOf(name: string, other: string) {
  const [{ certPem, privateKey }, remote] = await Promise.all([
    certificateOf(name),
    certificateOf(other),
  ]);
  const digest = sha256(new X509Certificate(remote.certPem).raw).toHex();
  const signatureHash = { hash: 4, signature: 3 } as const;
  return {
    fingerprints: [{ hash: "sha-256", digest }],
    certificate: { certPem, privateKey, signatureHash },
  } as const;
}

/** Two ends that are not connected yet; `misled` expects another certificate than the peer has. */
async function ends(
  filters: readonly [Filter, Filter] = [ALL, ALL],
  misled?: "client" | "server",
): Promise<Ends> {
  const deadline = new Deadline(10_000, { what: "the connection" });
  const both = paths(filters);
  const [clients, servers] = await Promise.all([
    optionsOf("client", misled === "client" ? "another" : "server"),
    optionsOf("server", misled === "server" ? "another" : "client"),
  ]);
  const client = new DtlsConnection(both[0], { role: "client", ...clients });
  const server = new DtlsConnection(both[1], { role: "server", ...servers });
  return {
    client,
    server,
    paths: both,
    signal: deadline.signal,
    [Symbol.dispose]: () => {
      for (const end of [client, server, deadline]) end[Symbol.dispose]();
    },
  };
}

async function connect({ client, server }: Ends): Promise<void> {
  await Promise.all([server.connect(), client.connect()]);
}

/** The packets that an end is given from now on. */
function packetsOf(end: DtlsConnection): number[][] {
  const packets: number[][] = [];
  end.onPacket = (packet) => void packets.push([...packet]);
  return packets;
}

const settled = () => new Promise<void>((resolve) => setTimeout(resolve));

Deno.test("both ends agree on ChaCha20-Poly1305, and packets go both ways", async () => {
  using both = await ends();
  await connect(both);
  const { client, server } = both;
  const suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
  assertEquals([client.suite, server.suite], [suite, suite]);
  const [toClient, toServer] = [packetsOf(client), packetsOf(server)];
  client.send(Uint8Array.of(1, 2));
  server.send(Uint8Array.of(3));
  await settled();
  assertEquals([toServer, toClient], [[[1, 2]], [[3]]]);
});

/** Changes the cipher suites that a ClientHello offers, as an older peer would send it. */
function offering(suites: readonly number[]): Filter {
  return (datagram) => {
    const [record] = readRecords(datagram);
    if (record?.epoch !== 0 || record.fragment[0] !== HANDSHAKE.clientHello) return [datagram];
    const at = datagram.findIndex((byte, i) => byte === 0xcc && datagram[i + 1] === 0xa9);
    assert(at > 0, "ChaCha20 is offered");
    const changed = datagram.slice();
    changed.set(suites.flatMap((suite) => [suite >> 8, suite & 255]), at);
    return [changed];
  };
}

Deno.test("of suites without ChaCha20 the server takes AES; but nobody can change what the client offers", async () => {
  using both = await ends([offering([0xc02b, 0xc02b, 0xc02f]), ALL]);
  both.client.connect().catch(() => {});
  // The proofs cover what was offered: who changed it on the way is found out.
  const error = await assertRejects(() => abortable(both.server.connect(), both.signal));
  assertInstanceOf(error, TransportError);
  assertEquals(error.code, "PEER_UNPROVEN");
  assertEquals(both.server.suite, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
});

Deno.test("packets that overtake the end of the handshake wait for it", async () => {
  let held: Uint8Array[] | undefined = [];
  // The client's last flight goes out after the client's first packets.
  using both = await ends([ALL, (datagram) => {
    // Only the server's Finished is sealed.
    const isLast = [...readRecords(datagram)].some(({ epoch }) => epoch === 1);
    if (!isLast || held === undefined) return [datagram];
    held.push(datagram);
    return [];
  }]);
  const { client, server } = both;
  const toClient = packetsOf(client);
  const connecting = client.connect();
  await server.connect();
  server.send(Uint8Array.of(7));
  server.send(Uint8Array.of(8));
  await settled();
  const [finished, ...packets] = held ?? [];
  held = undefined;
  assertEquals(packets.length, 2);
  for (const datagram of packets) both.paths[0].onDatagram(datagram);
  assertEquals(toClient, [], "the peer is not proven");
  if (finished !== undefined) both.paths[0].onDatagram(finished);
  await connecting;
  assertEquals(toClient, [[7], [8]]);
});

Deno.test("of packets that come before the peer is proven eight are kept", async () => {
  let isHeld = true;
  const finished: Uint8Array[] = [];
  using both = await ends([ALL, (datagram) => {
    const isLast = [...readRecords(datagram)].some(({ type, epoch }) => epoch === 1 && type === 22);
    if (!isLast || !isHeld) return [datagram];
    finished.push(datagram);
    return [];
  }]);
  const { client, server } = both;
  const toClient = packetsOf(client);
  const connecting = client.connect();
  await server.connect();
  for (let i = 0; i < 20; i++) server.send(Uint8Array.of(i));
  await settled();
  isHeld = false;
  for (const datagram of finished) both.paths[0].onDatagram(datagram);
  await connecting;
  assertEquals(toClient.map(([first]) => first), [0, 1, 2, 3, 4, 5, 6, 7]);
});

for (const who of ["client", "server"] as const) {
  const other = who === "client" ? "server" : "client";
  Deno.test(`the ${who}'s close is told to the ${other}, once, after what was sent before it`, async () => {
    const sent: Uint8Array[] = [];
    const watch: Filter = (datagram) => {
      sent.push(datagram);
      return [datagram];
    };
    using both = await ends([watch, watch]);
    await connect(both);
    const told: string[] = [];
    both[other].onPacket = ([first]) => void told.push(`packet ${first}`);
    both[other].onClosed = () => void told.push("closed");
    both[who].onClosed = () => void told.push("our own close");
    both[who].send(Uint8Array.of(1));
    sent.length = 0;
    both[who].close(Uint8Array.of(2));
    await settled();
    assertEquals(told, ["packet 1", "packet 2", "closed"]);
    // The last packet and the close in one datagram, and the peer's own close as the answer.
    assertEquals(sent.map((datagram) => [...readRecords(datagram)].map(({ type }) => type)), [
      [23, 21],
      [21],
    ]);
    for (const end of [both.client, both.server]) end.send(Uint8Array.of(3));
    await settled();
    assertEquals([told.length, sent.length], [3, 2], "nothing goes out after the end");
  });
}

Deno.test("forged alerts, plain or sealed by nobody, end nothing", async () => {
  using both = await ends();
  await connect(both);
  let closed = 0;
  both.server.onClosed = () => closed++;
  const plain = Uint8Array.of(21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40);
  both.paths[1].onDatagram(plain);
  both.paths[1].onDatagram(plain.with(-1, 0)); // close_notify
  both.paths[1].onDatagram(plain.with(4, 1));
  const toServer = packetsOf(both.server);
  both.client.send(Uint8Array.of(1));
  await settled();
  assertEquals([closed, toServer], [0, [[1]]]);
});

for (
  const [name, alert, isEnd] of [
    ["a fatal alert", [2, 40], true],
    ["a close", [1, 0], true],
    ["a warning", [1, 90], false],
    ["half an alert", [2], false],
    ["an empty alert", [], false],
  ] as const
) {
  Deno.test(`${name} of the peer's ${isEnd ? "ends the connection" : "ends nothing"}`, async () => {
    using peer = await ends();
    const path = peer.paths[0];
    // A client whose records the test can write.
    const records = new RecordLayer(path, {
      sink: {
        onPlain: (_, fragment) => handshake.receive(fragment, false),
        onProtected: (_, content) => handshake.receive(content, true),
      },
    });
    using handshake = new DtlsHandshake({
      role: "client",
      ...await optionsOf("client", "server"),
      send: (flight) => {
        for (const { type, isProtected, content } of flight) {
          records.add(type, isProtected, content);
        }
        records.flush();
      },
      onKeys: (cipher) => records.protect(cipher),
    });
    handshake.start();
    await Promise.all([handshake.completed, peer.server.connect()]);
    let closed = 0;
    peer.server.onClosed = () => closed++;
    records.add(CONTENT.alert, true, Uint8Array.from(alert));
    records.flush();
    await settled();
    assertEquals(closed, isEnd ? 1 : 0);
    records[Symbol.dispose]();
  });
}

for (const refuses of ["client", "server"] as const) {
  Deno.test(`a ${refuses} that refuses the peer's certificate says so, by a fatal alert`, async () => {
    const alerts: number[][] = [];
    const noted: Filter = (datagram) => {
      for (const { type, epoch, fragment } of readRecords(datagram)) {
        if (type === CONTENT.alert && epoch === 0) alerts.push([...fragment]);
      }
      return [datagram];
    };
    const isClient = refuses === "client";
    using both = await ends(isClient ? [noted, ALL] : [ALL, noted], refuses);
    const [refusing, refused] = isClient ? [both.client, both.server] : [both.server, both.client];
    const waiting = refused.connect().catch(() => {});
    const error = await assertRejects(() => abortable(refusing.connect(), both.signal));
    assertInstanceOf(error, TransportError);
    assertEquals(error.code, "PEER_UNPROVEN");
    // RFC 5246, section 7.2: fatal, bad_certificate.
    assertEquals(alerts, [[2, 42]]);
    refused.close();
    await waiting;
  });
}

Deno.test("an end while it is being made is told to who waits for it", async () => {
  using both = await ends();
  const connecting = both.client.connect();
  both.client.close();
  const error = await assertRejects(() => connecting);
  assertInstanceOf(error, TransportError);
  assertEquals(error.code, "SETUP_FAILED");
});

Deno.test("a packet may be as long as it says, and its array is free when send returns", async () => {
  using both = await ends();
  await connect(both);
  const toServer = packetsOf(both.server);
  const packet = new Uint8Array(both.client.maxPacket).fill(5);
  both.client.send(packet);
  packet.fill(6);
  both.client.send(packet);
  await settled();
  assertEquals(toServer.map((bytes) => [bytes.length, bytes[0]]), [
    [both.client.maxPacket, 5],
    [both.client.maxPacket, 6],
  ]);
});
