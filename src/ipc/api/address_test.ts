import { assertEquals } from "@std/assert";
import { encodeApiFile, MAX_API_FILE_BYTES, parseApiFile } from "./address.ts";

const TOKEN = "0a".repeat(32);
const bytes = (text: string) => new TextEncoder().encode(text);
const file = (url: unknown, token: unknown = TOKEN) => JSON.stringify({ url, token });

Deno.test("an address that is written to a file is read again", () => {
  for (const port of [1, 40_123, 65_535]) {
    const address = { kind: "tcp", port, token: TOKEN } as const;
    const written = encodeApiFile(address);
    assertEquals(parseApiFile(written), address);
    assertEquals(written.length < MAX_API_FILE_BYTES, true);
  }
});

Deno.test("members of later versions are left alone", () => {
  const text = JSON.stringify({ version: 2, url: "http://127.0.0.1:9", token: TOKEN });
  assertEquals(parseApiFile(bytes(text)), { kind: "tcp", port: 9, token: TOKEN });
});

Deno.test("no other address than loopback, nothing beside its port, and no other token is taken", () => {
  const wrong = [
    "",
    "null",
    "[]",
    '"http://127.0.0.1:9"',
    "{}",
    `${file("http://127.0.0.1:9")}x`,
    '{"url":"http://127.0.0.1:9"}',
    `{"token":"${TOKEN}"}`,
    file(9),
    ...[
      "http://127.0.0.1",
      "http://127.0.0.1:",
      "http://127.0.0.1:0",
      "http://127.0.0.1:09",
      "http://127.0.0.1:65536",
      "http://127.0.0.1:9/",
      "http://127.0.0.1:9/v1",
      "http://127.0.0.1:9#",
      "http://127.0.0.1:9\n",
      "http://127.0.0.1:9@evil.example",
      "http://evil.example@127.0.0.1:9",
      "http://127.0.0.1.evil.example:9",
      "http://127.0.0.2:9",
      "http://0.0.0.0:9",
      "http://localhost:9",
      "http://[::1]:9",
      "https://127.0.0.1:9",
      "HTTP://127.0.0.1:9",
      "file:///etc/passwd",
    ].map((url) => file(url)),
    ...[
      "",
      TOKEN.slice(1),
      `${TOKEN}0`,
      TOKEN.toUpperCase(),
      `${TOKEN.slice(2)}\r\n`,
      `${TOKEN}\n`,
      9,
      null,
      [TOKEN],
    ].map((token) => file("http://127.0.0.1:9", token)),
    `{"url":"http://127.0.0.1:9","token":"${TOKEN}","url":"http://127.0.0.1:10"}`,
    `{"__proto__":${file("http://127.0.0.1:9")}}`,
    `\ufeff${file("http://127.0.0.1:9")}`,
  ];
  for (const text of wrong) assertEquals(parseApiFile(bytes(text)), undefined, text);
  const notUtf8 = bytes(file("http://127.0.0.1:9"));
  notUtf8[2] = 0xff;
  assertEquals(parseApiFile(notUtf8), undefined);
});
