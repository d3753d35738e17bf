import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { SignalError } from "../../base/errors.ts";
import { encodeBundle, MAX_BUNDLE_BYTES, parseBundle, type SignalBundle } from "./bundle.ts";

const bundles: fc.Arbitrary<SignalBundle> = fc.record({
  description: fc.record({
    sdpType: fc.constantFrom("offer" as const, "answer" as const),
    sdp: fc.string({ minLength: 1, unit: "binary" }),
  }, { noNullPrototype: true }),
  candidates: fc.array(
    fc.record({ candidate: fc.string(), mid: fc.string() }, { noNullPrototype: true }),
  ),
}, { noNullPrototype: true });

Deno.test("a bundle is one line and parses back", () => {
  fc.assert(fc.property(bundles, (bundle) => {
    const text = encodeBundle(bundle);
    assertEquals(text.includes("\n"), false);
    assertEquals(parseBundle(text, bundle.description.sdpType), bundle);
  }));
});

Deno.test("a bundle has exactly the names of the wire format", () => {
  const text = encodeBundle({
    description: { sdpType: "offer", sdp: "v=0\r\n" },
    candidates: [{ candidate: "candidate:1", mid: "0" }],
  });
  const expected = '{"description":{"sdp_type":"offer","sdp":"v=0\\r\\n"},' +
    '"candidates":[{"candidate":"candidate:1","mid":"0"}]}';
  assertEquals(text, expected);
});

Deno.test("a foreign writer's spelling is read: white space, upper case, unknown fields, no mid", () => {
  const text = `{ "extra": 1,
    "candidates": [ {"candidate": "a=candidate:1", "mid": "data"}, {"candidate": "candidate:2"} ],
    "description": {"sdp": "v=0", "sdp_type": "OFFER"}}\n\n`;
  assertEquals(parseBundle(text, "offer"), {
    description: { sdpType: "offer", sdp: "v=0" },
    candidates: [{ candidate: "a=candidate:1", mid: "data" }, {
      candidate: "candidate:2",
      mid: "0",
    }],
  });
});

const description = '"description":{"sdp_type":"offer","sdp":"v=0"}';
const NOT_BUNDLES: readonly (readonly [string, string])[] = [
  ["", "it is not a JSON object"],
  ["null", "it is not a JSON object"],
  ["[]", "it is not a JSON object"],
  ["{", "it is not a JSON object"],
  ["{}", '"description" is not an object'],
  ['{"description":[]}', '"description" is not an object'],
  ['{"description":{"sdp":"v=0"}}', '"sdp_type" is not a string'],
  ['{"description":{"sdp_type":"answer","sdp":"v=0"}}', 'its "sdp_type" is not "offer"'],
  ['{"description":{"sdp_type":"offer"},"candidates":[]}', '"sdp" is not a string'],
  ['{"description":{"sdp_type":"offer","sdp":""},"candidates":[]}', '"sdp" is not a string'],
  [`{${description}}`, '"candidates" is not an array'],
  [`{${description},"candidates":{}}`, '"candidates" is not an array'],
  [`{${description},"candidates":[1]}`, "a candidate is not an object"],
  [`{${description},"candidates":[{"mid":"0"}]}`, '"candidate" is not a string'],
  [
    `{${description},"candidates":[{"candidate":"","mid":1}]}`,
    'a candidate\'s "mid" is not a string',
  ],
  [`{${description},"candidates":[${Array(257).fill("{}")}]}`, "it lists more than 256 candidates"],
];

Deno.test("what is no bundle is refused with its reason, never quoted", () => {
  for (const [text, why] of NOT_BUNDLES) {
    const error = assertThrows(() => parseBundle(text, "offer"), SignalError);
    assertEquals(error.code, "BUNDLE_INVALID");
    assertEquals(error.message, `the offer is not a signal bundle: ${why}; check what wrote it`);
  }
});

Deno.test("a bundle over 1 MiB is refused before it is parsed", () => {
  const text = " ".repeat(MAX_BUNDLE_BYTES + 1);
  assertEquals(
    assertThrows(() => parseBundle(text, "offer"), SignalError).code,
    "BUNDLE_TOO_LARGE",
  );
});

Deno.test("any text gives a bundle or a SignalError", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    assertThrows(() => {
      parseBundle(text, "offer");
      throw new SignalError("BUNDLE_INVALID", "parsed");
    }, SignalError);
  }));
});
