/**
 * The parsers of what this machine gives: the daemon's own files, which may be damaged or planted,
 * the local API's requests, the command lines; and the names that peers give to files.
 *
 * @module
 */
import { assert } from "@std/assert";
import { UsageError } from "../../../src/base/errors.ts";
import { parseOneShotOptions } from "../../../src/cli/one_shot_options.ts";
import { parseServeOptions } from "../../../src/cli/serve_options.ts";
import { OPERATIONS, type OperationSpec } from "../../../src/ipc/api/operations.ts";
import { RequestError } from "../../../src/ipc/api/problem.ts";
import { match, parsePath, parseQuery } from "../../../src/ipc/server/router.ts";
import type { Schema } from "../../../src/ipc/api/schema.ts";
import { parse } from "../../../src/ipc/api/validate.ts";
import { equalBytes } from "../../../src/protocol/crypto/constant_time.ts";
import { toUtf8 } from "../../../src/protocol/crypto/encoding.ts";
import { KeyPair } from "../../../src/protocol/crypto/keys.ts";
import {
  encodeIdentityFile,
  parseIdentityFile,
} from "../../../src/protocol/identity/identity_file.ts";
import { peerCodeFromBytes } from "../../../src/protocol/signal/peer_code.ts";
import { collisionKey, numberedName, safeName } from "../../../src/storage/inbox/safe_name.ts";
import { parseJournal } from "../../../src/storage/journal.ts";
import {
  formatLine,
  isTransferRecord,
  JOURNAL_HEADER,
  type TransferRecord,
} from "../../../src/storage/journal_record.ts";
import {
  formatPeers,
  formatTrust,
  parsePeers,
  parseTrust,
} from "../../../src/storage/trust_file.ts";
import type { Rng } from "./rng.ts";
import { type AnyTarget, bytesTarget, mayRefuse, textTarget } from "./fuzz_target.ts";
import { concat, mutateBytes, mutateJson, mutateJsonText, mutateText } from "./mutations.ts";

const [A, B] = ["ab".repeat(32), "cd".repeat(32)];
const TRUST = [{ version: 1, peers: { [A]: "allow_always", [B]: "deny_always" } }];
const CODES = { ALICE1: { identity: A, deviceName: "phone", seenAt: 5 } };
const PEERS = [
  { version: 1, codes: CODES, autoAccept: [A] },
  { version: 2, codes: CODES, autoAccept: [A], proven: [A] },
  {
    version: 2,
    ...{ codes: CODES, autoAccept: [A], proven: [A] },
    rules: { [A]: { maxSize: 1, names: "*.pdf", minFree: 1, perDay: 1 } },
    taken: { [A]: { day: 1, files: 1 } },
  },
];
const RECORD: TransferRecord = {
  transferId: "1a".repeat(16),
  direction: "receive",
  peer: A,
  displayName: "photo.jpg",
  savedAs: null,
  size: 100,
  hash: B,
  state: "active",
  bytes: 0,
  hasPart: true,
  error: null,
  createdAt: 1,
  updatedAt: 1,
};

/** A file of JSON: with a broken member or two, or with broken bytes. */
const jsonFile = (rng: Rng, samples: readonly unknown[]) =>
  rng.oneIn(3)
    ? mutateBytes(rng, samples.map((sample) => toUtf8(JSON.stringify(sample))))
    : toUtf8(mutateJsonText(rng, samples));

const HEADER = formatLine("", JOURNAL_HEADER);
const FIRST = formatLine(HEADER.sum, RECORD);
const BEGUN = [HEADER, FIRST];

/** A journal whose sums are right, so that the records are looked at. */
function journalFile(rng: Rng): Uint8Array<ArrayBuffer> {
  const entry: TransferRecord = JSON.parse(JSON.stringify(mutateJson(rng, [RECORD])));
  const bytes = concat([...BEGUN, formatLine(FIRST.sum, entry)].map((line) => line.bytes));
  return rng.oneIn(2) ? bytes : mutateBytes(rng, [bytes]);
}

