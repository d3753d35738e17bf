/**
 * A value is taken, and normalised, or refused alike wherever it is written: as a flag of the one-shot
 * program, as a member of the local API, as a flag of boltctl.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { UsageError } from "../../src/base/errors.ts";
import { readCommandLine } from "../../src/boltctl/command_line.ts";
import { readPairRequest } from "../../src/boltctl/pair_request.ts";
import { parseOneShotOptions } from "../../src/cli/one_shot_options.ts";
import { callOperation, type OperationRequest } from "../../src/ipc/server/call_operation.ts";
import { RequestError } from "../../src/ipc/api/problem.ts";
import { FakeDaemon, OFFER_ID, PEER_IDENTITY } from "../../src/ipc/testing/served_fake.ts";
import { normalizePeerCode } from "../../src/protocol/signal/peer_code.ts";
import { givenName, identityKey, sas } from "../../src/vocabulary/session_values.ts";

/** What becomes of a value: it is refused, or taken as this. */
type Outcome = "refused" | { readonly taken: unknown };

/** The member of an object, where it has it. */
const member = (object: unknown, name: string): unknown =>
  typeof object === "object" && object !== null ? Reflect.get(object, name) : undefined;

async function outcomeOf(read: () => unknown): Promise<Outcome> {
  try {
    return { taken: await read() };
  } catch (error) {
    if (error instanceof UsageError || error instanceof RequestError) return "refused";
    throw error;
  }
}

/** What the daemon is asked for by a request to the API. */
async function asked(
  { identity = PEER_IDENTITY, ...request }: Pick<OperationRequest, "name" | "body"> & {
    readonly identity?: string;
  },
): Promise<unknown> {
  const daemon = new FakeDaemon();
  const { signal } = new AbortController();
  const parameters = { pairingId: "p1", identity, transferId: OFFER_ID };
  await callOperation(daemon, { ...request, parameters, query: "", signal });
  const call = daemon.calls.at(-1) ?? "";
  return JSON.parse(call.slice(call.indexOf("(") + 1, -1));
}

const ownCode = () => normalizePeerCode("own") ?? fail("no code");
const fail = (message: string): never => {
  throw new Error(message);
};

/** A value of a pair request: its flag, its member, and the options' own name for it. */
interface PairValue {
  readonly flag: string;
  readonly member: string;
  readonly option: string;
  /** The rest of the line, as flags; a flag that is tested is left out of it. */
  readonly rest: Readonly<Record<string, string>>;
}

const FILES = { role: "offerer", signal: "file", offer: "/o", answer: "/a" };
const MEETING = {
  role: "offerer",
  signal: "rendezvous",
  "rendezvous-url": "ws://h/",
  room: "r",
  session: "s",
  to: "bob",
};
const { to: _, ...NOBODY } = MEETING;
const ANSWERING = { ...NOBODY, role: "answerer", "expect-peer": "bob" };

const camel = (flag: string): string =>
  flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

const value = (
  flag: string,
  rest: PairValue["rest"],
  option: string = camel(flag),
): PairValue => ({ flag, member: camel(flag), option, rest });

