/**
 * Loads what a command does, and nothing of the others: help and usage errors are shown at once.
 *
 * @module
 */
import type { CommandName } from "../command_table.ts";
import type { RunCommand } from "../context.ts";

const LOADERS: { readonly [name in CommandName]: () => Promise<RunCommand> } = {
  status: async () => (await import("./status.ts")).status,
  identity: async () => (await import("./identity.ts")).identity,
  peers: async () => (await import("./peers.ts")).peers,
  pair: async () => (await import("./pair.ts")).pair,
  link: async () => (await import("./link.ts")).link,
  sessions: async () => (await import("./sessions.ts")).sessions,
  disconnect: async () => (await import("./sessions.ts")).disconnect,
  trust: async () => (await import("./trust.ts")).trust,
  untrust: async () => (await import("./trust.ts")).untrust,
  send: async () => (await import("./send.ts")).send,
  accept: async () => (await import("./offers.ts")).accept,
  reject: async () => (await import("./offers.ts")).reject,
  cancel: async () => (await import("./steer.ts")).cancel,
  pause: async () => (await import("./steer.ts")).pause,
  resume: async () => (await import("./steer.ts")).resume,
  transfers: async () => (await import("./transfers.ts")).transfers,
  received: async () => (await import("./received.ts")).received,
  events: async () => (await import("./events.ts")).events,
  watch: async () => (await import("./watch.ts")).watch,
  shutdown: async () => (await import("./shutdown.ts")).shutdown,
  doctor: async () => (await import("./doctor.ts")).doctor,
  completion: async () => (await import("./completion.ts")).completion,
  help: async () => (await import("./help.ts")).help,
  version: async () => (await import("./version.ts")).version,
};

/** What the command of a name does. */
export function loadCommand(name: CommandName): Promise<RunCommand> {
  return LOADERS[name]();
}
