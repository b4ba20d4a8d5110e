/** What happened in a simulated run, one line each, and a sum over all lines to compare runs by. */

export class Trace {
  readonly #nowMs: () => number;
  readonly #names = new Map<string, string>();
  readonly #print: ((line: string) => void) | undefined;
  #sum = 0x811c9dc5;
  lines = 0;

  constructor(nowMs: () => number, print?: (line: string) => void) {
    this.#nowMs = nowMs;
    this.#print = print;
  }

  /** Where a node's id is said, its short name is written. */
  name(node: string, name: string): void {
    this.#names.set(node, name);
  }

  say(who: string, what: string): void {
    const named = what.replaceAll(/12D3KooW\w+/g, (node) => this.#names.get(node) ?? node);
    const line = `${(this.#nowMs() / 1000).toFixed(3).padStart(8)}  ${who.padEnd(6)} ${named}`;
    this.lines++;
    for (let at = 0; at < line.length; at++) {
      this.#sum = Math.imul(this.#sum ^ line.charCodeAt(at), 0x01000193);
    }
    this.#print?.(line);
  }

  /** FNV-1a over everything said. */
  sum(): string {
    return (this.#sum >>> 0).toString(16).padStart(8, "0");
  }
}
