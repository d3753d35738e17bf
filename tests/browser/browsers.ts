/**
 * The browsers of this machine.
 *
 * @module
 */
import type { Browser, BrowserOptions } from "../../scripts/interop/browser.ts";
import { Chromium, findChromium } from "../../scripts/interop/chromium.ts";
import { findFirefox, Firefox } from "../../scripts/interop/firefox.ts";
import { skipped } from "../support/skipped.ts";

/** A browser that may be installed. */
export interface Installed {
  /** What people call it. */
  readonly name: string;
  /** The program; undefined where there is none. */
  readonly program: string | undefined;
  /** Starts it. */
  start(options: BrowserOptions): Promise<Browser>;
}

async function installed(
  name: string,
  find: () => Promise<string | undefined>,
  start: (program: string, options: BrowserOptions) => Promise<Browser>,
): Promise<Installed> {
  const program = await find();
  if (program === undefined) skipped(`web clients in ${name}: it is not installed`);
  return { name, program, start: (options) => start(program ?? name, options) };
}

/** Chromium. */
export const CHROMIUM: Installed = await installed("Chromium", findChromium, Chromium.start);
/** Firefox. */
export const FIREFOX: Installed = await installed("Firefox", findFirefox, Firefox.start);
