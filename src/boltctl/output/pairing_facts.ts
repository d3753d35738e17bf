/**
 * What is known of a peer that asks to be let in, a line each: so that nothing that it calls itself
 * can be read as more than its name.
 *
 * @module
 */
import type { Pairing } from "../../ipc/api/schemas.ts";
import { quotedName } from "./peer_name.ts";
import { cutTo } from "./width.ts";

/** Columns of the names and the gap behind them: `peer code  `. */
const BEFORE = 11;
/** Fewest columns for what is said: it wraps on a narrower terminal. */
const FEWEST = 16;

/** What the code of a session that is not proven is worth. */
export const FORGEABLE = "whoever relays the signals (the server) can forge its six characters";

/** Names and what is said, for a terminal of so many columns. */
export function pairingFacts(pairing: Pairing, columns: number): (readonly [string, string])[] {
  const width = Math.max(FEWEST, columns - BEFORE);
  const { deviceName, knownAs, identity, peerCode, proven } = pairing;
  const facts: [string, string | undefined][] = [
    ["name", deviceName === "" ? undefined : quotedName(deviceName, width)],
    ["known as", knownAs === undefined ? undefined : quotedName(knownAs, width)],
    ["peer code", peerCode],
    ["identity", cutTo(identity, width)],
    [
      "proven",
      proven ? "yes: it holds this identity's key" : "NO: it only claims this identity",
    ],
  ];
  return facts.flatMap(([name, said]) => said === undefined ? [] : [[name, said]]);
}
