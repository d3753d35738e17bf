/**
 * What the daemon may take of memory at most, computed from its own bounds: it is shown in
 * docs/OPERATIONS.md, and a start whose bounds together pass `--max-memory` is refused. Pure.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { MAX_KEPT_CHARS } from "../../ipc/server/event_hub.ts";
import { DEFAULT_API_LIMITS as API_LIMITS } from "../../ipc/server/limits.ts";
import { MAX_FRAME_BYTES } from "../../protocol/messages/frame.ts";
import { MAX_BUNDLE_BYTES } from "../../protocol/signal/bundle.ts";
import { MAX_DEVICE_NAME } from "../../protocol/signal/device_name.ts";
import { MAX_KEPT_HELLO, MAX_PEERS } from "../../signaling/rendezvous/registration.ts";
import { MAX_WAITING_BYTES as MAX_SERVER_BYTES } from "../../signaling/rendezvous/rendezvous_socket.ts";
import { MAX_QUEUED_BYTES } from "../../storage/inbox/receive_queue.ts";
import { MAX_KEPT_LINKS, MAX_LINK_BYTES } from "../../storage/link_file.ts";
import { MAX_PENDING_RECORDS } from "../../storage/journal.ts";
import { MAX_LINE_BYTES } from "../../storage/journal_record.ts";
import { MAX_KEPT_REQUESTS, MAX_REQUEST_BYTES } from "../../storage/request_store.ts";
import { MAX_BLOCK_BYTES } from "../../storage/received_files.ts";
import { HASH_BUFFER_BYTES, KEPT_CONTENT_BYTES } from "../../storage/outgoing_file.ts";
import { CODES_PER_IDENTITY, MAX_PINNED } from "../../storage/trust_store.ts";
import { SEND_WINDOW } from "../../transport/send_window.ts";
import {
  BATCH_BYTES,
  MAX_LINK_QUEUE_BYTES,
  READ_BYTES,
} from "../../transport/webrtc/ice/framing.ts";
import { MAX_KEPT_ASSEMBLY_BYTES } from "../../transport/webrtc/sctp/assembly.ts";
import { RECEIVE_WINDOW } from "../../transport/webrtc/sctp/receive_window.ts";
import { MAX_SPARE_BYTES } from "../../transport/webrtc/message_buffers.ts";
import type { ServeOptions } from "./options.ts";
import { MAX_OUTBOX_BYTES } from "./sessions/outbox.ts";
import { HELD_FILES } from "./transfers/held_files.ts";
import { MAX_PIPELINED, SMALL_FILE_BYTES } from "./transfers/session_transfers.ts";
import { MAX_ENTRIES } from "./transfers/transfer_registry.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Program and engine with all that a session loads: some 96 MiB were measured (BENCHMARKS.md). */
const PROGRAM_BYTES = 128 * MIB;
/**
 * The engine collects garbage when its heap has grown by half (`--heap-growing-percent=50`), so there
 * may be half as much garbage as there are live objects.
 */
const GARBAGE_FACTOR = 1.5;
/** Objects of a session, beside its messages: ICE, DTLS, SCTP, the protocol's state, generously. */
const SESSION_OBJECTS_BYTES = MIB;
/** A code with the name of its peer, in memory. */
const PIN_BYTES = 512;
/** A peer at a rendezvous server, beside its name. */
const PEER_BYTES = 64;
/** What a socket of the API takes of an event stream before its reader must read. */
const STREAM_BYTES = 64 * KIB;

