import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { logLevels } from './logging';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Thrown when settings are wrong; the message has one line a problem. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';

  constructor(readonly problems: readonly string[]) {
    super(`wrong settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/** Parses settings once, at the door. Throws a SettingsError that names every problem, not only the first. */
export function parseSettings<Schema extends z.ZodType>(schema: Schema, env: Environment): z.output<Schema> {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  throw new SettingsError(parsed.error.issues.map((issue) => `${issue.path.join('.') || 'settings'}: ${issue.message}`));
}

/** Stack files pass `${NAME:-}` for what nobody set: an empty value means unset. */
const unsetWhenEmpty = (value: unknown): unknown => (value === '' ? undefined : value);

/** A number with its bounds. The setting's name carries the unit. */
export function numberSetting(options: { default: number; min?: number; max?: number; isInteger?: boolean }) {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  const kind = options.isInteger === true ? 'a whole number' : 'a number';
  const wanted = max === Number.MAX_SAFE_INTEGER ? `must be ${kind} from ${min}` : `must be ${kind} from ${min} to ${max}`;
  const decimal = z
    .string()
    .trim()
    .regex(options.isInteger === true ? /^-?\d+$/ : /^-?\d+(\.\d+)?$/, wanted)
    .transform(Number)
    .pipe(z.number(wanted).min(min, wanted).max(max, wanted));
  return z.preprocess(unsetWhenEmpty, decimal.optional()).transform((value) => value ?? options.default);
}

/** A text; without a default it must be set. */
export function textSetting(options: { default?: string; pattern?: RegExp; wanted?: string } = {}) {
  const text = z.string('must be set').regex(options.pattern ?? /./s, options.wanted ?? 'has a wrong form');
  return z.preprocess((value) => unsetWhenEmpty(value) ?? options.default, text);
}

/** A text that may be empty on purpose: only the absent variable takes the default. */
export function maybeEmptySetting(fallback: string) {
  return z.string().default(fallback);
}

/** One of a closed set. */
export function choiceSetting<const Choice extends string>(choices: readonly [Choice, ...Choice[]], fallback?: Choice) {
  return z.preprocess((value) => unsetWhenEmpty(value) ?? fallback, z.enum(choices, `must be one of ${choices.join(', ')}`));
}

/** A comma-separated list, empty by default; each entry must match. */
export function listSetting(options: { pattern: RegExp; wanted: string }) {
  return z
    .string()
    .default('')
    .transform((list) => list.split(',').map((entry) => entry.trim()).filter((entry) => entry !== ''))
    .pipe(z.array(z.string().regex(options.pattern, options.wanted)));
}

/** The trimmed content of the file that the setting names: how a secret comes in, never as a value of the environment. */
export function secretFileSetting(defaultPath: string) {
  return textSetting({ default: defaultPath }).transform((path, context) => {
    try {
      const content = readFileSync(path, 'utf8').trim();
      if (content !== '') return content;
      context.addIssue({ code: 'custom', message: `the file ${path} is empty` });
    } catch (error) {
      context.addIssue({ code: 'custom', message: `cannot read the file ${path} (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})` });
    }
    return z.NEVER;
  });
}

/** The settings that every service has: spread them into its own schema. */
export const serviceSettings = {
  PORT: numberSetting({ default: 3000, min: 0, max: 65_535, isInteger: true }),
  LOG_LEVEL: choiceSetting(logLevels, 'info'),
  VIBE_FAILPOINTS: maybeEmptySetting(''),
};

export const redisUrlSetting = textSetting({ default: 'redis://redis:6379', pattern: /^rediss?:\/\/[^\s]+$/, wanted: 'must be a URL redis://host:port' });
