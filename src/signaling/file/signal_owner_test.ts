import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { SignalError } from "../../base/errors.ts";
import type { SignalOwner } from "../../vocabulary/session_values.ts";
import { OwnerCheck } from "./signal_owner.ts";

interface Judged {
  readonly check: (uid: number | null) => Promise<void>;
  readonly warnings: readonly string[];
  readonly ownUid: number;
}

async function judging(
  allowed: SignalOwner,
  test: (judged: Judged) => Promise<void>,
  folderName = ".",
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const warnings: string[] = [];
    const besides = join(folder, folderName, "answer.json");
    const owners = new OwnerCheck(allowed, besides, (message) => warnings.push(message));
    const ownUid = (await Deno.lstat(folder)).uid ?? 0;
    await test({ check: (uid) => owners.check("offer.json", uid), warnings, ownUid });
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), [], "the probe is gone");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const FOREIGN = 54_321;

for (const allowed of ["own", "any"] as const) {
  Deno.test(`${allowed}: our own files and root's are taken without a word`, {
    ignore: Deno.build.os === "windows",
  }, () =>
    judging(allowed, async ({ check, warnings, ownUid }) => {
      for (const uid of [ownUid, 0]) await check(uid);
      assertEquals(warnings, []);
    }));
}

Deno.test("any: a foreign owner is told of once, with both users' numbers", {
  ignore: Deno.build.os === "windows",
}, () =>
  judging("any", async ({ check, warnings, ownUid }) => {
    for (let i = 0; i < 3; i++) await check(FOREIGN);
    assertEquals(warnings.length, 1);
    assertStringIncludes(
      warnings[0] ?? "",
      `offer.json belongs to user ${FOREIGN}, this program runs as user ${ownUid}`,
    );
  }));

Deno.test("own: a foreign owner is refused, each time", () =>
  judging("own", async ({ check, warnings }) => {
    for (let i = 0; i < 2; i++) {
      const says = `offer.json belongs to user ${FOREIGN}`;
      assertEquals(
        (await assertRejects(() => check(FOREIGN), SignalError, says)).code,
        "SIGNAL_FILE",
      );
    }
    assertEquals(warnings, []);
  }));

Deno.test("where our own number can't be seen, a foreign owner is still one", () =>
  judging("any", async ({ check, warnings }) => {
    await check(FOREIGN);
    assertEquals(warnings.length, 1);
  }, "missing"));

Deno.test("where files have no owners, own refuses them and any takes them", async () => {
  await judging("any", ({ check }) => check(null));
  await judging("own", async ({ check }) => {
    await assertRejects(() => check(null), SignalError, "does not tell who owns offer.json");
  });
});