/** What of the memory goes to what, in bytes; garbage is not counted. */
export const MEMORY_PARTS = {
  session: {
    /**
     * What came and was not read, out of order or whole: the window, one message beside it, and the
     * one that is worked on.
     */
    unread: RECEIVE_WINDOW.most + 2 * MAX_FRAME_BYTES,
    /** The array in which messages are put together. */
    assembly: MAX_KEPT_ASSEMBLY_BYTES,
    /** Sent and not acknowledged: the window at its largest, which the last message may pass. */
    unacknowledged: SEND_WINDOW.most + MAX_FRAME_BYTES,
    /**
     * What waits for the system, with room for the next write and memory kept for it, and what is
     * read of it, where a session goes by TCP.
     */
    link: MAX_LINK_QUEUE_BYTES + 2 * BATCH_BYTES + READ_BYTES,
    /** Memory of messages that is kept to be used again. */
    spare: MAX_SPARE_BYTES,
    /** Answers to the peer that wait for the channel. */
    unsent: MAX_OUTBOX_BYTES,
    /** Chunks that wait for the disk, or for a slot: a file that is accepted may come at once. */
    queue: MAX_QUEUED_BYTES,
    /** Small files that came whole, and wait for the disk while the next one comes. */
    small: MAX_PIPELINED * SMALL_FILE_BYTES,
    objects: SESSION_OBJECTS_BYTES,
  },
  /** A session that is being opened holds these instead of messages. */
  signaling: { server: MAX_SERVER_BYTES, bundle: MAX_BUNDLE_BYTES, objects: SESSION_OBJECTS_BYTES },
  transfer: {
    /** One chunk as it is read and one that is read ahead, and the frame in which it is sent. */
    chunk: 2 * MAX_FRAME_BYTES,
    hash: HASH_BUFFER_BYTES,
    /** Small files that were read and are sent, or wait for their peer's last word. */
    content: MAX_PIPELINED * KEPT_CONTENT_BYTES,
  },
  fixed: {
    /** Files of peers that send without an offer, which wait whole. */
    held: HELD_FILES.ofAll.bytes,
    /** Transfers that are remembered: as the API shows them, and as the journal has them. */
    history: 2 * MAX_ENTRIES * MAX_LINE_BYTES,
    journal: MAX_PENDING_RECORDS * MAX_LINE_BYTES,
    /** Requests that came with a key. */
    keyed: MAX_KEPT_REQUESTS * MAX_REQUEST_BYTES,
    /** Files that arrived: the newest, and those that are read. */
    received: 2 * MAX_BLOCK_BYTES,
    /** Two bytes a character, where a peer's name needs them. */
    events: 2 * MAX_KEPT_CHARS,
    requests: API_LIMITS.connections * (API_LIMITS.headerBytes + API_LIMITS.bodyBytes),
    streams: API_LIMITS.eventStreams * STREAM_BYTES,
    /** Links: what each was told, a hello, and the peers at its server, two bytes a character. */
    links: MAX_KEPT_LINKS *
      (MAX_LINK_BYTES + 2 * MAX_KEPT_HELLO + MAX_PEERS * (2 * MAX_DEVICE_NAME + PEER_BYTES)),
    pins: MAX_PINNED * CODES_PER_IDENTITY * PIN_BYTES,
  },
} as const;

const sum = (parts: { readonly [part: string]: number }): number =>
  Object.values(parts).reduce((total, bytes) => total + bytes, 0);
const inMib = (bytes: number): number => Math.ceil(bytes / MIB);

/** MiB that the daemon takes whatever its flags are. */
export const FIXED_MIB: number = inMib(
  PROGRAM_BYTES + GARBAGE_FACTOR * sum(MEMORY_PARTS.fixed),
);
/** MiB that each session adds. */
export const SESSION_MIB: number = inMib(
  GARBAGE_FACTOR * Math.max(sum(MEMORY_PARTS.session), sum(MEMORY_PARTS.signaling)),
);
/** MiB that each transfer that flows adds to its session. */
export const TRANSFER_MIB: number = inMib(GARBAGE_FACTOR * sum(MEMORY_PARTS.transfer));

/** The flags that bound memory, and the total that they may have. */
export type MemoryOptions = Pick<ServeOptions, "maxPeers" | "maxTransfers" | "maxMemory">;

/** MiB that sessions and transfers may take together with all else, at most. */
export function memoryBoundMib(
  { maxPeers, maxTransfers }: Pick<MemoryOptions, "maxPeers" | "maxTransfers">,
): number {
  // A session carries one transfer at a time.
  const transfers = Math.min(maxTransfers, maxPeers);
  return FIXED_MIB + maxPeers * SESSION_MIB + transfers * TRANSFER_MIB;
}

/**
 * Refuses bounds that together pass `--max-memory`.
 *
 * @throws {UsageError} What to lower, and how far.
 */
export function checkMemory(options: MemoryOptions): void {
  const { maxPeers, maxTransfers, maxMemory } = options;
  const needed = memoryBoundMib(options);
  if (needed <= maxMemory) return;
  const fits = mostPeers(options);
  const least = memoryBoundMib({ maxPeers: 1, maxTransfers });
  const raise = `raise --max-memory to ${needed}`;
  const advice = fits >= 1
    ? `lower --max-peers to ${fits}` + (maxTransfers > 1 ? ", or --max-transfers with it" : "") +
      `, or ${raise}`
    : raise + (least < needed ? `, or to ${least} with --max-peers 1` : "");
  throw new UsageError(
    `--max-peers ${maxPeers} and --max-transfers ${maxTransfers} may take ${needed} MiB of ` +
      `memory together, and --max-memory allows ${maxMemory}: ${advice}`,
  );
}

/** The most peers whose bounds fit, with as many transfers as were asked for; 0 for none. */
function mostPeers({ maxPeers, maxTransfers, maxMemory }: MemoryOptions): number {
  for (let peers = maxPeers; peers >= 1; peers--) {
    if (memoryBoundMib({ maxPeers: peers, maxTransfers }) <= maxMemory) return peers;
  }
  return 0;
}
