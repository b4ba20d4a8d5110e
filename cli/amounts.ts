/** Times and sizes as people read them in tables. */

const steps: readonly (readonly [unit: string, ms: number])[] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

/** "3 minutes", "1 hour"; "less than a second" for none. */
export function showSpan(ms: number): string {
  for (const [unit, size] of steps) {
    const count = Math.floor(ms / size);
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return "less than a second";
}

export function showAge(thenMs: number, nowMs: number): string {
  return `${showSpan(Math.max(0, nowMs - thenMs))} ago`;
}

export function showBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? "B"}`;
}

/** Enough of a peer id or a hash to tell them apart; peer ids all begin alike. */
export function shorten(id: string): string {
  return id.startsWith("12D3Koo") ? id.slice(-12) : id.slice(0, 12);
}
