import { assertEquals } from "@std/assert";
import {
  afterGap,
  formatMark,
  isHandled,
  NO_MARK,
  parseMark,
  type ReceivedMark,
  withHandled,
} from "./received_mark.ts";

const id = (number: number, run = "aaaaaaaa") => `${run}-${number}`;
const handled = (...numbers: number[]) =>
  numbers.reduce((mark, number) => withHandled(mark, id(number)), NO_MARK);

Deno.test("files are handled in any order: the mark holds what is handled, and nothing else", () => {
  assertEquals(handled(1, 2, 3), { through: id(3), done: [] });
  assertEquals(handled(3, 1), { through: id(1), done: [id(3)] });
  assertEquals(handled(3, 1, 2), { through: id(3), done: [] });
  assertEquals(handled(2, 5, 4, 1, 3), { through: id(5), done: [] });
  const mark = handled(1, 3, 3, 1);
  assertEquals([1, 2, 3, 4].map((number) => isHandled(mark, id(number))), [
    true,
    false,
    true,
    false,
  ]);
  // Numbers count over runs of the daemon.
  assertEquals(withHandled(mark, id(2, "bbbbbbbb")), { through: id(3), done: [] });
});

Deno.test("in every order of 6 files the mark says of each file at each moment what was said of it", () => {
  const orders = (left: readonly number[]): number[][] =>
    left.length === 0
      ? [[]]
      : left.flatMap((one) => orders(left.filter((n) => n !== one)).map((rest) => [one, ...rest]));
  const all = [1, 2, 3, 4, 5, 6];
  for (const order of orders(all)) {
    let mark: ReceivedMark = NO_MARK;
    order.forEach((number, i) => {
      mark = withHandled(mark, id(number));
      const said = order.slice(0, i + 1);
      assertEquals(all.filter((n) => isHandled(mark, id(n))), said.toSorted(), String(order));
    });
    assertEquals(mark, { through: id(6), done: [] });
  }
});

Deno.test("after a gap the mark goes on where what is known begins, and keeps what is handled after it", () => {
  assertEquals(afterGap({ through: id(3), done: [id(7), id(70)] }, id(64)), {
    through: id(64),
    done: [id(70)],
  });
  assertEquals(afterGap({ through: id(3), done: [id(65), id(67)] }, id(64)), {
    through: id(65),
    done: [id(67)],
  });
  // Another record: nothing of it is handled.
  assertEquals(afterGap({ through: id(9), done: [id(11)] }, undefined), NO_MARK);
  assertEquals(afterGap({ through: id(9), done: [id(11)] }, id(4, "bbbbbbbb")), {
    through: id(4, "bbbbbbbb"),
    done: [],
  });
});

Deno.test("a mark is read as it was written; anything else is no mark", () => {
  for (const mark of [NO_MARK, handled(1, 2), handled(4, 1), handled(9)]) {
    assertEquals(parseMark(formatMark(mark)), mark);
  }
  const wrong = [
    ...["", "x", "1", "null", "[]", "{}", `{"version":1}`, `{"version":2,"done":[]}`],
    ...[`{"version":1,"done":[1]}`, `{"version":1,"done":["x"]}`, `{"version":1,"done":[],"x":1}`],
    ...[`{"version":1,"through":1,"done":[]}`, `{"version":1,"through":"aaaaaaaa-0","done":[]}`],
  ];
  for (const text of wrong) assertEquals(parseMark(text), undefined, text);
});
