import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script and its digest, by which Redis keeps it. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

export const script = (source: string): Script => ({ source, sha1: createHash('sha1').update(source).digest('hex') });

/** Runs a script by its digest; sends the source when Redis does not know it yet (new, restarted or emptied). */
export async function runScript(redis: Redis, { source, sha1 }: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
  try {
    return await redis.evalsha(sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return redis.eval(source, keys.length, ...keys, ...args);
  }
}
