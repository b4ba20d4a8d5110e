/**
 * A planted bug: the house with one mistake in it, made by edits of its text. The simulator is
 * worth what it catches of these. A bug names the exact text that it changes, which must be there
 * once: a change of the code that makes an edit vanish is an error, and not a pass.
 */

export type Edit = readonly [file: string, from: string, to: string];

export type PlantedBug = {
  /** What goes wrong: the end of "it is found when …". */
  readonly name: string;
  /** All in one file, or in few: what they amount to is one mistake. */
  readonly edits: readonly Edit[];
};

/** The room that the mistake is in. */
export function roomOf({ edits }: PlantedBug): string {
  return edits[0]?.[0].split("/")[0] ?? "";
}

/** The text with the edit made; undefined when what it names is not there exactly once. */
export function applyEdit(text: string, [, from, to]: Edit): string | undefined {
  if (from === "" || from === to || text.split(from).length !== 2) return undefined;
  return text.replace(from, () => to);
}

/** Each changed file's text by path. Throws when an edit does not apply any more. */
export function applyEdits(
  { name, edits }: PlantedBug,
  read: (file: string) => string,
): ReadonlyMap<string, string> {
  const changed = new Map<string, string>();
  for (const edit of edits) {
    const [file, from] = edit;
    const after = applyEdit(changed.get(file) ?? read(file), edit);
    if (after === undefined) {
      throw new Error(`"${name}" cannot be planted: ${file} has not once "${from}"`);
    }
    changed.set(file, after);
  }
  return changed;
}
