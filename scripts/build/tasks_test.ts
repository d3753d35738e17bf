import { assert, assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import {
  BOLTCTL_PERMISSIONS,
  DAEMON_PERMISSIONS,
  DAEMON_UNSTABLE,
  DAEMON_V8_FLAGS,
  RUNTIME_ENVIRONMENT,
} from "./permissions.ts";
import { REPOSITORY } from "./programs.ts";
import { DENO_VERSION } from "./targets.ts";

Deno.test("the task runs the daemon with the flags that it is built with", () => {
  const flags = [...DAEMON_PERMISSIONS, DAEMON_V8_FLAGS];
  const environment = Object.entries(RUNTIME_ENVIRONMENT).map(([name, value]) =>
    `${name}=${value}`
  );
  assertEquals(
    manifest.tasks.daemon,
    `${environment.join(" ")} deno run ${flags.join(" ")} src/main.ts`,
  );
});

Deno.test("what is not stable yet is named to the tasks and tests as it is to the builds", () => {
  assertEquals(manifest.unstable.map((name) => `--unstable-${name}`), DAEMON_UNSTABLE);
});

Deno.test("the task runs boltctl under the permissions that it is built with", () => {
  assertEquals(
    manifest.tasks.boltctl,
    `DENO_NO_UPDATE_CHECK=1 deno run ${BOLTCTL_PERMISSIONS.join(" ")} src/boltctl.ts`,
  );
});

Deno.test("one version of Deno is named everywhere", async () => {
  for (
    const file of [
      "README.md",
      ".ci/run",
      ".github/workflows/ci.yml",
      ".github/workflows/release.yml",
    ]
  ) {
    const text = await Deno.readTextFile(new URL(file, REPOSITORY));
    const versions = [...text.matchAll(/deno@([\w.-]+)/g)].map(([, version]) => version);
    assert(versions.length > 0, file);
    assertEquals([...new Set(versions)], [DENO_VERSION], file);
  }
});

Deno.test("the workflows name actions by the hash of a commit: a tag can be moved", async () => {
  const folder = new URL(".github/workflows/", REPOSITORY);
  let count = 0;
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(new URL(name, folder));
    for (const [, action = ""] of text.matchAll(/\buses: (\S+)/g)) {
      assert(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(action), `${name}: ${action}`);
      count++;
    }
  }
  assert(count > 0);
});
