import { assertEquals } from "@std/assert";
import { shownUrl } from "./shown_url.ts";

Deno.test("a shown URL has neither user, password, query nor fragment", () => {
  for (
    const [url, shown] of [
      ["ws://192.168.1.10:3001", "ws://192.168.1.10:3001/"],
      [
        "wss://user:secret@meet.example:444/a/b?token=secret#secret",
        "wss://meet.example:444/a/b?...",
      ],
      ["ws://secret@[fd00::1]/", "ws://[fd00::1]/"],
      ["token=secret", "(no valid URL)"],
      ["secret:secret", "(no valid URL)"],
      ["", "(no valid URL)"],
    ] as const
  ) assertEquals(shownUrl(url), shown, url);
});
