/**
 * The person's terminal: a door. Results go to standard output, everything else to standard error.
 */

import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";
import { cut } from "./table.ts";
import type { Terminal } from "./world.ts";

export function openTerminal(): Terminal & { close(): void } {
  const { stdin, stdout, stderr, env } = process;
  // A pager that was closed is no mistake of ours.
  stdout.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? 0 : 1),
  );
  const drawing = new Drawing(stderr);
  return {
    get columns() {
      return stdout.isTTY ? stdout.columns : undefined;
    },
    colours: stdout.isTTY === true && (env.NO_COLOR ?? "") === "",
    draws: stderr.isTTY === true,
    print(line) {
      drawing.erase();
      stdout.write(`${line}\n`);
    },
    note(line) {
      drawing.erase();
      stderr.write(`${line}\n`);
    },
    draw(lines) {
      if (stderr.isTTY) drawing.draw(lines);
    },
    async confirm(question) {
      if (!stdin.isTTY || !stderr.isTTY) return false;
      const asker = createInterface({ input: stdin, output: stderr });
      const answer = await asker.question(`${question} [y/N] `);
      asker.close();
      return /^y(es)?$/i.test(answer.trim());
    },
    readInput: () => text(stdin),
    isShown: stdout.isTTY === true,
    printBytes: (bytes) => new Promise((resolve) => stdout.write(bytes, () => resolve())),
    /** What is drawn stays, as the last word. */
    close: () => drawing.keep(),
  };
}

/** A block of lines at the bottom of the screen that is drawn over itself. */
class Drawing {
  readonly #stream: NodeJS.WriteStream;
  #lines: readonly string[] = [];

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  draw(lines: readonly string[]): void {
    if (lines.join("\n") === this.#lines.join("\n")) return;
    this.erase();
    // A line that wraps would be two to move up over.
    const cutLines = lines.map((line) => cut(line, this.#stream.columns));
    this.#stream.write(cutLines.map((line) => `${line}\n`).join(""));
    this.#lines = lines;
  }

  /** ECMA-48: cursor up n lines to the first column, erase to the end of the screen. */
  erase(): void {
    if (this.#lines.length === 0) return;
    this.#stream.write(`\u001b[${this.#lines.length}F\u001b[J`);
    this.#lines = [];
  }

  keep(): void {
    this.#lines = [];
  }
}
