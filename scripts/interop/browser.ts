/**
 * What a test has of a browser, whichever it is.
 *
 * @module
 */

/** How a browser is started. */
export interface BrowserOptions {
  /**
   * Whether candidates have `.local` names, which no network scope lets in, in place of addresses.
   */
  readonly hidesAddresses: boolean;
}

/** A browser. Disposing it ends it. */
export interface Browser extends AsyncDisposable {
  /** Opens a page that has loaded when this resolves. */
  open(url: string): Promise<BrowserPage>;
}

/** A page in a browser. Disposing it closes it. */
export interface BrowserPage extends AsyncDisposable {
  /** What its scripts threw and nobody caught. */
  readonly errors: readonly string[];
  /** Loads it anew: whatever its scripts had is gone. */
  reload(): Promise<void>;
  /**
   * Has an expression computed, and waits for its promise.
   *
   * @returns Its value, which must be one that JSON can hold.
   */
  evaluate(expression: string): Promise<unknown>;
}
