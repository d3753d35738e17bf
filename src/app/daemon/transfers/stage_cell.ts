/**
 * The stage that something is in: one of a union, told apart by `name`. Code that runs from stage to
 * stage waits here until one is left, whoever ends it.
 *
 * @module
 */

/** See the module's text. */
export class StageCell<S extends { readonly name: string }> {
  #current: S;
  #entered = Promise.withResolvers<void>();

  /** Begins in a stage. */
  constructor(first: S) {
    this.#current = first;
  }

  /** The stage now. */
  get current(): S {
    return this.#current;
  }

  /** Goes on to a stage; the same one again wakes those who wait for it to change. */
  enter(stage: S): void {
    this.#current = stage;
    this.#entered.resolve();
    this.#entered = Promise.withResolvers<void>();
  }

  /** Resolves when a stage is entered next. */
  entered(): Promise<void> {
    return this.#entered.promise;
  }

  /** Resolves with the stage when it is none of these: at once when it is none now. */
  async after<N extends S["name"]>(...names: readonly N[]): Promise<After<S, N>> {
    let stage = this.#current;
    while (!isAfter(stage, names)) {
      await this.#entered.promise;
      stage = this.#current;
    }
    return stage;
  }
}

/** The stages of a union that have none of these names. */
export type After<S, N> = Exclude<S, { readonly name: N }>;

function isAfter<S extends { readonly name: string }, N>(
  stage: S,
  names: readonly N[],
): stage is After<S, N> {
  return !names.some((name) => name === stage.name);
}
