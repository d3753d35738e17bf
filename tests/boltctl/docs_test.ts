/**
 * docs/BOLTCTL.md says what boltctl does.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { BOLTCTL_PERMISSIONS } from "../../scripts/build/permissions.ts";
import { readCommandLine } from "../../src/boltctl/command_line.ts";
import { COMMANDS } from "../../src/boltctl/command_table.ts";
import { EXIT_MEANINGS } from "../../src/boltctl/exit_codes.ts";
import { layout } from "../../src/boltctl/watch/layout.ts";
import { WatchModel } from "../../src/boltctl/watch/model.ts";
import type { DaemonEvent } from "../../src/ipc/api/events.ts";
import { peerText } from "../../src/ipc/api/peer_text.ts";
import type { SessionView, Transfer } from "../../src/ipc/api/schemas.ts";
import { BEA, BOB, session, transfer } from "./support/staged_daemon.ts";

const text = await Deno.readTextFile(new URL("../../docs/BOLTCTL.md", import.meta.url));

/** Cells of the rows of a section's table. */
function table(heading: string): string[][] {
  const section = text.split(/^## /m).find((one) => one.startsWith(heading)) ?? "";
  return section.split("\n").filter((line) => line.startsWith("|")).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

Deno.test("the document lists every command and every exit code, as help does", () => {
  assertEquals(
    table("Commands"),
    COMMANDS.map(({ name, summary }) => [`\`${name}\``, summary]),
  );
  assertEquals(
    table("Exit codes"),
    EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning]),
  );
});

Deno.test("every command line of the document can be obeyed", () => {
  const lines = [...text.matchAll(/^boltctl (.+?)(?:\s+#.*)?$/gm)].map(([, words]) => words ?? "");
  assert(lines.length > 8);
  for (const line of lines) readCommandLine(line.split(" "));
});

Deno.test("the document tells the permissions that boltctl is built with", () => {
  const told = /^`(--allow-net .*)`$/m.exec(text)?.[1]?.split(" ");
  assertEquals(told?.toSorted(), BOLTCTL_PERMISSIONS.slice(1).toSorted());
});

/** A day at the desk, as the picture shows it. */
function pictured(): WatchModel {
  const model = new WatchModel();
  const at = (seconds: number): string =>
    new Date(Date.UTC(2026, 0, 2, 9, 30, seconds)).toISOString();
  const path: SessionView["path"] = {
    transport: "udp",
    local: "192.168.1.2",
    remote: "192.168.1.3",
  };
  const bob = session({ sessionId: "s1", identity: BOB, name: "bob", path, openedAt: at(2) });
  const bea = session({
    sessionId: "s2",
    identity: BEA,
    deviceName: peerText("電話"),
    openedAt: at(9),
  });
  const name = (text: string) => ({ name: peerText(text) });
  const film = transfer(1, {
    direction: "incoming",
    state: "active",
    size: 4e9,
    ...name("film.mkv"),
  });
  const photos = transfer(2, { state: "active", size: 8e7, ...name("photos.zip") });
  const offer: Transfer = transfer(3, {
    ...{ direction: "incoming", state: "offered", waitingFor: "decision", size: 3e6 },
    ...name("notes.pdf"),
  });
  model.replace({
    status: {
      ...{ version: "1.2.3", state: "running", pid: 1, startedAt: at(0), dataDir: "/d" },
      ...{ inbox: "/i", identity: "a11ce".padEnd(64, "0"), deviceName: "alice's laptop" },
      ...{ pairingPolicy: "ask", unprovenPeers: "ask", pendingPairings: 0 },
      sessions: { open: 2, limit: 8 },
      transfers: { active: 2, waiting: 1, limit: 4 },
    },
    sessions: [bob, bea],
    transfers: [film, photos, offer],
  });
  const events: readonly (readonly [number, DaemonEvent])[] = [
    [2, { type: "session-opened", session: bob }],
    [4, { type: "transfer-started", transfer: film }],
    [9, { type: "session-opened", session: bea }],
    [11, { type: "transfer-started", transfer: photos }],
    [15, { type: "transfer-offered", transfer: offer }],
  ];
  for (const [seconds, event] of events) model.apply({ id: "run1-1", time: at(seconds), ...event });
  for (
    const [{ transferId, size }, part, rate] of [[film, 0.6, 4e7], [photos, 0.25, 1e7]] as const
  ) {
    const flows = { transferId, size, transferred: size * part, bytesPerSecond: rate };
    model.apply({ id: "run1-1", time: at(20), type: "transfer-progress", ...flows });
  }
  return model;
}

Deno.test("the picture of watch is what a terminal of 80x18 shows", () => {
  const picture = layout(pictured(), { columns: 80, rows: 18 }).map(({ text }) => text).join("\n");
  assert(text.includes(`\n\`\`\`text\n${picture}\n\`\`\`\n`), picture);
});
