import { assertEquals } from "@std/assert";
import { CONSENT_MS, TCP_MOVING_SILENCE_MS, TCP_SILENCE_MS } from "../../../base/timing.ts";
import { LinkWatch } from "./link_watch.ts";

/** A watch whose looks a test takes. */
function watching(answers: () => boolean = () => false) {
  const link = {
    writtenBytes: 0,
    checks: 0,
    check() {
      this.checks++;
      this.writtenBytes += 100;
      return Promise.resolve(answers());
    },
  };
  let gone = 0;
  const watch = new LinkWatch(link, { onGone: () => gone++, lookMs: 2 ** 30 });
  return {
    link,
    watch,
    gone: () => gone,
    /** So many looks, until it is gone. */
    async look(times: number, between: () => void = () => {}) {
      let looks = 0;
      for (; looks < times && gone === 0; looks++) {
        watch.look();
        await Promise.resolve(); // the answer
        await Promise.resolve();
        between();
      }
      return looks;
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}

Deno.test("nobody is asked while the peer is heard", async () => {
  using it = watching();
  await it.look(100, () => it.watch.heard());
  assertEquals([it.link.checks, it.gone()], [0, 0]);
});

Deno.test("a peer that answers checks stays, for ever idle", async () => {
  using it = watching(() => true);
  await it.look(100);
  assertEquals([it.link.checks, it.gone()], [50, 0]);
});

Deno.test("a silent peer is gone after 10 s, and that is told once", async () => {
  using it = watching();
  // It was heard before the first look.
  assertEquals(await it.look(100), 1 + TCP_SILENCE_MS / CONSENT_MS);
  assertEquals(it.gone(), 1);
});

Deno.test("while bytes leave, silence is borne for a minute", async () => {
  using it = watching();
  const looks = await it.look(100, () => it.link.writtenBytes += 48_000);
  assertEquals([looks, it.gone()], [1 + TCP_MOVING_SILENCE_MS / CONSENT_MS, 1]);
});

Deno.test("one word of the peer's, however late, begins anew", async () => {
  using it = watching();
  await it.look(TCP_SILENCE_MS / CONSENT_MS);
  it.watch.heard();
  await it.look(TCP_SILENCE_MS / CONSENT_MS);
  assertEquals(it.gone(), 0);
});
