import { agoWords, bytesWords, clockWords, durationWords, elapsedWords } from './relative-time';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

it.each([
  [-5, '0 s'], [59_999, '59 s'], [MINUTE, '1 min'], [HOUR - 1, '59 min'], [HOUR, '1 h'], [80 * MINUTE, '1 h 20 min'], [24 * HOUR, '1 day'], [6 * 24 * HOUR + 4.9 * HOUR, '6 days 4 h'],
])('%d ms are said as %s', (ms, words) => {
  expect(durationWords(ms)).toBe(words);
});

it('what was a moment ago was just now, in the future too', () => {
  expect(agoWords(1_000, 5_000)).toBe('just now');
  expect(agoWords(9_000, 5_000)).toBe('just now');
  expect(agoWords(0, 2 * MINUTE)).toBe('2 min ago');
});

it('a near time is a clock, a far one has its day', () => {
  const noon = new Date(2026, 10, 23, 12, 0).getTime();
  expect(clockWords(noon, noon + HOUR)).toBe('12:00');
  expect(clockWords(noon, noon - 48 * HOUR)).toBe('Mon 23 Nov, 12:00');
});

it.each([[0, '0.0 s'], [3_440, '3.4 s'], [42_900, '42 s'], [65_000, '1 min 5 s']])('%d ms of work are shown as %s', (ms, words) => {
  expect(elapsedWords(ms)).toBe(words);
});

it.each([[0, '0 B'], [999, '999 B'], [1_000, '1.0 kB'], [820_400, '820 kB'], [103_000_000, '103 MB'], [1_449_000_000, '1.4 GB'], [999_600, '1.0 MB']])('%d bytes are %s', (bytes, words) => {
  expect(bytesWords(bytes)).toBe(words);
});
