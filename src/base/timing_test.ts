import { assert } from "@std/assert";
import * as timing from "./timing.ts";

// Beside the values rather than at the programs' start: a wrong one must fail here, at no operator.

Deno.test("a lost connection to the rendezvous server is noticed while a phase still has time", () => {
  assert(timing.HEARTBEAT_ANSWER_MS < timing.HEARTBEAT_MS, "one heartbeat at a time");
  assert(timing.HEARTBEAT_MS + timing.HEARTBEAT_ANSWER_MS <= 0.6 * timing.PHASE_MS);
  assert(timing.REGISTER_MS < timing.PHASE_MS, "an attempt to register leaves time for another");
  assert(timing.RESEND_MS < timing.PHASE_MS / 2, "a lost message is sent again within its phase");
});

Deno.test("who lost a peer code to another program does not begin anew with short waits", () => {
  assert(timing.STABLE_REGISTRATION_MS > timing.RECONNECT.longestMs);
});

Deno.test("connecting survives lost packets well within a phase", () => {
  for (
    const waits of [
      timing.DTLS_RETRANSMIT.longestMs,
      timing.SCTP_FIRST_RTO_MS,
      timing.SCTP_DOUBLED_RTO_MS,
      timing.ICE_CHECK_MS,
      timing.HELLO_MS,
    ]
  ) assert(waits <= timing.PHASE_MS / 5);
  assert(timing.CONSENT_RETRY_MS < timing.CONSENT_MS);
});

Deno.test("retransmission waits for an acknowledgement that may be delayed, within its bounds", () => {
  assert(timing.SCTP_LEAST_RTO_MS > 200 + timing.SACK_DELAY_MS, "200 ms: RFC 9260, section 6.2");
  assert(timing.SCTP_LEAST_RTO_MS < timing.SCTP_FIRST_RTO_MS);
  assert(timing.SCTP_FIRST_RTO_MS < timing.SCTP_DOUBLED_RTO_MS);
  assert(timing.SCTP_DOUBLED_RTO_MS < timing.SCTP_LONGEST_RTO_MS);
});

Deno.test("a silent side is asked more than once before it is given up", () => {
  assert(timing.PING_MS * 3 <= timing.PEER_LOST_MS);
  assert(timing.API_HEARTBEAT_MS * 3 <= timing.EVENTS_SILENCE_MS);
});

Deno.test("a received file gets on disk before its sender stops waiting, and that is no longer than silence is borne", () => {
  assert(timing.FILE_SAVE_MS < timing.READ_CONFIRM_MS);
  assert(timing.READ_CONFIRM_MS <= timing.PEER_LOST_MS);
  // What is kept is hashed within the time that the sender waits for the answer.
  assert(timing.PREFIX_HASH_MS < timing.RESUME_ANSWER_MS);
});

Deno.test("a pause that waits for a slot is renewed well before the peer gives it up", () => {
  assert(timing.PAUSE_RENEWAL_MS * 2 < timing.TRANSFER_PAUSE_MS);
});

Deno.test("the daemon's own refusal comes before its client stops waiting", () => {
  assert(timing.API_OPERATION_MS < timing.CALL_MS);
  assert(timing.SOCKET_OWNER_MS < timing.CALL_MS);
  assert(timing.DAEMON_GONE_MS < timing.EVENTS_REOPEN_MS);
});

Deno.test("waits that grow begin short, and no wait is beyond what the platform's timers can do", () => {
  for (const [name, value] of Object.entries(timing)) {
    if (typeof value === "number") assert(value > 0 && value <= timing.LONGEST_TIMER_MS, name);
    else assert(value.firstMs > 0 && value.firstMs < value.longestMs, name);
  }
});
