/**
 * What a test tells the page of a web client that it wants. Shared by the page and the tests.
 *
 * @module
 */

/** A web client. */
export interface WebClientOptions {
  /** The rendezvous server. */
  readonly url: string;
  /** Its code there. */
  readonly code: string;
  /** The daemon's. */
  readonly peer: string;
  /** Which side it is. */
  readonly role: "offers" | "answers";
  /** As offerer: whether it asks for consent before the offer. @default {true} */
  readonly asks?: boolean;
  /** As answerer: whether its people consent when they are asked. @default {true} */
  readonly consents?: boolean;
  /** When its candidates are told: with trickle ICE, after the description. @default {"after"} */
  readonly candidates?: "before" | "after";
  /** The only family of addresses whose candidates it tells and takes. @default {both} */
  readonly family?: 4 | 6;
  /** As the published client: sockets from a pool, and HELLO in each open event. @default {false} */
  readonly asPublished?: boolean;
  /** As Chromium does at times: loses the HELLO of its first channel. @default {false} */
  readonly losesHello?: boolean;
}

/** Something that has happened to a web client. */
export interface Happening {
  /** What. */
  readonly kind:
    | "asked"
    | "declined"
    | "opened"
    | "sent"
    | "received"
    | "paused"
    | "resumed"
    | "cancelled"
    | "ended";
  /** The file's name, if it is of a file; the SAS, when the session has opened. */
  readonly name: string;
  /** A hash, or a reason. */
  readonly detail: string;
  /** Bytes of the file. */
  readonly size: number;
  /** When, by the page's clock. */
  readonly at: number;
}
