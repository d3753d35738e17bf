/**
 * Every timer and deadline of both programs, with its reason. docs/ARCHITECTURE.md shows them as a
 * table that a test makes from this file; the relations between them that must hold are tested in
 * `timing_test.ts`. A name that ends in `_MS` is in milliseconds, one without it has a wait that
 * grows from `firstMs` to `longestMs`, twice as long each time.
 *
 * @module
 */

// Any program.

/** The longest that the platform's timers can wait. A longer one would fire at once. */
export const LONGEST_TIMER_MS = 2_147_483_647;
/** A phase of connecting, unless `--phase-timeout-secs` says otherwise. The contract's default. */
export const PHASE_MS = 30_000;
/**
 * Before a standard stream that refuses writes is tried again: the runtime reports no free space.
 */
export const STREAM_RETRY = { firstMs: 5, longestMs: 50 } as const;
/** For the last log lines to be read at exit. Nobody may be reading stderr. */
export const LOG_FLUSH_MS = 1_000;

// Signaling.

/**
 * Between two looks at a signal file. A peer that answers at once is noticed at once, no look is
 * later than the wait was long already, and a long wait costs one look a second.
 */
export const SIGNAL_FILE_LOOK = { firstMs: 20, longestMs: 1_000 } as const;
/**
 * Between two heartbeats to the rendezvous server. With its answer it leaves a phase of the default
 * length time to connect after a lost connection; the server drops clients silent for 300 s.
 */
export const HEARTBEAT_MS = 10_000;
/** For the answer to a heartbeat. In its second half it is asked in another way. */
export const HEARTBEAT_ANSWER_MS = 6_000;
/** For one attempt to register again at the rendezvous server. */
export const REGISTER_MS = 10_000;
/** Between attempts to register again while the server can't be reached. */
export const REGISTER_RETRY = { firstMs: 250, longestMs: 8_000 } as const;
/**
 * Before the first attempt after a lost connection. It grows while registrations are short: a
 * server that drops us again and again, or a program that claims our peer code, is tried ever more
 * slowly.
 */
export const RECONNECT = { firstMs: 250, longestMs: 60_000 } as const;
/**
 * A registration that lasted so long was no short one. Longer than the longest wait before it, so
 * that two programs that claim one peer code never begin anew with short waits.
 */
export const STABLE_REGISTRATION_MS = 120_000;
/** Before a message is sent again to a peer that has not registered yet. */
export const ABSENT_PEER_RETRY = { firstMs: 100, longestMs: 1_000 } as const;
/** Before a message is sent again to a server that has answered with a rate limit. */
export const RATE_LIMITED_RETRY = { firstMs: 1_000, longestMs: 16_000 } as const;
/** Without an answer before a message is sent again. The server does not report what it lost. */
export const RESEND_MS = 5_000;
/**
 * Between two attempts to re-establish a link, and to reach its server, of which chance takes up to
 * half: 1 to 60 s. Either may be away for days. At a sign of life the next attempt comes at once, but
 * not within half of the first wait, 1 s, after the last.
 */
export const LINK_RETRY = { firstMs: 2_000, longestMs: 60_000 } as const;
/**
 * Between two attempts of links: an attempt is some four messages, and servers take 50 a second.
 */
export const LINK_TURN_MS = 100;
/**
 * For how long a peer's hello shows that it still waits for the answer: it says it again after
 * `RESEND_MS`.
 */
export const LINK_HELLO_MS = 10_000;
/** Between two looks at the machine's addresses while a link is not connected: a change is a sign. */
export const LINK_ADDRESS_LOOK_MS = 5_000;
/** For the server's half of the WebSocket's close. */
export const SOCKET_CLOSE_MS = 500;

// Transport.

/** Between two ICE checks that are started. RFC 8445, section 14.2: 5 ms at least. */
export const ICE_PACE_MS = 20;
/** Before ICE checks begin anew after all failed. The peer may not have had our description yet. */
export const ICE_RECHECK_MS = 500;
/** For the answer to an ICE check. Several checks are under way at a time. */
export const ICE_CHECK_MS = 3_000;
/** A nomination is news for so long. Browsers nominate their pair anew every 2.5 s. */
export const NOMINATION_FRESH_MS = 10_000;
/**
 * For TCP to answer after UDP first did (else two round trips) before UDP is chosen: more than a
 * busy program needs for the round trip that TCP takes longer.
 */
