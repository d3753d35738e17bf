/**
 * Checks the OpenAPI document of the local API with Redocly's strict rules. Needs Node.js and the
 * npm registry; the rules that it has broken before are tests of ours (src/ipc/server/openapi_test.ts).
 *
 * @module
 */
import manifest from "../deno.json" with { type: "json" };
import { openApiDocument } from "../src/ipc/server/openapi.ts";

const LINTER = "@redocly/cli@2.77.0";
const RULES = `extends: [recommended-strict]
rules:
  operation-4xx-problem-details-rfc7807: error
`;

const folder = await Deno.makeTempDir({ prefix: "bolt-openapi-" });
try {
  const document = JSON.stringify(openApiDocument(manifest.version), null, 2);
  await Deno.writeTextFile(`${folder}/openapi.json`, document);
  await Deno.writeTextFile(`${folder}/redocly.yaml`, RULES);
  const linter = new Deno.Command("npx", {
    args: ["-y", LINTER, "lint", "openapi.json"],
    cwd: folder,
    env: { REDOCLY_TELEMETRY: "off" },
  });
  Deno.exitCode = (await linter.spawn().status).code;
} finally {
  await Deno.remove(folder, { recursive: true });
}
