import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { request } from "node:http";
import { OPERATIONS } from "../api/operations.ts";
import { LOOPBACK } from "../api/address.ts";
import { ApiEvent } from "../api/events.ts";
import { openApiDocument } from "./openapi.ts";
import { OPERATION_CODES, type ProblemCode, REQUEST_CODES, statusOf } from "../api/problem.ts";
import { entries, match } from "./router.ts";
import { type ServedFake, testOverBoth } from "../testing/served_fake.ts";

type Json = { readonly [name: string]: unknown };
const document = JSON.parse(JSON.stringify(openApiDocument("1.2.3")));
const paths: { readonly [path: string]: Json } = document.paths;

/** Every `$ref` in a value. */
function refsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    key === "$ref" && typeof part === "string" ? [part] : refsIn(part)
  );
}

/** A request by method and target; gives the status and the content type. */
function ask(served: ServedFake, method: string, path: string): Promise<[number, string]> {
  const { promise, resolve, reject } = Promise.withResolvers<[number, string]>();
  const { address } = served;
  const to = address.kind === "unix" ? { socketPath: address.path } : {
    host: LOOPBACK,
    port: address.port,
    headers: { authorization: `Bearer ${address.token}` },
  };
  request({ ...to, method, path, agent: false }, (response) => {
    resolve([response.statusCode ?? 0, response.headers["content-type"] ?? ""]);
    response.destroy();
  }).on("error", reject).end();
  return promise;
}

testOverBoth(
  "every route is in the OpenAPI document, and every documented route answers",
  async (start) => {
    await using served = await start();
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
    );
    assertEquals(
      documented.toSorted(),
      entries().map(([, { method, path }]) => `${method} ${path}`).toSorted(),
    );
    for (const route of documented) {
      const [method = "", template = ""] = route.split(" ");
      const path = template.replace("{identity}", "ab".repeat(32))
        .replace("{transferId}", "cd".repeat(16))
        .replace("{sessionId}", "s1").replace("{pairingId}", "p1")
        .replace("{linkName}", "bob%20at%20home");
      const [status, type] = await ask(served, method, path);
      const described = paths[template]?.[method.toLowerCase()] as { responses: Json };
      const needsBody = status === 400; // Without its body a request is malformed, not unrouted.
      assert(String(status) in described.responses || needsBody, `${route}: ${status}`);
      assertNotEquals(status, 404, route);
      if (type.startsWith("application/problem+json")) assert(needsBody, route);
    }
  },
);

Deno.test("the document is OpenAPI 3.1, its references resolve, its operation ids are unique", () => {
  assertEquals(document.openapi, "3.1.0");
  assertEquals(document.info.version, "1.2.3");
  const names = Object.keys(document.components.schemas);
  for (const ref of refsIn(document)) {
    assert(names.includes(ref.replace("#/components/schemas/", "")), ref);
  }
  const ids = Object.values(paths).flatMap((methods) =>
    Object.values(methods).map((operation) => (operation as Json)["operationId"])
  );
  assertEquals(new Set(ids).size, ids.length);
});

Deno.test("the schemas in the document are those that requests are checked by", () => {
  for (const endpoint of Object.values(OPERATIONS)) {
    if (!("body" in endpoint)) continue;
    const { title } = JSON.parse(JSON.stringify(endpoint.body));
    const shown = document.components.schemas[title];
    const rules = JSON.parse(JSON.stringify(endpoint.body));
    assertEquals(shown.required, rules.required, title);
    assertEquals(shown.anyOf?.length, rules.anyOf?.length, title);
    assertEquals(Object.keys(shown.properties ?? {}), Object.keys(rules.properties ?? {}), title);
  }
  assertEquals(document.components.schemas.Event.anyOf.length, ApiEvent.anyOf.length);
});

Deno.test("a path with characters of patterns matches only itself", () => {
  assertEquals(match("GET", "/v1/openapi.json").name, "openapi");
  for (const path of ["/v1/openapixjson", "/v1/openapi.json\n", "x/v1/openapi.json"]) {
    let found: unknown;
    try {
      found = match("GET", path);
    } catch { /* refused, as it should be */ }
    assertEquals(found, undefined, path);
  }
});

/** The codes that a response of the document names. */
function codesIn(responses: Json): { readonly [status: string]: readonly string[] } {
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      (response as { "x-codes"?: readonly string[] })["x-codes"] ?? [],
    ]),
  );
}

Deno.test("each operation names its problems by status, as problem details, with their codes", () => {
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const { responses } = described as { responses: Json };
      const refusals = Object.entries(responses).filter(([status]) => /^[45]/.test(status));
      assert(refusals.some(([status]) => status.startsWith("4")), `${method} ${path}`);
      for (const [status, response] of refusals) {
        const { content, description } = response as { content: Json; description: string };
        assertEquals(content, {
          "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
        });
        const codes = codesIn(responses)[status] ?? [];
        assert(codes.length > 0 && codes.every((code) => description.includes(code)), status);
        for (const code of codes) assertEquals(String(statusOf(code as ProblemCode)), status);
      }
    }
  }
  const all = Object.values(paths).flatMap((methods) => Object.values(methods))
    .flatMap((described) => Object.values(codesIn((described as { responses: Json }).responses)))
    .flat();
  // No operation is refused for these: one has no resource, the other is no method of it.
  const elsewhere = ["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"];
  const every = [...Object.keys(OPERATION_CODES), ...Object.keys(REQUEST_CODES)];
  assertEquals(
    [...new Set(all)].toSorted(),
    every.filter((code) => !elsewhere.includes(code)).toSorted(),
  );
});

Deno.test("the document keeps the rules that Redocly's lint has: licence, servers, security, no idle part", () => {
  assertEquals(document.info.license, { name: "MIT", identifier: "MIT" });
  assertEquals(document.security, [{}, { token: [] }]);
  assertEquals(document.components.securitySchemes.token.scheme, "bearer");
  for (const { url } of document.servers) {
    assert(!url.endsWith("/"), "a path is put after it");
    assert(!/localhost|example\.com/.test(url));
  }
  const used = new Set(refsIn(document).map((ref) => ref.replace("#/components/schemas/", "")));
  const idle = Object.keys(document.components.schemas).filter((name) => !used.has(name));
  assertEquals(idle, []);
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    assert(String((operation as Json)["summary"]).length > 0);
  }
});
