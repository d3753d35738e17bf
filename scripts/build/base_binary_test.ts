import { assertRejects } from "@std/assert";
import { BaseBinaryError, requireBaseBinary } from "./base_binary.ts";
import { hostTarget } from "./targets.ts";

const NOWHERE = "/nonexistent";

/** A download server that answers every request with one status. */
function serverWith(status: number): Deno.HttpServer<Deno.NetAddr> {
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  return Deno.serve(options, () => new Response(null, { status }));
}

Deno.test("a base binary that the server has is enough", async () => {
  await using server = serverWith(200);
  await requireBaseBinary(hostTarget(), {
    denoDir: NOWHERE,
    server: `http://127.0.0.1:${server.addr.port}`,
  });
});

Deno.test("a base binary that the server refuses is an error that names the way out", async () => {
  await using server = serverWith(404);
  const options = { denoDir: NOWHERE, server: `http://127.0.0.1:${server.addr.port}` };
  const refused = () => requireBaseBinary(hostTarget(), options);
  await assertRejects(refused, BaseBinaryError, "it answers 404");
  await assertRejects(refused, BaseBinaryError, "deno task pack");
});

Deno.test("a server that can't be reached is an error", async () => {
  const port = await freePort();
  const options = { denoDir: NOWHERE, server: `http://127.0.0.1:${port}` };
  await assertRejects(
    () => requireBaseBinary(hostTarget(), options),
    BaseBinaryError,
    "can't fetch the base binary",
  );
});

Deno.test("a base binary that was fetched before needs no server", async () => {
  const denoDir = await Deno.makeTempDir();
  try {
    const folder = `${denoDir}/dl/release/v${Deno.version.deno}`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/denort-${Deno.build.target}.zip`, "");
    const server = `http://127.0.0.1:${await freePort()}`;
    await requireBaseBinary(hostTarget(), { denoDir, server });
  } finally {
    await Deno.remove(denoDir, { recursive: true });
  }
});

Deno.test("DENORT_BIN has to name a file", async () => {
  await requireBaseBinary(hostTarget(), { denortBin: Deno.execPath() });
  await assertRejects(
    () => requireBaseBinary(hostTarget(), { denortBin: NOWHERE }),
    BaseBinaryError,
    "DENORT_BIN names no file: /nonexistent",
  );
});

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  await using server = serverWith(200);
  return server.addr.port;
}
