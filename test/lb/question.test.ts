import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { maySendAgain } from "../../lb/question.ts";

const head = "Host: shop\r\nAccept: */*\r\n\r\n";

const questions: readonly [what: string, text: string, may: boolean][] = [
  ["a GET", `GET / HTTP/1.1\r\n${head}`, true],
  ["a GET without fields", "GET / HTTP/1.0\r\n\r\n", true],
  ["a HEAD", `HEAD /a?b=c HTTP/1.1\r\n${head}`, true],
  ["an OPTIONS", `OPTIONS * HTTP/1.1\r\n${head}`, true],
  ["a POST", `POST / HTTP/1.1\r\n${head}`, false],
  ["a DELETE, which is only idempotent", `DELETE / HTTP/1.1\r\n${head}`, false],
  ["a GET with a body", `GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n`, false],
  ["a GET with chunks", `GET / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n`, false],
  ["a WebSocket's beginning", `GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n`, false],
  ["one that waits to be told to go on", `GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n`, false],
  ["half a head", "GET / HTTP/1.1\r\nHost: shop\r\n", false],
  ["two requests", `GET / HTTP/1.1\r\n${head}GET / HTTP/1.1\r\n${head}`, false],
  ["a head and more", `GET / HTTP/1.1\r\n${head}more`, false],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false],
  ["HTTP/0.9", "GET /\r\n\r\n", false],
  ["lines that end in a line feed alone", "GET / HTTP/1.1\nHost: shop\n\n", false],
  ["a lower-case method", `get / HTTP/1.1\r\n${head}`, false],
  ["a head of 20 KB", `GET / HTTP/1.1\r\nCookie: ${"x".repeat(20_000)}\r\n\r\n`, false],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01", false],
  ["nothing", "", false],
];

for (const [what, text, may] of questions) {
  test(`${what} may ${may ? "" : "not "}be sent again`, () => {
    assert.equal(maySendAgain(Buffer.from(text, "latin1")), may);
  });
}

test("whatever bytes come, it says something, and yes only to a safe method", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      if (maySendAgain(bytes)) assert.match(Buffer.from(bytes).toString("latin1"), /^(GET|HEAD|O)/);
    }),
  );
});