export const TCP_NOMINATION_MS = 150;
/** For a TCP connection of our making to be there. Several are tried at a time. */
export const TCP_CONNECT_MS = 10_000;
/** For whoever connects to show that it is the peer: one round trip, with time for a busy program. */
export const TCP_PROOF_MS = 5_000;
/** For what was written to a TCP connection to leave, and for the peer's end, when it is closed. */
export const TCP_CLOSE_MS = 500;
/** Silence of the peer on a TCP connection that takes nothing from us either: it is gone. */
export const TCP_SILENCE_MS = 10_000;
/** Silence of the peer on a TCP connection that still takes bytes: answers queue behind data. */
export const TCP_MOVING_SILENCE_MS = 60_000;
/** What may be under way on a TCP path: as much as it carries in this time. */
export const TCP_IN_FLIGHT_MS = 4_000;
/** Between two consent checks of a path that answers. RFC 7675, section 5.1: about 5 s. */
export const CONSENT_MS = 2_000;
/** Between two consent checks of a path that does not answer; 15 of them end the connection. */
export const CONSENT_RETRY_MS = 500;
/** Between two looks at the machine's addresses because the system refuses datagrams. */
export const ADDRESS_LOOK_MS = 500;
/** Before a DTLS flight is sent again. Setup must survive loss well within a phase. */
export const DTLS_RETRANSMIT = { firstMs: 100, longestMs: 2_000 } as const;
/** Between two answers to a repeated DTLS flight: a forger can't make us send without end. */
export const DTLS_ANSWER_INTERVAL_MS = 50;
/**
 * SCTP's first retransmission timeout. RFC 9260, section 16: RTO.Initial.
 */
export const SCTP_FIRST_RTO_MS = 1_000;
/**
 * SCTP's least retransmission timeout: more than a peer's delayed SACK takes, less than RTO.Min.
 */
export const SCTP_LEAST_RTO_MS = 400;
/** SCTP's longest retransmission timeout. RFC 9260, section 16: RTO.Max. */
export const SCTP_LONGEST_RTO_MS = 60_000;
/**
 * SCTP's retransmission timeout does not double beyond this, or 8 round trips. A path silent for
 * 9.5 s ends the connection, so longer waits would miss the moments at which a bad path works.
 */
export const SCTP_DOUBLED_RTO_MS = 1_600;
/**
 * Least silence after which SCTP sends its last packet again to learn of a loss (else two round
 * trips; RFC 8985, section 7.2). A busy program needs that long to read what has come.
 */
export const SCTP_LEAST_PROBE_MS = 10;
/** What SCTP's timer may come early: the platform's count in whole milliseconds. */
export const SCTP_TIMER_EARLY_MS = 1;
/** What an SCTP state cookie may take to come back. RFC 9260, section 16: Valid.Cookie.Life. */
export const SCTP_COOKIE_MS = 60_000;
/** For the answer to a probe of the path's packet size. RFC 8899, section 5.1.1: PROBE_TIMER. */
export const MTU_PROBE_MS = 1_000;
/** Before larger packets are tried again after all in flight was lost: the path may have changed. */
export const MTU_FALLBACK_MS = 10_000;
/** Before larger packets are tried again. RFC 8899, section 5.1.1: PMTU_RAISE_TIMER. */
export const MTU_RAISE_MS = 600_000;
/** After a lost burst, before the receive window may grow again: the program may be busy still. */
export const WINDOW_HOLD_MS = 30_000;
/** A SACK may wait so long for a second packet. RFC 9260, section 6.2: 200 ms at most. */
export const SACK_DELAY_MS = 20;
/** A SACK may wait so long over TCP, where nothing is lost and no one waits to send it again. */
export const RELIABLE_SACK_DELAY_MS = 50;
/** For the peer to confirm an orderly close of a channel. */
export const CHANNEL_CLOSE_MS = 3_000;
/** For the peer's transport to answer the ABORT with which a channel is closed at once. */
export const CHANNEL_ABORT_MS = 500;
/** Before an ABORT that was not answered goes again. */
export const CHANNEL_ABORT_RETRY = { firstMs: 20, longestMs: 160 } as const;

// Protocol.

/** From the open channel to the peer's HELLO. The wire format asks for it. */
export const HELLO_MS = 5_000;
/**
 * From the open channel to a page's HELLO before the page is offered another one, twice. Chromium may
 * lose what is sent as soon as the channel opens; a page that lost nothing answers within a moment.
 */
export const PAGE_HELLO_MS = 2_000;
/**
 * Silence of the peer before a PING, again and again. Three fit in the silence that ends a session.
 */
export const PING_MS = 15_000;
/** Silence of the peer that ends the session. */
export const PEER_LOST_MS = 45_000;
/** From an offer to its answer, either way: a person decides. */
export const OFFER_MS = 300_000;
/**
 * More than that, from the decision on, where both can resume: the receiver hashes first what it has
 * of the file, which may take `PREFIX_HASH_MS`.
 */
export const RESUME_ANSWER_MS = 900_000;
/** Without a chunk of a transfer, or its finish, while nothing is paused. */
export const STALL_MS = 60_000;
/** In a pause of a transfer, until it is given up. */
export const TRANSFER_PAUSE_MS = 3_600_000;

// The programs.

/** For the last frames of a session to leave and its channel to close. */
export const SESSION_CLOSE_MS = 3_000;
/**
 * For the answer to the PING that asks whether the peer has read everything, once its transport has
 * acknowledged it: as long as its silence is borne at all. Then the file is told as interrupted.
 */
export const READ_CONFIRM_MS = 45_000;
/**
 * For a received file to get on disk before the peer's next message is read all the same. Less than
 * a sender waits for the confirmation, far less than the silence that ends a session.
 */
