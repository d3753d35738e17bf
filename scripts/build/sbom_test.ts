import { assert, assertEquals, assertThrows } from "@std/assert";
import { bom, type Component, lockedPackages, sha512Of } from "./sbom.ts";
import { TARGETS } from "./targets.ts";

Deno.test("the bill of materials has what the programs import, as it is locked, and every runtime", async () => {
  const { bomFormat, components } = await bom() as {
    readonly bomFormat: string;
    readonly components: readonly Component[];
  };
  assertEquals(bomFormat, "CycloneDX");
  const names = components.map(({ name }) => name);
  for (const name of ["werift", "tweetnacl", "libsodium", "typebox"]) {
    assert(names.includes(name), name);
  }
  // What only tests and tools import is not handed out.
  for (const name of ["fast-check", "fflate"]) assert(!names.includes(name), name);
  const locked = await lockedPackages();
  for (const { type, name, version, purl, hashes, licenses } of components) {
    if (type === "library") {
      assertEquals(hashes[0].content, sha512Of(locked.get(`${name}@${version}`) ?? ""), purl);
    }
    assert(licenses !== undefined && purl.startsWith("pkg:npm/"), purl);
  }
  assertEquals(components.filter(({ type }) => type === "platform").length, TARGETS.length);
  assertEquals(await bom(), await bom());
});

Deno.test("an integrity that is no SHA-512 is refused", () => {
  for (const text of ["", "sha1-AAAA", `sha512-${"A".repeat(85)}==`]) {
    assertThrows(() => sha512Of(text), Error, "not an integrity");
  }
});
