import { assertEquals, assertRejects } from "@std/assert";
import { messageOf, StorageError } from "./errors.ts";
import { errnoOf, systemReason } from "./system_error.ts";

const RUNTIME = /os error|--allow|Requires|No such file|syscall|connect E/;

Deno.test("what the system refuses is told in our words, without text of the runtime", async () => {
  const folder = await Deno.makeTempDir();
  const missing = `${folder}/missing`;
  const refused: [() => Promise<unknown>, string][] = [
    [() => Deno.open(missing), "it does not exist"],
    [() => Deno.open(`${missing}/below`), "it does not exist"],
    [() => Deno.readFile(folder), "it is a folder"],
    [() => Deno.connect({ transport: "unix", path: missing }), "it does not exist"],
    [() => Deno.open(`${folder}/${"n".repeat(300)}`), "the name or path is too long"],
  ];
  for (const [call, reason] of refused) {
    const error = await assertRejects(call, Error);
    assertEquals(messageOf(error), reason);
  }
  await Deno.remove(folder);
});

Deno.test({
  name: "a permission that the program lacks is told without the runtime's advice",
  permissions: { read: false },
  fn: async () => {
    const error = await assertRejects(() => Deno.open("/dev/zero"), Deno.errors.NotCapable);
    assertEquals(
      messageOf(error),
      "this program has no right to use it (it never has for /dev, /proc and /sys)",
    );
  },
});

Deno.test("an unknown refusal names its code, an error that is none of the system's keeps its words", () => {
  const named = (code: string) => Object.assign(new Error("raw (os error 999)"), { code });
  assertEquals(systemReason(named("EWEIRD")), "the system refuses it (EWEIRD)");
  assertEquals(systemReason(new Error("raw (os error 999)")), "the system refuses it (error 999)");
  assertEquals(RUNTIME.test(messageOf(named("EIO"))), false);
  assertEquals(messageOf(new Error("the peer went away")), "the peer went away");
  assertEquals(messageOf(new StorageError("IO_FAILED", "cannot read /x")), "cannot read /x");
  assertEquals([errnoOf(named("EIO")), errnoOf("EIO"), errnoOf(null)], [
    "EIO",
    undefined,
    undefined,
  ]);
});
