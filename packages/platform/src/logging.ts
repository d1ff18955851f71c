import winston from 'winston';

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Readonly<Record<string, unknown>>;

/** Events, not stories: a constant message, ids as fields (snake_case). No payloads, no secrets. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** The same log with these fields on every line. */
  child(fields: LogFields): Logger;
}

const MAX_CAUSES = 5;

/**
 * An error as plain data, with its causes: winston alone prints a nested Error as `{}`. Takes a closed set of properties:
 * clients hang requests with credentials and whole commands on their errors.
 */
export function spellOutError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { code, details, statusCode } = error as { code?: unknown; details?: unknown; statusCode?: unknown };
  const nested = error instanceof AggregateError ? error.errors.map((inner) => spellOutError(inner, depth + 1)) : undefined;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(statusCode === undefined ? {} : { status_code: statusCode }),
    ...(details === undefined ? {} : { details }),
    ...(nested && depth < MAX_CAUSES ? { errors: nested } : {}),
    ...(error.cause === undefined || depth >= MAX_CAUSES ? {} : { cause: spellOutError(error.cause, depth + 1) }),
    stack: error.stack,
  };
}

function spellOutFields(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, spellOutError(value)]));
}

/** JSON lines on stdout (or the stream given). Fields can never overwrite level, message, time or service. */
export function createLogger(options: { service: string; level: LogLevel; stream?: NodeJS.WritableStream }): Logger {
  const base = winston.createLogger({
    level: options.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: winston.format.combine(winston.format.timestamp({ alias: 'time' }), dropTimestamp(), winston.format.json({ deterministic: false })),
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stdout })],
  });
  const bind = (bound: LogFields): Logger => {
    const at = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
      base.log({ ...bound, ...spellOutFields(fields), service: options.service, level, message });
    };
    return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), child: (fields) => bind({ ...bound, ...spellOutFields(fields) }) };
  };
  return bind({});
}

/** winston writes `timestamp` beside its alias; one of them is enough. */
const dropTimestamp = winston.format((info) => {
  delete info.timestamp;
  return info;
});

/** A log that goes nowhere, for tests and tools. */
export const silentLogger: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {}, child: () => silentLogger };
