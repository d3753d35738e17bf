import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ApiEvent, DaemonEvent } from "../../ipc/api/events.ts";
import { peerText } from "../../ipc/api/peer_text.ts";
import type { SessionView, Status, Transfer } from "../../ipc/api/schemas.ts";
import { widthOf } from "../output/width.ts";
import { layout } from "./layout.ts";
import { MOST_EVENTS, WatchModel } from "./model.ts";

const BOB = "3f2a".padEnd(64, "0");
const TIME = "2026-01-02T03:04:05Z";
const STATUS: Status = {
  ...{ version: "1.2.3", state: "running", pid: 1, startedAt: TIME, dataDir: "/d", inbox: "/i" },
  identity: "a11c".padEnd(64, "e"),
  deviceName: "alice's laptop",
  ...{ pairingPolicy: "ask", unprovenPeers: "ask", pendingPairings: 0 },
  sessions: { open: 1, limit: 8 },
  transfers: { active: 1, waiting: 1, limit: 1 },
};
const SESSION: SessionView = {
  ...{ sessionId: "s1", state: "open", role: "offerer", signal: "rendezvous", web: false },
  ...{ createdAt: TIME, openedAt: TIME, identity: BOB, proven: true, name: "bob" },
  path: { transport: "udp", local: "192.168.1.2", remote: "192.168.1.3" },
};
const HOSTILE: SessionView = {
  ...{ sessionId: "s2", state: "deciding", role: "answerer", signal: "file", web: false },
  ...{ createdAt: TIME, identity: "77aa".padEnd(64, "2"), proven: false },
  deviceName: peerText('電話\u001b[2J\u202e" open, proven'),
};
const transfer = (number: number, parts: Partial<Transfer>): Transfer => ({
  ...{ transferId: `${number}`.padStart(32, "0"), direction: "incoming", state: "active" },
  ...{ identity: BOB, size: 1000, transferred: 400, priority: 0, createdAt: TIME, updatedAt: TIME },
  name: peerText("photos.zip"),
  ...parts,
});
const happened = (event: DaemonEvent): ApiEvent => ({ id: "run1-1", time: TIME, ...event });

/** A model with two sessions, some transfers and events. */
function busy(transfers: readonly Transfer[] = [], events = 3): WatchModel {
  const model = new WatchModel();
  const one = transfer(1, {});
  const queued = transfer(2, {
    direction: "outgoing",
    state: "queued",
    name: peerText("報告.pdf"),
  });
  model.replace({
    status: STATUS,
    sessions: [SESSION, HOSTILE],
    transfers: [queued, one, ...transfers],
  });
  const { transferId, size } = one;
  model.apply(
    happened({
      ...{ type: "transfer-progress", transferId, size, transferred: 500 },
      bytesPerSecond: 100,
    }),
  );
  for (let i = 0; i < events; i++) {
    model.apply(happened({ type: "link-removed", link: { name: `link ${i}` } as never }));
  }
  return model;
}

const texts = (model: WatchModel, columns: number, rows: number): string[] =>
  layout(model, { columns, rows }).map(({ text }) => text);

Deno.test("on 80x24 every section has its heading, and hostile names are spelled out", () => {
  assertEquals(texts(busy(), 80, 24), [
    "bolt-daemon 1.2.3  alice's laptop  a11ceeee" + " ".repeat(31) + "q ends",
    "",
    "SESSIONS  2 of at most 8",
    "  3f2a0000  bob  open, proven, udp, 03:04:05Z",
    '  77aa2222  "電話\\u{1b}[2J\\u{202e}…"  deciding, NOT PROVEN, file, 03:04:05Z',
    "",
    "TRANSFERS  in 100 B/s, out 0 B/s",
    "  in  photos.zip          [=========>           ]  50 %  100 B/s  0:05 left",
    "  out 報告.pdf            [=======>             ]  40 %  waiting",
    "",
    "EVENTS",
    "  03:04:05Z  link 0 is kept no longer",
    "  03:04:05Z  link 1 is kept no longer",
    "  03:04:05Z  link 2 is kept no longer",
  ]);
});

