/** Colours for telling replicas apart in logs: the same name always gets the same one. */

/** ECMA-48 foregrounds that can be read on light and dark: cyan, yellow, green, magenta, blue. */
const foregrounds = [36, 33, 32, 35, 34] as const;

export function paint(name: string, shown: string): string {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return `\u001b[${foregrounds[sum % foregrounds.length]}m${shown}\u001b[0m`;
}