/** Few secrets, so that their public halves need not be computed anew for each input. */
const IDENTITIES = [1, 2, 3].map((seed) =>
  encodeIdentityFile(KeyPair.generate("identity", (length) => new Uint8Array(length).fill(seed)))
);
const identityFile = (rng: Rng) => {
  const bytes = mutateBytes(rng, IDENTITIES);
  const [known] = IDENTITIES;
  if (bytes.length === 64 && known !== undefined) bytes.set(known.subarray(32), 32);
  return bytes;
};

const PAIR = { room: "r", session: "s", rendezvousUrl: "ws://127.0.0.1:3001", peerId: "bob" };
const BODIES: readonly (readonly [OperationSpec, readonly unknown[]])[] = [
  [OPERATIONS.pair, [
    { signal: "file", role: "offerer", offer: "/tmp/o", answer: "/tmp/a", networkScope: "lan" },
    { signal: "rendezvous", role: "answerer", expectPeer: "alice", ...PAIR, web: true },
    { signal: "rendezvous", role: "offerer", to: "alice", ...PAIR, phaseTimeoutSecs: 5 },
  ]],
  [OPERATIONS.send, [{ paths: ["/a"], identity: A, priority: 1 }, {
    paths: ["/a"],
    sessionId: "s",
  }]],
  [OPERATIONS.trust, [{ decision: "allow_always", replaces: A, sas: "A1B2C3" }]],
  [OPERATIONS.decidePairing, [{ decision: "allow_once", sas: "A1B2C3" }]],
  [OPERATIONS.setAutoAccept, [
    { enabled: true },
    { enabled: true, maxSize: 1, names: "*.pdf", minFree: 1, perDay: 1 },
  ]],
  [OPERATIONS.acceptTransfer, [{ name: "a.txt" }]],
  [OPERATIONS.shutdown, [{ force: true }]],
];
const BODY_CASES = BODIES.flatMap(([{ body }, samples]) =>
  body === undefined ? [] : [{ body, samples }]
);
const TARGETS = [
  ...["GET /v1/status", `GET /v1/peers/${A}`, "GET /v1/sessions/s1", "DELETE /v1/sessions/s1"],
  ...["GET /v1/transfers?limit=5&cursor=abc", "POST /v1/transfers/x/accept", "GET /../etc/passwd"],
  ...["GET /v1/transfers?limit=1&limit=2", "GET /metrics", "TRACE /v1/%73tatus", "GET //v1/status"],
];
const SERVE = [
  ["--data-dir", "/d", "--max-peers=4", "--pairing-policy", "deny", "--device-name", "x"],
  ["--data-dir=/d", "--inbox", "/i", "--max-transfers", "2", "--on-collision", "refuse"],
];
const ONE_SHOT = [
  ["--role", "offerer", "--offer", "-", "--answer=-", "--phase-timeout-secs", "5"],
  ["--role=answerer", "--signal", "rendezvous", "--room", "r", "--session", "s"].concat(
    ["--expect-peer", "al-ice", "--rendezvous-url", "ws://h:1/p", "--network-scope", "lan"],
  ),
];
const NAMES = [
  ...["photo.jpg", "../../etc/passwd", "/etc/passwd", "C:\\x", "\\\\srv\\share", "a\0b", "CON.txt"],
  ...[
    "file.txt:stream",
    "trailing. . ",
    "e\u0301.txt",
    "\u202egpj.exe",
    `${"n".repeat(250)}.tar.gz`,
  ],
  ...["😀".repeat(80), ".hidden", "~root", "-rf", "desktop.ini", "LPT1", "ﬀ.txt", "a\u200db"],
];

/** A command line with some words broken, as one text. */
const commandLine = (rng: Rng, samples: readonly (readonly string[])[]) =>
  mutateText(rng, samples.map((words) => words.join("\x01")));
const wordsOf = (text: string) => text.split("\x01");

