/** What the parts of an agent count, as one flat map for whoever looks for a fault. Pure. */

/** Every number in it, by its dotted path. */
export function flatten(path: string, counts: object): Record<string, number> {
  const all: Record<string, number> = {};
  for (const [key, value] of Object.entries(counts)) {
    const name = path === "" ? key : `${path}.${key}`;
    if (typeof value === "number") all[name] = value;
    else if (typeof value === "object" && value !== null) Object.assign(all, flatten(name, value));
  }
  return all;
}
