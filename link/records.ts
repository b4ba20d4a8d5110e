/**
 * Records on a byte stream: four bytes of length, the highest first, then the record. The reader
 * holds at most one unfinished record, whatever arrives and in however small pieces.
 */

const headBytes = 4;

export function packRecord(record: Uint8Array): Uint8Array {
  const packed = new Uint8Array(headBytes + record.length);
  new DataView(packed.buffer).setUint32(0, record.length);
  packed.set(record, headBytes);
  return packed;
}

export class RecordReader {
  readonly #bytesMax: number;
  readonly #head = new Uint8Array(headBytes);
  #headFilled = 0;
  #record: Uint8Array | undefined;
  #recordFilled = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * The records that this chunk completes, each with memory of its own, so that a small one does
   * not keep a large chunk alive. Undefined when the stream makes no sense: it is of no use after.
   */
  push(chunk: Uint8Array): Uint8Array[] | undefined {
    const records: Uint8Array[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#record === undefined) {
        at += this.#fillHead(chunk.subarray(at));
        if (this.#headFilled === headBytes && !this.#begin()) return undefined;
        continue;
      }
      const part = chunk.subarray(at, at + this.#record.length - this.#recordFilled);
      this.#record.set(part, this.#recordFilled);
      this.#recordFilled += part.length;
      at += part.length;
      if (this.#recordFilled < this.#record.length) continue;
      records.push(this.#record);
      this.#record = undefined;
      this.#headFilled = 0;
    }
    return records;
  }

  #fillHead(bytes: Uint8Array): number {
    const part = bytes.subarray(0, headBytes - this.#headFilled);
    this.#head.set(part, this.#headFilled);
    this.#headFilled += part.length;
    return part.length;
  }

  #begin(): boolean {
    const length = new DataView(this.#head.buffer).getUint32(0);
    if (length === 0 || length > this.#bytesMax) return false;
    this.#record = new Uint8Array(length);
    this.#recordFilled = 0;
    return true;
  }
}
