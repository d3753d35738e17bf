/**
 * What two sessions say of a file that goes on, byte for byte, and what docs/PROTOCOL.md shows of it:
 * another team builds it from that page alone.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ConnectionBox } from "../../src/protocol/crypto/connection_box.ts";
import { fromBase64, fromUtf8, toHex } from "../../src/protocol/crypto/encoding.ts";
import { sha256 } from "../../src/protocol/crypto/sha256.ts";
import { CAPABILITIES, RESUME } from "../../src/protocol/messages/capabilities.ts";
import { encodeInnerMessage, parseInnerText } from "../../src/protocol/messages/inner_message.ts";
import { parseTransferId } from "../../src/protocol/messages/transfer_id.ts";
import { seededRandom } from "../../src/protocol/testing/seeded_random.ts";
import { deliver, openProvenPair, type TestPeer } from "../../src/protocol/testing/session_pair.ts";
import { blocksOf } from "../docs/page.ts";
import { compareWithFile } from "../support/golden_file.ts";

const PAGE = await Deno.readTextFile(new URL("../../docs/PROTOCOL.md", import.meta.url));
const GOLDEN = new URL("golden/resume.txt", import.meta.url);
const LOST = parseTransferId("0123456789abcdef0123456789abcdef");
const [LATER, HERE] = [
  parseTransferId("11".repeat(16)),
  parseTransferId("22".repeat(16)),
];

/** Every message of a file that goes on, of one that is here already, and of one that is left. */
function conversation(): string[] {
  const { a, b, ta, tb, keys } = openProvenPair({
    both: { capabilities: [...CAPABILITIES, RESUME] },
  });
  assert(LOST !== undefined && LATER !== undefined && HERE !== undefined);
  const random = seededRandom("reader");
  const box = new ConnectionBox(keys.a, keys.b.publicKey, random);
  const lines: string[] = [];
  const settle = () => {
    for (let moved = true; moved;) {
      moved = false;
      for (const [who, from, to] of [["a", a, b], ["b", b, a]] as const) {
        const frame = from.outbox[0];
        if (typeof frame !== "string") continue;
        const sealed = fromBase64(JSON.parse(frame).payload);
        const plain = sealed && box.openInPlace(sealed);
        lines.push(`${who} ${plain && fromUtf8(plain)}`);
        moved = deliver(from as TestPeer, to as TestPeer);
      }
    }
  };
  const bytes = seededRandom("golden")(250);
  const file = {
    filename: "backup.tar",
    size: bytes.length,
    chunkSize: 100,
    fileHash: toHex(sha256(bytes)),
    retryOf: LOST,
  };
  a.do(ta.offer({ ...file, transferId: LATER }, 0).effects);
  settle();
  b.do(tb.accept(LATER, 0, 200));
  settle();
  a.do(ta.sendChunk(LATER, bytes.subarray(200), 0));
  settle();
  b.do(tb.settled(LATER, 0));
  a.do(ta.offer({ ...file, retryOf: LATER, transferId: HERE }, 0).effects);
  settle();
  b.do(tb.accept(HERE, 0, 250));
  settle();
  b.do(tb.settled(HERE, 0));
  a.do(ta.offer({ ...file, transferId: LOST, filename: "next.tar" }, 0).effects);
  settle();
  b.do(tb.accept(LOST, 0));
  settle();
  b.do(b.session.cancelTransfers("the daemon stops", true));
  settle();
  return lines;
}

Deno.test("what is said of a file that goes on is as in the golden file, byte for byte", async () => {
  await compareWithFile(GOLDEN, conversation().join("\n"));
});

Deno.test("the page's messages are what is said", () => {
  const said = conversation().map((line) => JSON.parse(line.slice(2)));
  for (
    const [name, type, nth] of [
      ["offer", "file-offer", 0],
      ["accept", "file-accept", 0],
      ["accept-here", "file-accept", 1],
      ["cancel", "cancel", 0],
    ] as const
  ) {
    const words = `resume ${name}`;
    const example = blocksOf(PAGE).find((block) => block.words.join(" ") === words);
    assert(example !== undefined, `the page has no example called ${words}`);
    const message: unknown = JSON.parse(example.text);
    assertEquals(message, said.filter((one) => one.type === type)[nth], words);
    const bytes = new TextEncoder().encode(JSON.stringify(message));
    assertEquals(encodeInnerMessage(parseInnerText(bytes)), JSON.stringify(message));
  }
});
