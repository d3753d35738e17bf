import { assertRejects } from "@std/assert";
import { IntegrityError, verifyIntegrity } from "./npm_package.ts";

Deno.test("a tarball passes when its SHA-512 is the pinned one, and not with one byte changed", async () => {
  const spec = "some-package@1.0.0";
  // SHA-512 of "abc" (FIPS 180-2, appendix C.1).
  const integrity =
    "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==";
  await verifyIntegrity(new TextEncoder().encode("abc"), { spec, integrity });
  await assertRejects(
    () => verifyIntegrity(new TextEncoder().encode("abd"), { spec, integrity }),
    IntegrityError,
    "some-package@1.0.0 is not what is pinned",
  );
});
