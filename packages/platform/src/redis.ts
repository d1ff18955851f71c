import { Redis } from 'ioredis';
import { CodedError } from './errors';
import type { Logger } from './logging';

export interface RedisOptions {
  /**
   * `requests`: a command fails at once while Redis is away and after 2 s when it is silent, so that a person gets an
   * answer. `workers`: commands wait (BullMQ wants it so, and blocks in them).
   */
  readonly purpose: 'requests' | 'workers';
  /** Shown by CLIENT LIST. */
  readonly name: string;
  readonly logger: Logger;
  /** How long a request's command waits for its answer; 2 s unless told. */
  readonly answerLimitMs?: number;
}

const ANSWER_LIMIT_MS = 2_000;

/** A connection that keeps trying for ever; it may be handed out before Redis is there. Close it with `closeRedis`. */
export function connectRedis(url: string, options: RedisOptions): Redis {
  const redis = new Redis(url, {
    connectionName: options.name,
    connectTimeout: ANSWER_LIMIT_MS,
    // ioredis keeps the process alive for this long after a disconnect, be the socket closed or not.
    disconnectTimeout: 300,
    retryStrategy: (times) => Math.min(times * 100, 1_000),
    ...(options.purpose === 'workers'
      ? { maxRetriesPerRequest: null }
      : // A command whose reply was lost is never sent again behind the caller's back: the caller reads the record.
        { maxRetriesPerRequest: 0, enableOfflineQueue: false, autoResendUnfulfilledCommands: false, commandTimeout: options.answerLimitMs ?? ANSWER_LIMIT_MS }),
  });
  logAbsence(redis, options.logger.child({ redis: options.name }));
  return redis;
}

/** One line when Redis goes away and one when it is back, not one a try. Also the error listener an emitter must have. */
function logAbsence(redis: Redis, logger: Logger): void {
  let isAway = false;
  let lastError: unknown;
  redis.on('error', (error) => {
    lastError = error;
  });
  redis.on('close', () => {
    if (!isAway) logger.warn('redis is away', { error: lastError });
    isAway = true;
  });
  redis.on('ready', () => {
    if (isAway) logger.info('redis is back');
    isAway = false;
    lastError = undefined;
  });
}

/** Resolves when the connection can take commands. Rejects when it was closed for good. */
export async function whenReady(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    redis.once('ready', resolve);
    redis.once('end', () => reject(new CodedError('unavailable', 'the connection to Redis was closed')));
  });
}

/** Lets the commands under way end, then closes; drops the connection at once when Redis is not there. Repeatable. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'end') return;
  if (redis.status !== 'ready') return redis.disconnect();
  try {
    await redis.quit();
  } catch {
    // The connection broke while it was being closed: it is closed.
    redis.disconnect();
  }
}

/** Replies with which Redis says that it cannot serve now, rather than that the command was wrong. */
const UNABLE_REPLY = /^(LOADING|OOM|MISCONF|READONLY|BUSY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|NOAUTH|WRONGPASS)\b/;

/**
 * True when the error says that Redis is away, silent, full or loading. ioredis throws bare `Error`s for a broken
 * connection and a passed limit, socket errors with a code, and `ReplyError` for what Redis itself answered.
 */
export function isRedisAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'ReplyError') return UNABLE_REPLY.test(error.message);
  if (error.name === 'MaxRetriesPerRequestError' || error.name === 'AbortError') return true;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return Object.getPrototypeOf(error) === Error.prototype && (code === undefined || syscall !== undefined);
}

/** Runs work on Redis; an absent Redis becomes the coded, retryable error `unavailable`. Everything else is thrown on. */
export async function whileRedisAnswers<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isRedisAway(error)) throw error;
    throw new CodedError('unavailable', 'the service cannot reach its memory; try again soon', { cause: error, retryable: true, retryAfterS: 2 });
  }
}