export const FILE_SAVE_MS = 4_000;
/**
 * For what is kept of a file to be hashed before it goes on; then all of it is received anew. 10 GiB
 * take that long from a slow disk.
 */
export const PREFIX_HASH_MS = 600_000;
/** What has come of a file that was lost is kept so long for its next try. */
export const KEPT_PART_MS = 604_800_000;
/** At least so long between two looks at which kept parts are too old. */
export const KEPT_LOOK_MS = 3_600_000;
/** A file waits so long for its linked peer, unless it is told otherwise; then it is given up. */
export const QUEUE_EXPIRE_MS = 604_800_000;
/**
 * Before a file is offered again to a linked peer that had no space for it. A disk is freed by people
 * and programs that tell nobody.
 */
export const SPACE_RETRY = { firstMs: 1_000, longestMs: 300_000 } as const;
/** The key of a request is known so long: until then it is not carried out twice. */
export const REQUEST_KEY_MS = 604_800_000;
/** Between two progress events of a transfer. Applications draw them; more would only cost. */
export const PROGRESS_MS = 500;
/** Where a rate is set, whoever was idle may pass so much time's worth of bytes at once. */
export const RATE_BURST_MS = 250;

/** A transfer that moves almost nothing for so long loses its slot while others wait. */
export const SLOT_IDLE_MS = 10_000;
/** Waiting for a slot, before our PAUSE is sent again: before the peer would give up the pause. */
export const PAUSE_RENEWAL_MS = 1_200_000;
/**
 * Before a transfer uses a slot again after turns without success: daemons must not stay in step.
 */
export const TURN_BACK_OFF = { firstMs: 10, longestMs: 1_000 } as const;
/** For the decision on a pairing request: two people compare the SAS meanwhile. */
export const PAIRING_DECISION_MS = 30_000;
/**
 * The window in which wrong SAS are counted: ten in it, and none is checked until it has passed.
 */
export const SAS_WINDOW_MS = 3_600_000;
/**
 * For the offerer's close, once the one-shot answerer's echo is acknowledged. A foreign offerer may
 * stay open; the exchange is complete by then.
 */
export const LINGER_MS = 500;

// The local API and its client.

/** For a request's headers, from the connect or the last answer. */
export const API_HEADERS_MS = 10_000;
/** For a request's body. */
export const API_BODY_MS = 10_000;
/** For a client to read its answer. */
export const API_READING_MS = 10_000;
/** For an operation. Whatever takes long is started by it, and reported by events. */
export const API_OPERATION_MS = 30_000;
/** Between two heartbeats of an event stream. Three fit in the silence that a client stands. */
export const API_HEARTBEAT_MS = 15_000;
/**
 * Before an application's event source connects again. It is sent at the start of an event stream.
 */
export const EVENT_SOURCE_RETRY_MS = 1_000;
/** For the answers under way when the API closes. */
export const API_CLOSE_MS = 1_000;
/**
 * Client: for a call with its answer. More than the daemon takes, so that its own refusal arrives.
 */
export const CALL_MS = 35_000;
/** Client: without an event or a heartbeat, until an event stream is given up. */
export const EVENTS_SILENCE_MS = 45_000;
/** Client: for a lost event stream to be open again. */
export const EVENTS_REOPEN_MS = 10_000;
/** Client: between attempts to reach a daemon that does not answer. */
export const CLIENT_RETRY = { firstMs: 100, longestMs: 2_000 } as const;
/** For the daemon that holds the socket already to say who it is. The refusal should come soon. */
export const SOCKET_OWNER_MS = 2_000;

// boltctl.

/** For whatever a command waits for without `--timeout`. */
export const COMMAND_WAIT_MS = 60_000;
/** Between attempts to change a mark that another boltctl is changing, which takes a moment. */
export const MARK_LOCK_RETRY = { firstMs: 5, longestMs: 100 } as const;
/** Between two drawings of the time that is left to answer a question. */
export const COUNTDOWN_MS = 1_000;
/** For the words that a shell completes: somebody has pressed a key and waits. */
export const COMPLETION_MS = 1_000;
/** Between two frames of a full screen at least: a change is drawn at once after a longer rest. */
export const SCREEN_REDRAW_MS = 100;
/** For the output to be read at exit. Nobody may be reading stdout. */
export const OUTPUT_FLUSH_MS = 1_000;
/** stderr waits so long for a stdout that nobody reads, to keep their order in a terminal. */
export const OUTPUT_ORDER_MS = 500;
/** For the cancels of an interrupted command. */
export const CANCEL_MS = 5_000;
/** For the session of an interrupted `pair` to be closed. */
export const ABANDONED_CLOSE_MS = 5_000;
/** After the end of the events, until a daemon that is still there would have answered. */
export const DAEMON_GONE_MS = 250;
/**
 * Doctor: the daemon's start may lie so far in the future before the clock is said to have jumped.
 */
export const CLOCK_TOLERANCE_MS = 2_000;
/** Doctor: for a rendezvous server to answer. */
export const DOCTOR_SERVER_MS = 5_000;
