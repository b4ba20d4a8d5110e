/**
 * Unix milliseconds to RFC 3339 and back, always in UTC, without asking the machine for its zone:
 * operators compare times of several machines.
 *
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013), days_from_civil
 * and civil_from_days; RFC 3339 section 5.6.
 */

const dayMs = 86_400_000;
/** Days from 0000-03-01 to 1970-01-01: the algorithm's years begin in March. */
const epochDays = 719_468;

/** "2026-11-23T10:00:00Z". */
export function printInstant(ms: number): string {
  const days = Math.floor(ms / dayMs);
  const [year, month, day] = civilFromDays(days);
  const rest = ms - days * dayMs;
  const clock = [rest / 3_600_000, (rest / 60_000) % 60, (rest / 1000) % 60];
  const date = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
  return `${date}T${clock.map((part) => two(Math.floor(part))).join(":")}Z`;
}

/** "10:00:00.123", for log lines. */
export function printClock(ms: number): string {
  const millis = String(Math.floor(ms) % 1000).padStart(3, "0");
  return `${printInstant(ms).slice(11, 19)}.${millis}`;
}

const pattern =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:\d\d)?)?$/;

/** A date alone is its midnight; a time without a zone is UTC. Undefined for anything else. */
export function parseInstant(text: string): number | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  if (year === undefined || month === undefined || day === undefined) return undefined;
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  const time = ((hour ?? 0) * 60 + (minute ?? 0)) * 60 + (second ?? 0);
  if ((hour ?? 0) > 23 || (minute ?? 0) > 59 || (second ?? 0) > 60) return undefined;
  const millis = Math.floor(Number(`0.${match[7] ?? 0}`) * 1000);
  return daysFromCivil(year, month, day) * dayMs + time * 1000 + millis - zoneMs(match[8]);
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return (zone.startsWith("-") ? -minutes : minutes) * 60_000;
}

function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + yearOfEra * 365 + leaps + dayOfYear - epochDays;
}

function civilFromDays(days: number): readonly [year: number, month: number, day: number] {
  const shifted = days + epochDays;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leaps =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const before = 365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - before;
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}

function two(part: number): string {
  return String(part).padStart(2, "0");
}
