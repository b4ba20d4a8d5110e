/**
 * Datagrams inside a byte stream: each with its length before it, two bytes, big-endian. Pure.
 * Memory is bounded by what has really arrived of one datagram, times two.
 */

/** Largest payload of UDP over IPv4: 65,535 less the headers of IP (20) and UDP (8). RFC 768. */
export const datagramBytesMax = 65_507;

const lengthBytes = 2;
/** First room for a datagram that comes in pieces: about one Ethernet frame. */
const firstRoomBytes = 2_048;
const noRoom = Buffer.alloc(0);

export function frameDatagram(datagram: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(lengthBytes + datagram.length);
  frame.writeUInt16BE(datagram.length, 0);
  frame.set(datagram, lengthBytes);
  return frame;
}

export class DatagramReader {
  /** Of the datagram that has come in part; -1 before its length is known. */
  #length = -1;
  /** The first byte of a length whose second has not come; -1 when there is none. */
  #highByte = -1;
  #room: Buffer = noRoom;
  #filled = 0;

  /**
   * Delivers the datagrams that `chunk` completes. They may share memory with it. False when the
   * stream makes no sense; nothing after that can be read.
   */
  read(chunk: Buffer, deliver: (datagram: Buffer) => void): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#length < 0) {
        at = this.#readLength(chunk, at);
        if (this.#length < 0) return true;
        if (this.#length > datagramBytesMax) return false;
      }
      const piece = chunk.subarray(at, at + this.#length - this.#filled);
      at += piece.length;
      if (piece.length === this.#length) {
        this.#finish(piece, deliver);
      } else {
        this.#keep(piece);
        if (this.#filled === this.#length) this.#finish(this.#room, deliver);
      }
    }
    return true;
  }

  /** Where the datagram begins. Its length stays unknown when only half of it has come. */
  #readLength(chunk: Buffer, at: number): number {
    if (this.#highByte < 0) {
      this.#highByte = chunk[at] as number;
      if (at + 1 === chunk.length) return at + 1;
      at++;
    }
    this.#length = this.#highByte * 256 + (chunk[at] as number);
    this.#highByte = -1;
    return at + 1;
  }

  #finish(datagram: Buffer, deliver: (datagram: Buffer) => void): void {
    this.#length = -1;
    this.#filled = 0;
    this.#room = noRoom;
    deliver(datagram);
  }

  /** Room doubles as it fills, so that bytes one by one cost no more than in one piece. */
  #keep(piece: Buffer): void {
    const needed = this.#filled + piece.length;
    if (needed > this.#room.length) {
      const bytes = Math.min(this.#length, Math.max(needed, firstRoomBytes, 2 * this.#room.length));
      const room = Buffer.allocUnsafe(bytes);
      this.#room.copy(room, 0, 0, this.#filled);
      this.#room = room;
    }
    piece.copy(this.#room, this.#filled);
    this.#filled = needed;
  }
}