Deno.test("on 40x10 the headings stay, the empty rows go, and what is left out is counted", () => {
  const more = [3, 4, 5].map((number) => transfer(number, {}));
  assertEquals(texts(busy(more), 40, 10), [
    "bolt-daemon 1.2.3  alice's laptop  a11ce".slice(0, 39) + "…",
    "SESSIONS  2 of at most 8",
    "  and 2 more",
    "TRANSFERS  in 100 B/s, out 0 B/s",
    "  in  photos.…   50 %  100 B/s  0:05 le…",
    "  in  photos.…   40 %  starting",
    "  and 3 more",
    "EVENTS",
    "03:04:05Z  link 1 is kept no longer",
    "03:04:05Z  link 2 is kept no longer",
  ]);
});

Deno.test("on 200x60 there is room for all, and the newest events stand last", () => {
  const lines = texts(busy([], MOST_EVENTS + 100), 200, 60);
  assertEquals(lines.length, 60);
  assertEquals(lines.at(-1), `  03:04:05Z  link ${MOST_EVENTS + 99} is kept no longer`);
  assertEquals(
    lines.filter((line) => line.includes("NOT PROVEN, file, 03:04:05Z")).length,
    1,
  );
});

Deno.test("on 1x1, and on few rows, what matters most is left", () => {
  assertEquals(texts(busy(), 1, 1), ["…"]);
  assertEquals(texts(busy(), 80, 2).at(-1), "  03:04:05Z  link 2 is kept no longer");
  assertEquals(texts(busy(), 80, 4).slice(1), [
    "  in  photos.zip          [=========>           ]  50 %  100 B/s  0:05 left",
    "  out 報告.pdf            [=======>             ]  40 %  waiting",
    "  03:04:05Z  link 2 is kept no longer",
  ]);
});

Deno.test("a daemon that is gone has no session and no transfer, until it is back", () => {
  const model = busy();
  model.lost();
  const lines = texts(model, 80, 24);
  assertEquals(lines[0], "The daemon is gone; waiting for it (q ends)");
  assertEquals(lines.filter((line) => line === "  none").length, 2);
  model.found();
  model.replace({ status: STATUS, sessions: [SESSION], transfers: [] });
  assertEquals(texts(model, 80, 24)[3], "  3f2a0000  bob  open, proven, udp, 03:04:05Z");
});

Deno.test("what has ended leaves the sections; the events are bounded", () => {
  const model = busy([], MOST_EVENTS + 1);
  assertEquals(model.events.length, MOST_EVENTS);
  model.apply(happened({ type: "session-closed", session: { ...SESSION, state: "closed" } }));
  model.apply(
    happened({ type: "transfer-failed", transfer: transfer(1, { state: "cancelled" }) }),
  );
  assertEquals(model.sessions.map(({ sessionId }) => sessionId), ["s2"]);
  assertEquals(model.transfers.map(({ transfer }) => transfer.name), ["報告.pdf"]);
  assertEquals([model.rate("incoming"), model.rate("outgoing")], [0, 0]);
});

Deno.test("on any size no row is too wide, none too many, and none holds a control character", () => {
  const name = fc.string({ unit: "binary", maxLength: 60 }).map(peerText);
  const size = fc.integer({ min: 1, max: 120 });
  fc.assert(fc.property(name, size, size, (name, columns, rows) => {
    const model = busy([transfer(9, { name })]);
    model.apply(happened({ type: "session-opened", session: { ...HOSTILE, deviceName: name } }));
    const lines = layout(model, { columns, rows });
    assert(lines.length <= rows);
    for (const { text } of lines) {
      assert(widthOf(text) <= columns, text);
      assert(!/[\p{Cc}\p{Cf}]/u.test(text), JSON.stringify(text));
    }
  }));
});
