import { assert, assertEquals, assertThrows } from "@std/assert";
import { Connection } from "werift";
import { TransportError } from "../../../base/errors.ts";
import type { InterfaceAddress } from "./local_addresses.ts";
import { judgeLocalAddresses } from "./local_addresses.ts";
import { LocalSockets } from "./local_sockets.ts";
import { mayBind } from "./udp_socket.ts";

/** Sockets of a connection. Disposing closes them. */
function make() {
  const connection = new Connection(true, {});
  const guarded: string[] = [];
  const protocols: object[] = [];
  const sockets = new LocalSockets(connection, {
    onSocket: (protocol, socket) => {
      protocols.push(protocol);
      guarded.push(socket.address.address);
    },
    onFailure: (error) => {
      throw error;
    },
  });
  /** Has data go by the nth socket. */
  const nominate = (n: number) =>
    Object.assign(connection, { nominated: { protocol: protocols[n] } });
  return {
    connection,
    guarded,
    nominate,
    sockets,
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

const bound = (sockets: LocalSockets) => sockets.all.map(({ address }) => address.address);
const at = (...addresses: readonly string[]) => addresses.map((address) => ({ address }));

Deno.test("there is a socket on each address, guarded, with a candidate of its own, the likeliest first", async () => {
  await using one = make();
  one.sockets.open(at("127.0.0.1", "127.0.0.2", "::1"));
  assertEquals(bound(one.sockets), ["127.0.0.1", "127.0.0.2", "::1"]);
  assertEquals(one.guarded, bound(one.sockets));
  const { offered } = one.sockets;
  assertEquals(offered.map(({ address }) => address), bound(one.sockets));
  assertEquals(offered.map(({ port }) => port), one.sockets.all.map(({ address }) => address.port));
  assert(offered.every(({ priority }, i) => i === 0 || priority < (offered[i - 1]?.priority ?? 0)));
});

Deno.test("an address that the system refuses is not offered, the others are", async () => {
  await using one = make();
  one.sockets.open(at("203.0.113.5", "127.0.0.1"));
  assertEquals(one.sockets.offered.map(({ address }) => address), ["127.0.0.1"]);
});

Deno.test("when every address is refused, the reason is told", async () => {
  await using one = make();
  const error = assertThrows(() => one.sockets.open(at("203.0.113.5")), TransportError);
  assertEquals([error.code, error.message], [
    "SETUP_FAILED",
    "no UDP socket can be opened: this machine does not have that address",
  ]);
});

Deno.test("without any address nothing is opened, and nothing is wrong", async () => {
  await using one = make();
  one.sockets.open([]);
  assertEquals([one.sockets.offered, one.sockets.all], [[], []]);
});

Deno.test("an address that is new gets a socket, one that has gone loses it, again and again", async () => {
  await using one = make();
  one.sockets.open(at("127.0.0.1", "127.0.0.2"));
  assertEquals(one.sockets.renew(at("127.0.0.1", "127.0.0.2")), false);
  assertEquals(one.sockets.renew(at("127.0.0.2", "127.0.0.3")), true);
  assertEquals(bound(one.sockets), ["127.0.0.2", "127.0.0.3"]);
  for (let i = 4; i < 50; i++) one.sockets.renew(at(`127.0.0.${i}`));
  assertEquals(bound(one.sockets), ["127.0.0.49"]);
  assertEquals(one.connection.localCandidates.length, 0, "nothing is kept of those that have gone");
  assertEquals(one.sockets.renew(at("203.0.113.5", "127.0.0.49")), false);
  assertEquals(one.guarded.length, 2 + 1 + 46);
});

Deno.test("the socket in use stays when its address has gone, which is told", async () => {
  await using one = make();
  one.sockets.open(at("127.0.0.1", "127.0.0.2"));
  assertEquals(one.sockets.hasLost(at("127.0.0.9")), false, "none is in use");
  one.nominate(1);
  assertEquals(one.sockets.hasLost(at("127.0.0.2")), false);
  assertEquals(one.sockets.hasLost(at("127.0.0.1")), true);
  one.sockets.renew(at("127.0.0.3"));
  assertEquals(bound(one.sockets), ["127.0.0.2", "127.0.0.3"]);
  // It came back: there is a socket already.
  assertEquals(one.sockets.renew(at("127.0.0.2", "127.0.0.3")), false);
});

Deno.test("what the flags allow can be asked without anybody being asked", () => {
  assertEquals(mayBind("127.0.0.1"), true);
  assertEquals(mayBind("fe80::1"), true);
});

/** Runs code of this folder in a program with these permissions; what it prints. */
async function underFlags(flags: readonly string[], code: string): Promise<string[]> {
  const here = new URL(".", import.meta.url).href;
  const script = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      script,
      `import { setupLog, flushLog } from "${here}../../../log/log.ts";\n` +
        `import { Connection } from "werift";\n` +
        `import { LocalSockets } from "${here}local_sockets.ts";\nsetupLog({});\n` +
        `const connection = new Connection(true, {});\n` +
        `const sockets = new LocalSockets(connection, ` +
        `{ onSocket: () => {}, onFailure: console.error });\n` +
        `try {\n${code}\n} catch (error) { console.log(error.message); }\n` +
        `await connection.close();\nawait flushLog();\n`,
    );
    const config = `${import.meta.dirname}/../../../../deno.json`;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--ignore-env", "--allow-sys=networkInterfaces"],
        ...[`--config=${config}`, ...flags, script],
      ],
      env: { DENO_NO_UPDATE_CHECK: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return `${text(stdout)}${text(stderr)}`.split("\n").filter((line) => line !== "");
  } finally {
    await Deno.remove(script);
  }
}

