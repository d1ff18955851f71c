const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time as a person says it, at most two units: "40 s", "12 min", "1 h 20 min", "6 days 4 h". Negative counts as 0. */
export function durationWords(ms: number): string {
  const left = Math.max(0, ms);
  if (left < MINUTE) return `${String(Math.floor(left / SECOND))} s`;
  if (left < HOUR) return `${String(Math.floor(left / MINUTE))} min`;
  if (left < DAY) return twoUnits(Math.floor(left / HOUR), 'h', Math.floor((left % HOUR) / MINUTE), 'min');
  const days = Math.floor(left / DAY);
  return twoUnits(days, days === 1 ? 'day' : 'days', Math.floor((left % DAY) / HOUR), 'h');
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${String(large)} ${largeUnit}` : `${String(large)} ${largeUnit} ${String(small)} ${smallUnit}`;
}

/** How long ago `at` was: "just now" below 10 s. Times are ms since 1970. */
export function agoWords(at: number, now: number): string {
  return now - at < 10 * SECOND ? 'just now' : `${durationWords(now - at)} ago`;
}

/** The wall clock in the reader's own time zone: "15:40" within the next or last 12 hours, else "Fri 28 Nov, 15:40". */
export function clockWords(at: number, now: number): string {
  const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' }).format(at);
  if (Math.abs(at - now) < 12 * HOUR) return time;
  return `${new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' }).format(at).replace(',', '')}, ${time}`;
}

/** Seconds for a step under way, with one decimal below ten: "3.4 s", "42 s", "1 min 5 s". */
export function elapsedWords(ms: number): string {
  const seconds = Math.max(0, ms) / SECOND;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${String(Math.floor(seconds))} s`;
  return `${String(Math.floor(seconds / 60))} min ${String(Math.floor(seconds % 60))} s`;
}

/** Bytes in decimal units, as disks are sold: "0 B", "820 kB", "103 MB", "1.4 GB". */
export function bytesWords(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? 'B'}`;
}
