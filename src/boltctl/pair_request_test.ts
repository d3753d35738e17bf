import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { PairRequest } from "../ipc/api/schemas.ts";
import { is } from "../ipc/api/validate.ts";
import { readCommandLine } from "./command_line.ts";
import { readPairRequest } from "./pair_request.ts";

const read = (line: string) =>
  readPairRequest(
    readCommandLine(["pair", ...line.split(" ").filter((word) => word !== "")]).flags,
    (path) => `/cwd/${path}`,
  );
const MEET = "--signal rendezvous --rendezvous-url ws://h:3001 --room r --session s";

Deno.test("flags become a request that the daemon's own schema takes", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ["--role offerer --offer o --answer a", {
      role: "offerer",
      signal: "file",
      offer: "/cwd/o",
      answer: "/cwd/a",
    }],
    [
      "--role answerer --signal file --offer o --answer a --network-scope overlay " +
      "--phase-timeout-secs 7 --transport tcp",
      {
        role: "answerer",
        signal: "file",
        offer: "/cwd/o",
        answer: "/cwd/a",
        networkScope: "overlay",
        phaseTimeoutSecs: 7,
        transport: "tcp",
      },
    ],
    [`--role offerer --offer o --answer a --identity ${"AB".repeat(32)}`, {
      role: "offerer",
      signal: "file",
      offer: "/cwd/o",
      answer: "/cwd/a",
      expectIdentity: "ab".repeat(32),
    }],
    ["--role answerer --offer o --answer a --signal-owner own", {
      role: "answerer",
      signal: "file",
      offer: "/cwd/o",
      answer: "/cwd/a",
      signalOwner: "own",
    }],
    [`--role offerer ${MEET} --to b-o-b --peer-id me --web`, {
      role: "offerer",
      to: "bob",
      signal: "rendezvous",
      rendezvousUrl: "ws://h:3001/",
      room: "r",
      session: "s",
      peerId: "me",
      web: true,
    }],
    [`--role offerer ${MEET} --to bob --web --web-consent off`, {
      role: "offerer",
      to: "bob",
      signal: "rendezvous",
      rendezvousUrl: "ws://h:3001/",
      room: "r",
      session: "s",
      web: true,
      webConsent: "off",
    }],
    [`--role answerer ${MEET} --expect-peer alice`, {
      role: "answerer",
      expectPeer: "alice",
      signal: "rendezvous",
      rendezvousUrl: "ws://h:3001/",
      room: "r",
      session: "s",
    }],
  ];
  for (const [line, expected] of cases) {
    const request = read(line);
    assertEquals(request, expected);
    assertEquals(is(PairRequest, request), true, line);
  }
});

Deno.test("without --role a request is answered, and a session's flags are refused", () => {
  assertEquals(read("--sas A1B2C3"), undefined);
  assertThrows(() => read("--room r"), UsageError, "--room needs --role");
});

Deno.test("what has no meaning, is missing, or can't be right is refused by its flag", () => {
  const wrong: readonly (readonly [string, string])[] = [
    ["--role offerer --deny", "--deny answers a request"],
    ["--role offerer --offer o", "--answer PATH is missing"],
    ["--role offerer --offer - --answer a", "--offer takes the path of a file, not standard"],
    ["--role answerer --offer o --answer -", "--answer takes the path of a file, not standard"],
    ["--role offerer --offer o --answer a --to bob", "--to needs --signal rendezvous"],
    [`--role offerer ${MEET}`, "--to CODE is missing"],
    [`--role offerer ${MEET} --to bob --offer o`, "--offer needs --signal file"],
    [`--role offerer ${MEET} --to bob --signal-owner own`, "--signal-owner needs --signal file"],
    [`--role offerer ${MEET} --to bob --expect-peer a`, "--expect-peer is the answerer's"],
    [
      `--role offerer ${MEET} --to bob --web --identity ${"ab".repeat(32)}`,
      "--identity does not go with a web client",
    ],
    [`--role offerer ${MEET} --to bob --web --transport tcp`, "--transport does not go with a web"],
    [`--role offerer ${MEET} --to bob --transport sctp`, "--transport takes one of auto, udp, tcp"],
    ["--transport udp", "--transport needs --role"],
    [`--role offerer ${MEET} --to bob --web-consent on`, "--web-consent needs a web client"],
    [`--role answerer ${MEET} --expect-peer a --web --web-consent on`, "--web-consent needs"],
    [
      `--role offerer ${MEET} --to bob --web --web-consent ask`,
      "--web-consent takes one of on, off",
    ],
    ["--deny --accept-files", "--accept-files is for a peer that is let in"],
    [
      `--role offerer ${MEET} --to bob --accept-files --identity ${"ab".repeat(32)}`,
      "--accept-files does not go with --identity",
    ],
    [`--role answerer ${MEET} --to bob`, "--to is the offerer's"],
    [`--role offerer ${MEET} --to b_b`, "--to takes 1 to 16 ASCII letters and digits"],
    [`--role offerer ${MEET.replace("ws:", "http:")} --to bob`, "ws:// or wss://"],
  ];
  for (const [line, message] of wrong) assertThrows(() => read(line), UsageError, message);
});
