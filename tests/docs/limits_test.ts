/**
 * The one table of limits, in SECURITY.md, has the numbers of the program.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SERVE_FLAGS } from "../../src/app/daemon/options.ts";
import { MAX_OUTBOX_BYTES, MAX_WAITING_FRAMES } from "../../src/app/daemon/sessions/outbox.ts";
import { HELD_FILES } from "../../src/app/daemon/transfers/held_files.ts";
import { MAX_DECLINED } from "../../src/signaling/rendezvous/web_handshake.ts";
import { MAX_AFTER_PAUSE } from "../../src/app/daemon/transfers/flow.ts";
import { MAX_WAITING_FOR_PEER } from "../../src/app/daemon/transfers/queue_rules.ts";
import { MAX_WAITING } from "../../src/app/daemon/transfers/scheduler.ts";
import { MAX_ENTRIES } from "../../src/app/daemon/transfers/transfer_registry.ts";
import { MAX_KEPT_CHARS } from "../../src/ipc/server/event_hub.ts";
import { DEFAULT_API_LIMITS } from "../../src/ipc/server/limits.ts";
import { MAX_FRAME_BYTES } from "../../src/protocol/messages/frame.ts";
import { MAX_FILENAME_BYTES } from "../../src/protocol/messages/inner_message.ts";
import { MAX_BUNDLE_BYTES, MAX_BUNDLE_CANDIDATES } from "../../src/protocol/signal/bundle.ts";
import { DEFAULT_SESSION_TIMING } from "../../src/protocol/session/session.ts";
import { DEFAULT_LIMITS } from "../../src/protocol/transfer/limits.ts";
import { MAX_UNSETTLED } from "../../src/protocol/transfer/unsettled.ts";
import { SYNC_BYTES } from "../../src/storage/inbox/incoming_file.ts";
import { MAX_KEPT_REQUESTS } from "../../src/storage/request_store.ts";
import { expireSecs } from "../../src/vocabulary/transfer_values.ts";
import { QUEUE_EXPIRE_MS, REQUEST_KEY_MS } from "../../src/base/timing.ts";
import { KEPT_BOUNDS } from "../../src/storage/kept_parts.ts";
import { MAX_QUEUED_BYTES } from "../../src/storage/inbox/receive_queue.ts";
import { MAX_NAME_BYTES } from "../../src/storage/inbox/safe_name.ts";
import { MAX_KEPT_HELLO, MAX_PEERS } from "../../src/signaling/rendezvous/registration.ts";
import { MAX_KEPT_LINKS } from "../../src/storage/link_file.ts";
import {
  MAX_ARCHIVE_ENTRIES,
  MAX_DEPTH,
  MAX_NAME_CHARS,
} from "../../src/storage/archive/listing.ts";
import { MAX_HEADER_BYTES as MAX_TAR_HEADER_BYTES } from "../../src/storage/archive/tar_reader.ts";
import { MAX_FOLDER_CHARS } from "../../src/storage/archive/unpack.ts";
import { CHECKED_BYTES } from "../../src/storage/outgoing_file.ts";
import { FILES_PER_BLOCK, KEPT_FILES } from "../../src/storage/received_files.ts";
import { MAX_PINNED } from "../../src/storage/trust_store.ts";
import { filesPerDay } from "../../src/vocabulary/accept_rule.ts";
import { MAX_GIVEN_NAME } from "../../src/vocabulary/session_values.ts";
import { SEND_WINDOW } from "../../src/transport/send_window.ts";
import { MAX_EARLY_PACKETS } from "../../src/transport/webrtc/dtls/dtls_connection.ts";
import { MAX_FALSE_PROOFS } from "../../src/transport/webrtc/dtls/handshake.ts";
import { MAX_MESSAGE, MESSAGES_AHEAD } from "../../src/transport/webrtc/dtls/handshake_messages.ts";
import { MAX_EARLY_RECORDS } from "../../src/transport/webrtc/dtls/record_layer.ts";
import {
  FULL_LINK_BYTES,
  MAX_DTLS_FRAME,
  MAX_LINK_QUEUE_BYTES,
  MAX_STUN_FRAME,
} from "../../src/transport/webrtc/ice/framing.ts";
import { MAX_CANDIDATE_PAIRS, MAX_PAIRS } from "../../src/transport/webrtc/ice/pairing.ts";
import {
  MAX_ATTEMPTS,
  MAX_LINKS,
  MAX_UNPROVEN,
} from "../../src/transport/webrtc/ice/tcp_connections.ts";
import { UNPROVEN_BYTES } from "../../src/transport/webrtc/ice/tcp_link.ts";
import { MAX_WAITING_SENDS } from "../../src/transport/webrtc/ice/udp_socket.ts";
import { MAX_DROPPED_BYTES, MAX_GAP_RUNS } from "../../src/transport/webrtc/sctp/receiver.ts";
import { TIMED_WINDOW } from "../../src/transport/webrtc/sctp/timed_window.ts";
import { MAX_REMOTE_CANDIDATES } from "../../src/transport/webrtc/connector.ts";
import { MAX_HELD, RECEIVE_WINDOW } from "../../src/transport/webrtc/sctp/receive_window.ts";
import { MAX_LOCAL_ADDRESSES } from "../../src/transport/webrtc/ice/local_addresses.ts";

const page = await Deno.readTextFile(new URL("../../docs/SECURITY.md", import.meta.url));
const table = page.slice(page.indexOf("\n## Limits\n"), page.indexOf("\n## Not protected\n"));

const DAY_MS = 24 * 3600 * 1000;
const count = (n: number) => n.toLocaleString("en");
const kib = (n: number) => `${n / 1024} KiB`;
const mib = (n: number) => `${n / 1024 ** 2} MiB`;
const gib = (n: number) => `${n / 1024 ** 3} GiB`;
const seconds = (ms: number) => `${ms / 1000} s`;

const api = DEFAULT_API_LIMITS;
const timing = DEFAULT_SESSION_TIMING;
const { maxPeers, maxTransfers } = SERVE_FLAGS;

/** Of each row the beginning of its first cell, and what its second must have, in that order. */
const ROWS: { readonly [what: string]: readonly string[] } = {
  "Sessions at once": [`${maxPeers.default} (\`--max-peers\`, up to ${maxPeers.kind.max})`],
  "Transfers that flow": [
    `${maxTransfers.default} (\`--max-transfers\`, up to ${maxTransfers.kind.max})`,
    count(MAX_WAITING),
  ],
  "Files that wait for a linked peer": [
    `${MAX_WAITING_FOR_PEER}`,
    `${QUEUE_EXPIRE_MS / DAY_MS} days`,
    `${expireSecs.max * 1000 / DAY_MS}`,
  ],
  "Sends with an `Idempotency-Key`": [
    count(MAX_KEPT_REQUESTS),
    `${REQUEST_KEY_MS / DAY_MS} days`,
  ],
  "Received after the peer": [mib(MAX_AFTER_PAUSE)],
  "A file / a chunk / a frame": [
    gib(DEFAULT_LIMITS.maxFileBytes),
    `${count(DEFAULT_LIMITS.maxChunkBytes)} bytes`,
    kib(MAX_FRAME_BYTES),
  ],
  "An archive: files": [count(MAX_ARCHIVE_ENTRIES), `${MAX_DEPTH}`, count(MAX_NAME_CHARS)],
  "Archives that are unpacked": [kib(MAX_TAR_HEADER_BYTES), count(MAX_FOLDER_CHARS)],
  "Sent of a file until": [mib(CHECKED_BYTES)],
  "Chunks of a file": [count(DEFAULT_LIMITS.maxTotalChunks)],
  "Offers pending": [`${timing.offerMs / 60_000} minutes`],
  "Files of web clients": [
    `${HELD_FILES.ofPeer.files}`,
    mib(HELD_FILES.ofPeer.bytes),
    `${HELD_FILES.ofAll.files}`,
    mib(HELD_FILES.ofAll.bytes),
    `${timing.offerMs / 60_000} minutes`,
  ],
  "Requests for a connection": [`${MAX_DECLINED}`],
  "A name from a peer": [`${count(MAX_FILENAME_BYTES)} bytes`, `${MAX_NAME_BYTES} bytes`],
  "Files that have arrived": [`${count(KEPT_FILES)} and more`, String(FILES_PER_BLOCK)],
  "Files that a rule takes": [count(filesPerDay.max)],
  "A name that people give": [`${MAX_GIVEN_NAME} characters`],
  "Received and not yet on disk": [mib(MAX_QUEUED_BYTES)],
  "Received and not yet read": [
    kib(RECEIVE_WINDOW.first),
    mib(RECEIVE_WINDOW.most),
    count(MAX_HELD),
  ],
  "Sent and not yet acknowledged": [kib(SEND_WINDOW.high), mib(SEND_WINDOW.most)],
  "Under way by TCP": [
    kib(TIMED_WINDOW.first),
    mib(TIMED_WINDOW.most),
    kib(TIMED_WINDOW.least),
  ],
  "Handed to TCP": [kib(FULL_LINK_BYTES), kib(MAX_LINK_QUEUE_BYTES)],
  "Datagrams that wait": [`${MAX_WAITING_SENDS}`],
  "Sent beyond the window": [mib(MAX_DROPPED_BYTES), count(MAX_GAP_RUNS)],
  "A STUN message": [`${count(MAX_STUN_FRAME)} bytes`, `${count(MAX_DTLS_FRAME)} bytes`],
  "A DTLS handshake message": [kib(MAX_MESSAGE), `${MESSAGES_AHEAD}`, `${MAX_FALSE_PROOFS}`],
  "Sealed records before the keys": [`${MAX_EARLY_RECORDS}`, `${MAX_EARLY_PACKETS}`],
  "Candidate pairs": [`${MAX_PAIRS}`, `${MAX_CANDIDATE_PAIRS}`],
  "TCP connections of strangers": [`${MAX_UNPROVEN}`, `${count(UNPROVEN_BYTES)} bytes`],
  "TCP connections tried": [`${MAX_ATTEMPTS}`, `${MAX_LINKS}`],
  "Frames waiting to be sent": [`${MAX_WAITING_FRAMES}`, mib(MAX_OUTBOX_BYTES)],
  "Parts of files": [
    gib(KEPT_BOUNDS.maxBytes),
    `${KEPT_BOUNDS.maxAgeMs / (24 * 3600 * 1000)} days`,
  ],
  "Received of a file and not yet synced": [mib(SYNC_BYTES)],
  "Files of a session that came whole": [`${MAX_UNSETTLED}`],
  "Signal bundle": [
    mib(MAX_BUNDLE_BYTES),
    `${MAX_BUNDLE_CANDIDATES} (${MAX_REMOTE_CANDIDATES} are used)`,
  ],
  "Own addresses offered": [`${MAX_LOCAL_ADDRESSES}`],
  "HELLO / silence": [seconds(timing.helloMs), seconds(timing.lostMs)],
  "Transfer without a chunk": [
    `${timing.stallMs / 60_000} minute`,
    `${timing.pauseMs / 3_600_000} hour`,
  ],
  "Pinned identities": [count(MAX_PINNED)],
  "Links / a hello": [`${MAX_KEPT_LINKS}`, kib(MAX_KEPT_HELLO), `${MAX_PEERS}`],
  "Transfers remembered": [count(MAX_ENTRIES)],
  "API: connections": [
    `${api.connections}`,
    `${api.eventStreams}`,
    kib(api.bodyBytes),
    kib(api.headerBytes),
    seconds(api.operationMs),
  ],
  "API: requests sent ahead": [`${api.pipelined}`],
  "API: headers / body": [seconds(api.headersMs), seconds(api.bodyMs), seconds(api.readingMs)],
  "Events kept for replay": [mib(MAX_KEPT_CHARS)],
};

for (const [what, values] of Object.entries(ROWS)) {
  Deno.test(`the table of limits has the program's: ${what}`, () => {
    const rows = table.split("\n").filter((line) => line.startsWith(`| ${what}`));
    assertEquals(rows.length, 1);
    const cell = rows[0]?.split(" | ")[1] ?? "";
    let at = 0;
    for (const value of values) {
      const found = cell.indexOf(value, at);
      assert(found >= 0, `"${cell.trim()}" lacks ${value}`);
      at = found + value.length;
    }
  });
}

/** Numbers of the wire itself, which the page of the protocol says: how long both wait for a HELLO. */
const WIRE_NUMBERS = { "PROTOCOL.md": ["5 s"], "IPC.md": [], "TRANSPORT.md": [] };

for (const [name, own] of Object.entries(WIRE_NUMBERS)) {
  Deno.test(`${name} leaves durations and sizes to the tables of limits and timers`, async () => {
    const text = await Deno.readTextFile(new URL(`../../docs/${name}`, import.meta.url));
    const found = text.match(/\b\d[\d.,]* (?:ms|s|minutes?|hours?|KiB|MiB|GiB)\b/g) ?? [];
    assertEquals(found, own);
  });
}
