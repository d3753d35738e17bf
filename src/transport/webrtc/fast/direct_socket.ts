/**
 * UDP sockets with less around each datagram.
 *
 * Deno's `node:dgram` makes a new 64 KiB array for each datagram received, and resolves the address
 * and waits for the next tick for each one sent. Here: small arrays, and sends that go straight to
 * the handle below the socket.
 *
 * @module
 */
import type { Socket } from "node:dgram";
import { isIP } from "node:net";
import { hasMembers, UnexpectedInside } from "./insides.ts";

/** Room for any datagram of ours: no path's packet is larger but on loopback and jumbo frames. */
const RECEIVE_ARRAY_BYTES = 2048;

/** The handle of Node's sockets, as far as it is used: `UDPWrap.send`. */
interface UdpHandle {
  send(
    request: object,
    data: readonly Uint8Array[],
    count: number,
    port: number,
    address: string,
    hasCallback: boolean,
  ): number;
  send6: UdpHandle["send"];
}

/**
 * Speeds up a socket that is bound.
 *
 * @throws {UnexpectedInside} When the socket is not built as expected; it is left as it was.
 */
export function useDirectSocket(socket: Socket): void {
  const members = { send: "function", setRecvBufferSize: "function" } as const;
  if (!hasMembers(socket, members)) throw new UnexpectedInside("a UDP socket");
  const handle = handleOf(socket);
  shrinkReceiveArrays(socket);
  const send = socket.send.bind(socket) as (...args: unknown[]) => void;
  let knownHost = "";
  let knownFamily = 0;
  const sendDirectly = (...args: unknown[]): void => {
    const [data, port, host] = args;
    const isPlain = args.length === 3 && data instanceof Uint8Array && typeof port === "number" &&
      typeof host === "string";
    if (!isPlain) return send(...args);
    if (host !== knownHost) {
      knownHost = host;
      knownFamily = isIP(host);
    }
    // The handle copies the bytes before it returns. What a send fails with is a loss, as with UDP.
    if (knownFamily === 4) handle.send({}, [data], 1, port, host, false);
    else if (knownFamily === 6) handle.send6({}, [data], 1, port, host, false);
    else send(...args);
  };
  Object.defineProperty(socket, "send", { value: sendDirectly, configurable: true });
}

/** The handle lies in a member of the state that Node keeps behind a symbol. */
function handleOf(socket: object): UdpHandle {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state: unknown = Reflect.get(socket, symbol);
    if (!hasMembers<{ handle: object }>(state, { handle: "object" })) continue;
    if (hasMembers<UdpHandle>(state.handle, { send: "function", send6: "function" })) {
      return state.handle;
    }
  }
  throw new UnexpectedInside("the handle of a UDP socket");
}

function shrinkReceiveArrays(socket: Socket): void {
  // Linux doubles what is asked for, other systems don't: ask for half first.
  socket.setRecvBufferSize(RECEIVE_ARRAY_BYTES / 2);
  if (socket.getRecvBufferSize() < RECEIVE_ARRAY_BYTES) {
    socket.setRecvBufferSize(RECEIVE_ARRAY_BYTES);
  }
}
