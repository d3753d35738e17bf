/**
 * The page: web clients by name, told what to do by the test that opened it.
 *
 * @module
 */
import type { WebClientOptions } from "./options.ts";
import { WebClient } from "./web_client.ts";

const clients = new Map<string, WebClient>();

function client(name: string): WebClient {
  const found = clients.get(name);
  if (found === undefined) throw new Error(`there is no web client ${name}`);
  return found;
}

Object.assign(globalThis, {
  bolt: {
    begin: (name: string, options: WebClientOptions) => {
      clients.set(name, new WebClient(options));
    },
    client,
    forget: (name: string) => {
      clients.get(name)?.close();
      clients.delete(name);
    },
  },
});
