import { assertEquals } from "@std/assert";
import { StageCell } from "./stage_cell.ts";

type Stage = { name: "waiting" } | { name: "working"; step: number } | { name: "over" };

Deno.test("code waits until a stage is left, and has at once what was left before", async () => {
  const stage = new StageCell<Stage>({ name: "waiting" });
  const begun = stage.after("waiting");
  stage.enter({ name: "working", step: 1 });
  assertEquals(await begun, { name: "working", step: 1 });
  const over = stage.after("waiting", "working");
  stage.enter({ name: "working", step: 2 });
  stage.enter({ name: "over" });
  const { name }: { name: "over" } = await over;
  assertEquals([name, (await stage.after("waiting")).name], ["over", "over"]);
});

Deno.test("a stage that is entered again wakes who looks at more than its name", async () => {
  const stage = new StageCell<Stage>({ name: "waiting" });
  const entered = stage.entered();
  stage.enter(stage.current);
  await entered;
  assertEquals(stage.current, { name: "waiting" });
});