/** What the text is in JSON: a number where it is one, for the members that are numbers. */
function jsonOf({ flag }: PairValue, text: string): unknown {
  return flag.endsWith("-secs") && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

const flagsOf = ({ flag, rest }: PairValue, text: string): string[] =>
  Object.entries({ ...rest, [flag]: text }).map(([name, value]) => `--${name}=${value}`);

async function pairOutcomes(kind: PairValue, text: string): Promise<Record<string, Outcome>> {
  const flags = flagsOf(kind, text);
  const body = {
    ...Object.fromEntries(Object.entries(kind.rest).map(([flag, rest]) => [camel(flag), rest])),
    [kind.member]: jsonOf(kind, text),
  };
  return {
    "one-shot flags": await outcomeOf(() =>
      member(parseOneShotOptions(flags, ownCode), kind.option)
    ),
    "local API": await outcomeOf(async () =>
      member(await asked({ name: "pair", body }), kind.member)
    ),
    boltctl: await outcomeOf(() =>
      member(
        readPairRequest(readCommandLine(["pair", ...flags]).flags, (path) => path),
        kind.member,
      )
    ),
  };
}

const REFUSED = "refused";
const taken = (as: unknown): Outcome => ({ taken: as });

/** Texts that are refused for every choice. */
const NO_CHOICE: readonly [string, Outcome][] = ["Lan", "own ", "", "constructor", "file,any"]
  .map((text) => [text, REFUSED]);
const chosen = (...words: string[]): readonly [string, Outcome][] => [
  ...words.map((word): [string, Outcome] => [word, taken(word)]),
  ...NO_CHOICE,
];

const NAMES: readonly [string, Outcome][] = [
  ["r", taken("r")],
  ["living room", taken("living room")],
  ["x".repeat(129), taken("x".repeat(129))],
  ["x".repeat(200), taken("x".repeat(200))],
  ["x".repeat(256), taken("x".repeat(256))],
  ["x".repeat(257), REFUSED],
  ["😀".repeat(256), taken("😀".repeat(256))],
  ["😀".repeat(257), REFUSED],
  ["", REFUSED],
  ["a\nb", REFUSED],
  ["a\u0000b", REFUSED],
  ["a\u0085b", REFUSED],
  ["a\ud800", REFUSED],
];

const CODES: readonly [string, Outcome][] = [
  ["alice", taken("alice")],
  ["b-o-b-2", taken("bob2")],
  ["-x-", taken("x")],
  ["A".repeat(16), taken("A".repeat(16))],
  [`a${"-".repeat(80)}`, taken("a")],
  ["A".repeat(17), REFUSED],
  ["-", REFUSED],
  ["", REFUSED],
  ["a b", REFUSED],
  ["a_b", REFUSED],
  ["é", REFUSED],
];

const URLS: readonly [string, Outcome][] = [
  ["ws://h", taken("ws://h/")],
  ["WSS://Relay.example:443/path?x=1", taken("wss://relay.example/path?x=1")],
  ["ws://[::1]:3001", taken("ws://[::1]:3001/")],
  [`ws://h/${"x".repeat(3000)}`, taken(`ws://h/${"x".repeat(3000)}`)],
  [" ws://h/a b ", taken("ws://h/a%20b")],
  ["ws://u:p@h", REFUSED],
  ["ws://u@h", REFUSED],
  ["ws://h/#f", REFUSED],
  ["http://h", REFUSED],
  ["h:3001", REFUSED],
  ["ws://", REFUSED],
  ["ws://h:99999", REFUSED],
  ["", REFUSED],
];

const SECONDS: readonly [string, Outcome][] = [
  ["1", taken(1)],
  ["30", taken(30)],
  ["86400", taken(86_400)],
  ["86401", taken(86_401)],
  ["9007199254740", taken(9_007_199_254_740)],
  ["9007199254741", REFUSED],
  ["0", REFUSED],
  ["-1", REFUSED],
  ["1.5", REFUSED],
  ["soon", REFUSED],
  ["", REFUSED],
];

const PAIR_VALUES: readonly (readonly [PairValue, readonly [string, Outcome][]])[] = [
  [value("role", FILES), [
    ["offerer", taken("offerer")],
    ["answerer", taken("answerer")],
    ...NO_CHOICE,
  ]],
  [value("signal", FILES), [["file", taken("file")], ...NO_CHOICE]],
  [value("signal", MEETING), [["rendezvous", taken("rendezvous")], ...NO_CHOICE]],
  [value("signal-owner", FILES, "owner"), chosen("own", "any")],
  [value("network-scope", FILES, "scope"), chosen("lan", "overlay", "global")],
  [value("network-scope", MEETING, "scope"), chosen("lan", "overlay", "global")],
  [value("phase-timeout-secs", FILES), SECONDS],
  [value("phase-timeout-secs", MEETING), SECONDS],
  [value("rendezvous-url", MEETING, "url"), URLS],
  [value("room", MEETING), NAMES],
  [value("session", MEETING), NAMES],
  [value("to", MEETING, "remote"), CODES],
  [value("expect-peer", ANSWERING, "remote"), CODES],
  [value("peer-id", MEETING, "self"), [...CODES, ["bob", REFUSED], ["b-ob", REFUSED]]],
  [value("peer-id", ANSWERING, "self"), [...CODES, ["bob", REFUSED]]],
];

for (const [kind, texts] of PAIR_VALUES) {
  Deno.test(`--${kind.flag} with --signal ${kind.rest["signal"]}, --role ${kind.rest["role"]}: flags, API and boltctl agree`, async () => {
    const expected: Record<string, Record<string, Outcome>> = {};
    const found: typeof expected = {};
    for (const [text, outcome] of texts) {
      const shown = JSON.stringify(text.slice(0, 40)) + ` (${text.length})`;
      expected[shown] = { "one-shot flags": outcome, "local API": outcome, boltctl: outcome };
      found[shown] = await pairOutcomes(kind, text);
    }
    assertEquals(found, expected);
  });
}

Deno.test("a SAS is read by the API as by boltctl", async () => {
  const texts: readonly [string, Outcome][] = [
    ["A1B2C3", taken("A1B2C3")],
    ["a1b2c3", taken("A1B2C3")],
    ["a1 b2 c3", taken("A1B2C3")],
    ["A1B2C", REFUSED],
    ["A1B2C3D", REFUSED],
    ["G1B2C3", REFUSED],
    ["", REFUSED],
  ];
  for (const [text, outcome] of texts) {
    const replaces = "0".repeat(64);
    const body = { decision: "allow_always", replaces, sas: text };
    const found = {
      api: await outcomeOf(async () => {
        return member(await asked({ name: "trust", body }), "sas");
      }),
      boltctl: await outcomeOf(() =>
        readCommandLine(["pair", `--sas=${text}`]).flags.value("sas", sas)
      ),
    };
    assertEquals(found, { api: outcome, boltctl: outcome }, text);
  }
});

const KEY = "0123456789abcdef".repeat(4);
const KEYS: readonly [string, Outcome][] = [
  [KEY, taken(KEY)],
  [KEY.toUpperCase(), taken(KEY)],
  [KEY.slice(1), REFUSED],
  [`${KEY}0`, REFUSED],
  [` ${KEY}`, REFUSED],
  [`g${KEY.slice(1)}`, REFUSED],
  ["", REFUSED],
];

Deno.test("an identity key is read by each operation of the API that takes one, and by boltctl", async () => {
  const decision = "allow_always";
  const trusting = { decision, name: "carol" };
  for (const [text, outcome] of KEYS) {
    const called = async (request: Parameters<typeof asked>[0], name: string) =>
      await outcomeOf(async () => member(await asked(request), name));
    const found = {
      expectIdentity: await called(
        { name: "pair", body: { ...FILES, expectIdentity: text } },
        "expectIdentity",
      ),
      replaces: await called({ name: "trust", body: { ...trusting, replaces: text } }, "replaces"),
      path: await called({ name: "trust", body: trusting, identity: text }, "identity"),
      receiver: await called({ name: "send", body: { identity: text, paths: ["/f"] } }, "identity"),
      "boltctl pair": await outcomeOf(() =>
        readCommandLine(["pair", `--identity=${text}`]).flags.value("identity", identityKey)
      ),
      "boltctl trust": await outcomeOf(() =>
        readCommandLine(["trust", "bob", `--replaces=${text}`]).flags.value("replaces", identityKey)
      ),
    };
    const everywhere = Object.fromEntries(Object.keys(found).map((where) => [where, outcome]));
    assertEquals<unknown>(found, everywhere, text);
  }
});

const NAMES_GIVEN: readonly [string, Outcome][] = [
  ["carol", taken("carol")],
  ["Carol's", REFUSED],
  ["e\u0301va", taken("\u00e9va")],
  ["carol 2", taken("carol 2")],
  ["carol  2", REFUSED],
  [" carol", REFUSED],
  ["carol ", REFUSED],
  ["x".repeat(64), taken("x".repeat(64))],
  ["x".repeat(65), REFUSED],
  [KEY, REFUSED],
  [KEY.toUpperCase(), REFUSED],
  ["a\u200bb", REFUSED],
  ["", REFUSED],
];

Deno.test("a name that people give is read by the API as by boltctl", async () => {
  for (const [text, outcome] of NAMES_GIVEN) {
    const body = { decision: "allow_always", name: text };
    const found = {
      api: await outcomeOf(async () => member(await asked({ name: "trust", body }), "name")),
      boltctl: await outcomeOf(() =>
        readCommandLine(["trust", "bob", `--name=${text}`]).flags.value("name", givenName)
      ),
    };
    assertEquals(found, { api: outcome, boltctl: outcome }, text);
  }
});

Deno.test("priorities of a send are read by the API as by boltctl", async () => {
  for (const text of ["-101", "-100", "0", "7", "100", "101", "1.5", "high"]) {
    const priority = /^-?[\d.]+$/.test(text) ? Number(text) : text;
    const body = { identity: PEER_IDENTITY, paths: ["/f"], priority };
    const found = {
      api: await outcomeOf(async () => member(await asked({ name: "send", body }), "priority")),
      boltctl: await outcomeOf(() =>
        readCommandLine(["send", "f", `--priority=${text}`]).flags.integer("priority")
      ),
    };
    const good = Number(text) >= -100 && Number(text) <= 100 && Number.isInteger(Number(text));
    const outcome = good ? taken(Number(text)) : REFUSED;
    assertEquals(found, { api: outcome, boltctl: outcome }, text);
  }
});
