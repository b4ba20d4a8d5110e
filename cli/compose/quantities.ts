/**
 * Amounts as Compose writes them: durations ("1m30s"), bytes ("512m"), CPUs ("0.5").
 * Source: Compose specification, "Specifying durations" and "Specifying byte values". Each
 * function gives undefined for what is no such amount.
 */

const durationUnits: Readonly<Record<string, number>> = {
  us: 0.001,
  µs: 0.001,
  ns: 0.000_001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Whole milliseconds. A number without a unit is no duration, except 0. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:us|µs|ns|ms|s|m|h|d|w))+$/.test(trimmed)) return undefined;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(us|µs|ns|ms|s|m|h|d|w)/g)) {
    total += Number(amount) * (durationUnits[unit ?? ""] ?? 0);
  }
  return Number.isSafeInteger(Math.round(total)) ? Math.round(total) : undefined;
}

const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** Powers of 1024 whatever the spelling, as Docker reads them: "1gb" is "1g" is "1GiB". */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * (byteUnits[match[2] ?? ""] ?? 1));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Thousandths of a CPU, at least 1. */
export function parseCpus(text: string): number | undefined {
  if (!/^\d+(?:\.\d+)?$/.test(text.trim())) return undefined;
  const milli = Math.round(Number(text) * 1000);
  return milli >= 1 && Number.isSafeInteger(milli) ? milli : undefined;
}

/** "80" is [80, 80], "8000-8010" both ends; undefined outside 1 to 65535 or backwards. */
export function parsePortRange(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text.trim());
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= 1 && last <= 65_535 && first <= last ? [first, last] : undefined;
}
