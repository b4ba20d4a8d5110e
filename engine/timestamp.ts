/**
 * RFC 3339 timestamps, as Docker writes them, into Unix ms. Pure: `Date` is the clock's, and is
 * not for files that only compute.
 *
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013), days_from_civil.
 */

const pattern =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** Undefined for what is no timestamp. Fractions are cut to whole ms. */
export function parseTimestamp(text: string): number | undefined {
  const parts = pattern.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as Six;
  const ms = Number((parts[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const offset = Number(parts[9] ?? 0) * 60 + Number(parts[10] ?? 0);
  const minutes = hour * 60 + minute - (parts[8] === "-" ? -offset : offset);
  return ((daysSinceEpoch(year, month, day) * 1440 + minutes) * 60 + second) * 1000 + ms;
}

type Six = [number, number, number, number, number, number];

/** Years begin in March, so that the leap day is the last; eras of 400 years are all alike. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + yearOfEra * 365 + leapDays + dayOfYear - 719_468;
}
