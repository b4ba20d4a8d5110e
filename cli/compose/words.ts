/**
 * A command line split into words as a POSIX shell would: quotes and backslashes, no variables,
 * no globs. Source: POSIX.1-2024, Shell Command Language, section 2.2 "Quoting".
 */

/** Undefined when a quote is not closed. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < line.length) {
    const character = line[at] ?? "";
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
      continue;
    }
    // A backslash before the end of a line joins two lines.
    if (character === "\\" && line[at + 1] === "\n") {
      at += 2;
      continue;
    }
    const piece = readPiece(line, at);
    if (piece === undefined) return undefined;
    word = (word ?? "") + piece.text;
    at = piece.end;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function readPiece(line: string, at: number): { text: string; end: number } | undefined {
  const character = line[at] ?? "";
  if (character === "'") {
    const end = line.indexOf("'", at + 1);
    return end < 0 ? undefined : { text: line.slice(at + 1, end), end: end + 1 };
  }
  if (character === '"') return readDoubleQuoted(line, at + 1);
  if (character !== "\\") return { text: character, end: at + 1 };
  return { text: line[at + 1] ?? "", end: at + 2 };
}

function readDoubleQuoted(line: string, from: number): { text: string; end: number } | undefined {
  let text = "";
  for (let at = from; at < line.length; at++) {
    const character = line[at] ?? "";
    if (character === '"') return { text, end: at + 1 };
    const next = line[at + 1] ?? "";
    if (character === "\\" && '$`"\\\n'.includes(next) && next !== "") {
      text += next === "\n" ? "" : next;
      at++;
    } else {
      text += character;
    }
  }
  return undefined;
}
