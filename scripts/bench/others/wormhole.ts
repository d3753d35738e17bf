/**
 * magic-wormhole and wormhole-william, with a mailbox server and a transit relay of our own.
 *
 * @module
 */
import { TempFolder } from "../../../tests/support/temp_folder.ts";
import { checkArrived } from "../daemon_pair.ts";
import { freePort, listening, measureEnding, Program } from "./programs.ts";
import { figuresOf, onlyFile, type Tool } from "./tool.ts";

/** Twisted's runner of servers; the two servers are plugins of it. */
const SERVERS = "twist3";
/** Where wormhole-william looks for a transit relay; it can't be told another. */
export const TRANSIT_HOST = "transit.magic-wormhole.io";
const TRANSIT_PORT = 4001;
const CODE = "1-bench-file";

interface Servers {
  readonly mailbox: string;
  readonly transit: string;
}

/** What receives: its arguments, and what is typed at its question. */
interface Receiving {
  readonly args: readonly string[];
  readonly input?: string;
}

/** How an implementation is spelled. */
interface Spelling {
  readonly program: string;
  readonly send: (servers: Servers, path: string) => readonly string[];
  readonly receive: (servers: Servers) => Receiving;
}

const serversOf = ({ mailbox, transit }: Servers) => [
  ...["--relay-url", mailbox],
  ...["--transit-helper", transit],
];

/** The reference implementation, in Python. */
export const MAGIC_WORMHOLE = toolOf("magic-wormhole (Python)", {
  program: "wormhole",
  send: (servers, path) => [
    ...serversOf(servers),
    ...["send", "--hide-progress", "--code", CODE, path],
  ],
  receive: (servers) => ({
    args: [...serversOf(servers), "receive", "--hide-progress", "--accept-file", CODE],
  }),
});

/** The implementation in Go. */
export const WORMHOLE_WILLIAM = toolOf("wormhole-william (Go)", {
  program: "wormhole-william",
  send: ({ mailbox }, path) => [
    ...["--relay-url", mailbox],
    ...["send", "--hide-progress", "--code", CODE, path],
  ],
  receive: ({ mailbox }) => ({
    args: ["--relay-url", mailbox, "receive", "--hide-progress", CODE],
    input: "y\n",
  }),
});

function toolOf(name: string, { program, send, receive }: Spelling): Tool {
  return {
    name,
    programs: [program, SERVERS],
    carry: async (files, signal) => {
      const { path } = onlyFile(files);
      await using folder = await TempFolder.make();
      const cwd = folder.path();
      const port = freePort();
      const endpoint = (port: number) => `--port=tcp:${port}:interface=127.0.0.1`;
      await using _mailbox = new Program(
        SERVERS,
        ["wormhole-mailbox", endpoint(port), "--channel-db=:memory:"],
        { cwd },
      );
      await using _relay = new Program(SERVERS, ["transitrelay", endpoint(TRANSIT_PORT)], { cwd });
      for (const one of [port, TRANSIT_PORT]) await listening(one, signal);
      const servers = {
        mailbox: `ws://127.0.0.1:${port}/v1`,
        transit: `tcp:127.0.0.1:${TRANSIT_PORT}`,
      };
      const { args, input } = receive(servers);
      const settings = { cwd, env: { HOME: cwd } };
      const measured = await measureEnding(signal, () => [
        new Program(program, send(servers, path), settings),
        new Program(program, args, { ...settings, ...input === undefined ? {} : { input } }),
      ]);
      await checkArrived(cwd, files);
      return figuresOf(files.bytes, measured);
    },
  };
}
