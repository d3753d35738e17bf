/**
 * The stage that something is in: one of a union, distinguished by `name`. Code that runs from
 * stage to stage waits here until one is left, whoever ends it.
 *
 * @module
 */

/** Holds one stage at a time, and tells when it changes. */
export class StageCell<S extends { readonly name: string }> {
  #current: S;
  #entered = Promise.withResolvers<void>();

  /** Begins in a stage. */
  constructor(first: S) {
    this.#current = first;
  }

  /** The present stage. */
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
  async after<N extends S["name"]>(
    ...names: readonly N[]
  ): Promise<Exclude<S, { readonly name: N }>> {
    const isAfter = (stage: S): stage is Exclude<S, { readonly name: N }> =>
      !names.some((name) => name === stage.name);
    for (;;) {
      const stage = this.#current;
      if (isAfter(stage)) return stage;
      await this.#entered.promise;
    }
  }
}
