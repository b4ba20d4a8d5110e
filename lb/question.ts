/**
 * Which first question of a client may be asked of another endpoint, when the node that it was
 * asked of vanished before a byte of the answer came: one whole HTTP/1.x request of a safe method
 * and without a body. Pure.
 *
 * Source: RFC 9110, 9.2.1 (safe methods) and 9.2.2 (what a proxy may send again); RFC 9112, 9.3.1.
 */

/** A head of usual size in its first packets; what is longer is not held back. */
const questionBytesMax = 16_384;

const requestLine = /^(?:GET|HEAD|OPTIONS) [!-~]+ HTTP\/1\.[01]\r\n/;
/** A body follows, the connection becomes another protocol's, or the client waits for more. */
const hasMore = /\r\n(?:content-length|transfer-encoding|upgrade|expect):/i;
const end = "\r\n\r\n";

/** `bytes` are all that the client has sent so far. */
export function maySendAgain(bytes: Uint8Array): boolean {
  if (bytes.length > questionBytesMax) return false;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  // A second request behind the first, or half a head, is not for us to take apart.
  const isOneHead = text.indexOf(end) === text.length - end.length;
  return isOneHead && requestLine.test(text) && !hasMore.test(text);
}
