import { assert, assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { DAEMON_PERMISSIONS } from "./permissions.ts";
import { REPOSITORY } from "./programs.ts";
import { DENO_VERSION } from "./targets.ts";

Deno.test("the task runs the daemon under the permissions that it is built with", () => {
  assertEquals(
    manifest.tasks.daemon,
    `DENO_NO_UPDATE_CHECK=1 deno run ${DAEMON_PERMISSIONS.join(" ")} src/main.ts`,
  );
});

Deno.test("one version of Deno is named everywhere", async () => {
  for (const file of ["README.md", ".ci/run", ".github/workflows/ci.yml"]) {
    const text = await Deno.readTextFile(new URL(file, REPOSITORY));
    const versions = [...text.matchAll(/deno@([\w.-]+)/g)].map(([, version]) => version);
    assert(versions.length > 0, file);
    assertEquals([...new Set(versions)], [DENO_VERSION], file);
  }
});
