import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { HandClock } from "../../app/testing/fixtures.ts";
import { MemoryTerminal } from "../testing/memory_terminal.ts";
import { screenAfter } from "../testing/screen.ts";
import { Countdown } from "./countdown.ts";

const PROMPT = "[yes/no] ";

function onScreen(columns = 80, height = 50) {
  const terminal = new MemoryTerminal({ columns });
  const clock = new HandClock();
  const countdown = new Countdown(terminal, 30_000, clock);
  return { terminal, clock, countdown, seen: () => screenAfter(terminal.stdout, columns, height) };
}

Deno.test("the time left is redrawn each second below the prompt, and is gone at the end", () => {
  const { terminal, clock, countdown, seen } = onScreen();
  countdown.prompt(PROMPT);
  assertEquals(seen(), ["[yes/no]", "30 s left"]);
  clock.pass(1000);
  assertEquals(seen(), ["[yes/no]", "29 s left"]);
  clock.pass(27_400);
  assertEquals(seen(), ["[yes/no]", "2 s left"]);
  clock.pass(599);
  assertEquals(seen(), ["[yes/no]", "2 s left"]);
  clock.pass(1);
  assertEquals(seen(), ["[yes/no]", "1 s left"]);
  clock.pass(1000);
  assertEquals(seen(), ["[yes/no]", "no time left"]);
  assertEquals(clock.waiting, 0);
  countdown[Symbol.dispose]();
  terminal.write("It is over.\n");
  assertEquals(seen(), ["[yes/no]", "It is over."]);
});

Deno.test("what is typed stays where it is typed, and what follows comes below it", () => {
  const { terminal, clock, countdown, seen } = onScreen();
  countdown.prompt(PROMPT);
  terminal.write("ye");
  clock.pass(1000);
  terminal.write("s");
  clock.pass(1000);
  assertEquals(seen(), ["[yes/no] yes", "28 s left"]);
  terminal.write("\n");
  countdown.clear("typed");
  terminal.write("Let in.\n");
  assertEquals(seen(), ["[yes/no] yes", "Let in."]);
  assertEquals(clock.waiting, 0);
});

Deno.test("a prompt that is shown again counts on from where the time is", () => {
  const { terminal, clock, countdown, seen } = onScreen();
  countdown.prompt(PROMPT);
  clock.pass(5500);
  terminal.write("what\n");
  countdown.clear("typed");
  countdown.prompt(PROMPT);
  assertEquals(seen(), ["[yes/no] what", "[yes/no]", "25 s left"]);
  clock.pass(500);
  assertEquals(seen(), ["[yes/no] what", "[yes/no]", "24 s left"]);
  countdown[Symbol.dispose]();
});

Deno.test("nothing above the prompt is touched, wherever it stands and however much is typed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8 }), fc.nat(60), fc.nat(3), (above, typed, seconds) => {
      const { terminal, clock, countdown, seen } = onScreen(20, 6);
      const lines = Array.from({ length: above }, (_, i) => `line ${i}`);
      terminal.write(lines.map((line) => `${line}\n`).join(""));
      countdown.prompt(PROMPT);
      for (let i = 0; i < seconds; i++) clock.pass(1000);
      terminal.write(`${"y".repeat(typed)}\n`);
      countdown.clear("typed");
      terminal.write("the end\n");
      const wrapped = Math.floor((PROMPT.length + typed - 1) / 20);
      // Six rows: the last is free, as "the end" ends its line; those that were typed scroll.
      const left = lines.slice(Math.max(0, above + wrapped - 3));
      assertEquals(seen().slice(0, left.length), left);
      assertEquals(seen().at(-1), "the end");
      assertEquals(clock.waiting, 0);
    }),
  );
});

Deno.test("on a terminal without room for it there is the prompt alone", () => {
  const { terminal, clock, countdown } = onScreen(12);
  countdown.prompt(PROMPT);
  assertEquals([terminal.stdout, clock.waiting], [PROMPT, 0]);
  countdown[Symbol.dispose]();
  assertEquals(terminal.stdout, PROMPT);
});
