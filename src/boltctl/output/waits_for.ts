/**
 * What a transfer waits for, for people.
 *
 * @module
 */
import type { Transfer, WaitingFor } from "../../ipc/api/schemas.ts";

const WORDS: Readonly<Record<WaitingFor, string>> = {
  "session": "the other file of its session",
  "peer": "its peer, which is away",
  "peer-space": "space on the peer's disk",
  "hash": "its hash",
  "peer-decision": "the peer's decision",
  "decision": "your decision",
  "slot": "a free slot",
  "resume": "your resume",
  "peer-resume": "the peer's resume",
  "confirmation": "the peer's confirmation",
};

/** What it waits for in a few words; undefined when it flows or has ended. */
export function waitsFor({ waitingFor }: Transfer): string | undefined {
  // A newer daemon may know of more.
  return waitingFor === undefined ? undefined : WORDS[waitingFor] ?? waitingFor;
}
