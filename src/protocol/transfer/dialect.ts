/**
 * What kinds of peers say differently about transfers, as an interface: `daemon_dialect.ts` and
 * `web_dialect.ts` implement it, and nothing else asks which kind a peer is.
 *
 * @module
 */
import type { ProtocolError } from "../errors.ts";
import type { Capability } from "../messages/capabilities.ts";
import type {
  Cancel,
  ChunkHeader,
  ErrorMessage,
  FileFinish,
  FileOffer,
} from "../messages/inner_message.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import type { Direction } from "./effects.ts";
import type { OfferedFile } from "./file_receiver.ts";

/** How transfers are spoken with one kind of peer. Pure. */
export interface Dialect {
  /**
   * True: a file is offered and accepted before its first chunk, and finished after its last. False:
   * its chunks alone travel, each a sealed box where there is no ratchet.
   */
  readonly offersFiles: boolean;
  /** Capabilities of ours that this kind of peer is not told of. */
  readonly without: ReadonlySet<Capability>;
  /**
   * Whether the peer takes a pause, its end and a cancel for what their transfer id says. If not, it
   * takes them for whatever it sends at the moment.
   */
  readonly steersEachTransfer: boolean;
  /** Whether the peer answers pings. */
  readonly answersPings: boolean;
  /** Bytes of plaintext in the chunks that we send. */
  readonly chunkBytes: number;
  /** Why a file can't be sent to this kind of peer; undefined when it can. */
  unsendable(size: number): string | undefined;
  /** A chunk of that offer, with what else this kind of peer wants to know. */
  chunk(chunk: ChunkHeader, offer: FileOffer): ChunkHeader;
  /** What follows the last chunk of that offer; undefined for nothing. */
  finish(offer: FileOffer): FileFinish | undefined;
  /** Ends a transfer. */
  cancel(transferId: TransferId, direction: Direction): Cancel;
  /** Ends a transfer for a reason that ends nothing else. */
  refuse(transferId: TransferId, direction: Direction, error: ProtocolError): Cancel | ErrorMessage;
  /** The file that a chunk without an offer begins; undefined when such a chunk is a violation. */
  begunBy(chunk: ChunkHeader): OfferedFile | undefined;
}