/** What reads files, requests to the API, command lines, and names of files. */
export const LOCAL_TARGETS: readonly AnyTarget[] = [
  bytesTarget({
    name: "trust_file",
    make: (rng) => jsonFile(rng, TRUST),
    check(bytes) {
      const pins = parseTrust(bytes);
      if (typeof pins === "string") return false;
      const written = formatTrust(pins);
      const again = parseTrust(written);
      assert(typeof again !== "string" && equalBytes(formatTrust(again), written));
      return true;
    },
  }),
  bytesTarget({
    name: "peers_file",
    make: (rng) => jsonFile(rng, PEERS),
    check(bytes) {
      const peers = parsePeers(bytes);
      if (typeof peers === "string") return false;
      const written = formatPeers(peers);
      const again = parsePeers(written);
      assert(typeof again !== "string" && equalBytes(formatPeers(again), written));
      return true;
    },
  }),
  bytesTarget({
    name: "journal",
    make: journalFile,
    check(bytes) {
      const contents = parseJournal(bytes);
      if (contents === undefined) return false;
      assert(contents.length <= bytes.length);
      for (const record of contents.records.values()) assert(isTransferRecord(record));
      return contents.records.size > 0;
    },
  }),
  bytesTarget({
    name: "identity_file",
    make: identityFile,
    check(bytes) {
      using pair = parseIdentityFile(bytes);
      if (pair === undefined) return false;
      assert(equalBytes(encodeIdentityFile(pair), bytes));
      return true;
    },
  }),
  textTarget({
    name: "api_body",
    make: (rng) => {
      const number = rng.below(BODY_CASES.length);
      return `${number}${mutateJsonText(rng, BODY_CASES[number]?.samples ?? [])}`;
    },
    check(input) {
      const schema: Schema | undefined = BODY_CASES[Number(input.slice(0, 1))]?.body;
      const value = mayRefuse([SyntaxError], () => JSON.parse(input.slice(1)));
      if (schema === undefined) return false;
      return mayRefuse([RequestError], () => parse(schema, value, "body")) !== undefined;
    },
  }),
  textTarget({
    name: "api_target",
    make: (rng) => mutateText(rng, TARGETS),
    check(text) {
      const [method = "", target = ""] = text.split(" ", 2);
      const [path = "", query = ""] = target.split("?", 2);
      const found = mayRefuse([RequestError], () => match(method, path));
      if (found === undefined || !Object.hasOwn(OPERATIONS, found.name)) return false;
      const endpoint: OperationSpec = OPERATIONS[found.name as keyof typeof OPERATIONS];
      mayRefuse([RequestError], () => parseQuery(endpoint, query));
      const checked = mayRefuse([RequestError], () => parsePath(endpoint, found.parameters));
      for (const value of Object.values(checked ?? {})) assert(!/[^\w-]/.test(value));
      return checked !== undefined;
    },
  }),
  textTarget({
    name: "serve_arguments",
    make: (rng) => commandLine(rng, SERVE),
    check(text) {
      const options = mayRefuse([UsageError], () => parseServeOptions(wordsOf(text)));
      if (options === undefined) return false;
      assert(options.maxPeers >= 1 && options.maxPeers <= 1024);
      return true;
    },
  }),
  textTarget({
    name: "one_shot_arguments",
    make: (rng) => commandLine(rng, ONE_SHOT),
    check(text) {
      const id = peerCodeFromBytes(new Uint8Array(4));
      const options = mayRefuse([UsageError], () => parseOneShotOptions(wordsOf(text), () => id));
      if (options === undefined) return false;
      assert(options.phaseTimeoutSecs >= 1);
      return true;
    },
  }),
  textTarget({
    name: "safe_name",
    make: (rng) => mutateText(rng, NAMES),
    check(text) {
      const safe = safeName(text);
      if (!safe.safe) return false;
      const { name } = safe;
      assert(!/[/\\\p{Cc}<>:"|?*\ud800-\udfff]/u.test(name) && name.isWellFormed(), name);
      assert(!/^\.|[. ]$/.test(name), name);
      assert(toUtf8(numberedName(name, 9999)).length <= 255);
      const again = safeName(name);
      assert(again.safe && again.name === name, `${name} does not come out as it went in`);
      assert(collisionKey(name) === collisionKey(name.toUpperCase()));
      return true;
    },
  }),
];