const OPEN =
  `sockets.open([{ address: "127.0.0.1" }, { address: "127.0.0.2" }, { address: "::1" }]);
console.log(sockets.all.map(({ address }) => address.address).join(" "));
console.log(sockets.offered.map(({ address }) => address).join(" "));`;

Deno.test("where the flags name only all addresses, one socket of a family serves them all, with a warning", async () => {
  const lines = await underFlags(["--allow-net=0.0.0.0:0,[::]:0"], OPEN);
  assertEquals(lines.slice(0, 2), ["0.0.0.0 ::", "127.0.0.1 127.0.0.2 ::1"]);
  assertEquals(lines.length, 3, "one warning");
  assert(lines[2]?.includes("one socket takes what comes to any address"), lines[2]);
  assert(lines[2]?.includes("list this machine's addresses in --allow-net too"), lines[2]);
});

Deno.test("where the flags name some addresses, those have sockets of their own", async () => {
  const lines = await underFlags(["--allow-net=127.0.0.0/8"], OPEN);
  assertEquals(lines.slice(0, 2), ["127.0.0.1 127.0.0.2", "127.0.0.1 127.0.0.2"]);
});

Deno.test("where the flags allow no socket, the reason is told", async () => {
  const lines = await underFlags(["--allow-net=192.0.2.1"], OPEN);
  assertEquals(lines, [
    "no UDP socket can be opened: the program was started without the permission for the network",
  ]);
});

/** A machine's interface with a link-local address. */
const LINK_LOCAL: InterfaceAddress = { name: "eth7", address: "fe80::1", scopeid: 7 };

Deno.test("a link-local address of IPv6 is bound with the interface that it belongs to", () => {
  const [one] = judgeLocalAddresses([LINK_LOCAL], "lan");
  assertEquals([one?.address, one?.zone], ["fe80::1", "7"]);
  const { scopeid: _, ...withoutNumber } = LINK_LOCAL;
  const [other] = judgeLocalAddresses([withoutNumber], "lan");
  assertEquals(other?.zone, "eth7");
  const [global] = judgeLocalAddresses([{ ...LINK_LOCAL, address: "fd00::1" }], "lan");
  assertEquals(global?.zone, undefined);
});
