/**
 * TCP sockets as the system sees them, and what descriptions say of them.
 *
 * @module
 */
import { abortable } from "../../src/base/deadline.ts";
import { judgeCandidate } from "../../src/protocol/network_scope/candidate.ts";
import { parseDescription } from "../../src/protocol/network_scope/sdp.ts";
import type { SignalBundle } from "../../src/protocol/signal/bundle.ts";

/** Where a description's TCP connections are taken. */
export function listenerOf(
  { description: { sdp, sdpType } }: SignalBundle,
): { hostname: string; port: number } {
  const { candidateLines } = parseDescription(sdp, sdpType);
  const tcp = candidateLines.map((line) => judgeCandidate(line, "global").candidate)
    .find((candidate) => candidate?.transport === "tcp");
  if (tcp === undefined) throw new Error("no TCP candidate is offered");
  return { hostname: tcp.address, port: tcp.port };
}

/** Puts a port in the place of a listener's, or takes it away; UDP's candidates stay. */
export function through(bundle: SignalBundle, port: number | undefined): SignalBundle {
  const edit = (text: string) =>
    text.replaceAll(
      /^(a=)?(candidate:\S+ 1 TCP \d+ \S+) \d+ (typ host tcptype) passive/gm,
      (_, a = "", head, tail) =>
        port === undefined ? `${a}${head} 9 ${tail} active` : `${a}${head} ${port} ${tail} passive`,
    );
  const { description: { sdpType, sdp }, candidates } = bundle;
  return {
    description: { sdpType, sdp: edit(sdp) },
    candidates: candidates.map((one) => ({ ...one, candidate: edit(one.candidate) })),
  };
}

interface TcpSocket {
  readonly ports: readonly number[];
  readonly isListening: boolean;
  /** Names it among the files of the program that has it; 0 when only the system does. */
  readonly inode: string;
}

/** The sockets that this process has. */
async function ownInodes(): Promise<Set<string>> {
  const own = new Set<string>();
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
    const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
    if (inode !== undefined) own.add(inode);
  }
  return own;
}

async function sockets(): Promise<TcpSocket[]> {
  const all: TcpSocket[] = [];
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of (await Deno.readTextFile(table).catch(() => "")).split("\n").slice(1)) {
      const [, local, remote, state, , , , , , inode = "0"] = line.trim().split(/\s+/);
      if (local === undefined || remote === undefined) continue;
      const ports = [local, remote].map((end) => parseInt(end.split(":")[1] ?? "", 16));
      all.push({ ports, isListening: state === "0A", inode });
    }
  }
  return all;
}

/** The local ports that somebody listens at. */
export async function listening(): Promise<Set<number>> {
  const all = (await sockets()).filter(({ isListening }) => isListening);
  return new Set(all.map(({ ports: [local = 0] }) => local));
}

/** Resolves when nobody listens there: the system closes a socket a moment after its program did. */
export function isFree(port: number, signal: AbortSignal): Promise<void> {
  return until(async () => !(await listening()).has(port), signal);
}

/** Resolves when this process has no socket with one of these ports at either end. */
export function areUnused(ports: readonly number[], signal: AbortSignal): Promise<void> {
  return until(async () => {
    const own = await ownInodes();
    return !(await sockets()).some((socket) =>
      own.has(socket.inode) && socket.ports.some((port) => ports.includes(port))
    );
  }, signal);
}

async function until(isMet: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!await isMet()) {
    await abortable(new Promise((resolve) => setTimeout(resolve, 10)), signal);
  }
}
