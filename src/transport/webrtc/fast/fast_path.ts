/**
 * The fast path through the WebRTC library: the same packets, with less work for each.
 *
 * Its layer `fast_association.ts`, our own SCTP sender and receiver, is put over one connection's
 * objects and never over the library's classes. A layer that finds the library not built as expected leaves it as it is, and warns.
 *
 * @module
 */
import project from "../../../../deno.json" with { type: "json" };
import { messageOf } from "../../../base/errors.ts";
import { logFor } from "../../../log/log.ts";
import type { FastPath } from "../fast_path.ts";
import { LIBRARY } from "../library.ts";
import { FastAssociation } from "./fast_association.ts";
import { UnexpectedInside } from "./insides.ts";

/** Which layers are used, so that each can be measured alone. */
export interface FastPathOptions {
  /** Our own SCTP sender and receiver. @default {true} */
  readonly association?: boolean;
  /** Told when a layer is left out although it was asked for. @default A warning in the log. */
  readonly warn?: (message: string) => void;
}

/** Makes a fast path of the layers that are wanted, to be put over each connection. */
export function createFastPath(options: FastPathOptions = {}): FastPath {
  const { association = true } = options;
  const warn = options.warn ?? ((message) => logFor("transport").warn(message));
  const put = (layer: string, wanted: boolean, over: () => void): void => {
    if (!wanted) return;
    try {
      if (project.imports.werift !== LIBRARY) throw new UnexpectedInside(project.imports.werift);
      over();
    } catch (error) {
      warn(`the fast path's ${layer} is off: ${messageOf(error)}`);
    }
  };
  return (target) => {
    put("association", association, () => new FastAssociation(target));
  };
}
