import { keys } from '@vibe/session-store';
import type { Redis } from 'ioredis';
import type { Job, JobLine } from './job-line';

interface Image {
  readonly dump: readonly (readonly [key: string, value: Buffer, ttlMs: number])[];
  readonly jobs: readonly Job[];
}

const KEPT = 8;

/**
 * Redis as it was: after an append-only file was cut, or all was lost. The clock goes on, whatever Redis remembers: its offset
 * is of the histories, not of the product.
 */
export class RedisImages {
  private readonly kept: Image[] = [];

  constructor(
    private readonly redis: Redis,
    private readonly line: JobLine,
  ) {}

  /** Keeps what Redis holds now; the oldest go. */
  async keep(): Promise<void> {
    const names = (await this.redis.keys('*')).filter((name) => name !== keys.clockOffset);
    const dump = await Promise.all(names.map(async (name) => [name, await this.redis.dumpBuffer(name), Math.max(0, await this.redis.pttl(name))] as const));
    this.kept.push({ dump: dump.filter(([, value]) => value !== null), jobs: this.line.image() });
    if (this.kept.length > KEPT) this.kept.shift();
  }

  /** All is lost. */
  async empty(): Promise<void> {
    const offset = await this.redis.get(keys.clockOffset);
    const clear = this.redis.multi().flushall();
    if (offset !== null) clear.set(keys.clockOffset, offset);
    await clear.exec();
    this.line.restore([]);
    this.kept.length = 0;
  }

  /** Redis is as it was some kept moments ago; false when no such moment was kept. */
  async rewind(moments: number): Promise<boolean> {
    const image = this.kept.at(-1 - moments);
    if (!image) return false;
    const kept = [...this.kept];
    await this.empty();
    const restore = this.redis.multi();
    for (const [name, value, ttlMs] of image.dump) restore.restore(name, ttlMs, value, 'REPLACE');
    await restore.exec();
    this.line.restore(image.jobs);
    this.kept.push(...kept.slice(0, kept.indexOf(image) + 1));
    return true;
  }
}
