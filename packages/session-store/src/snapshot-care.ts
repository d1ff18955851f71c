import type { Redis } from 'ioredis';
import { keys } from './keys';
import { runScript, script } from './script-runner';
import { dueScript, nowScript } from './scripts/clock';

const due = script(dueScript);
const now = script(nowScript);

/** One thing in the registry that may go: a tag that was never proven, or a digest that a newer snapshot replaced. */
export interface Droppable {
  readonly session_id: string;
  /** A tag, or `sha256:…`. */
  readonly reference: string;
}

function droppableOf(member: string): Droppable {
  const [session_id = '', reference = ''] = member.split(' ');
  return { session_id, reference };
}

/** What may go from the registry, and first sightings of what has no record. */
export class SnapshotCare {
  constructor(private readonly redis: Redis) {}

  /** Before a push: this tag may be dropped after `ms`, unless the commit point keeps it. */
  async expectTag(sessionId: string, tag: string, ms: number): Promise<void> {
    const at = Number(await runScript(this.redis, now, [], [])) + ms;
    await this.redis.zadd(keys.droppable, at, `${sessionId} ${tag}`);
  }

  /** What is due to be dropped, the longest due first. */
  async due(limit: number): Promise<Droppable[]> {
    const members = (await runScript(this.redis, due, [keys.droppable], ['0', String(limit)])) as string[];
    return members.map(droppableOf);
  }

  /** Puts what is due behind everything else that is: whoever looks at the first few comes to all of it in turn. Safe to repeat. */
  async putBehind(droppables: readonly Droppable[]): Promise<void> {
    if (droppables.length === 0) return;
    const at = Number(await runScript(this.redis, now, [], []));
    // Only what is still there: what was settled or kept meanwhile stays out.
    await this.redis.zadd(keys.droppable, 'XX', ...droppables.flatMap(({ session_id, reference }) => [at, `${session_id} ${reference}`]));
  }

  /** Everything that may go sooner or later. */
  async all(): Promise<Droppable[]> {
    return (await this.redis.zrange(keys.droppable, 0, -1)).map(droppableOf);
  }

  /** It is gone from the registry (or must stay). */
  async settle(droppable: Droppable): Promise<void> {
    await this.redis.zrem(keys.droppable, `${droppable.session_id} ${droppable.reference}`);
  }

  /**
   * Remembers what a round of this scope saw without a record, and forgets what it saw no more.
   * Returns how long each has been seen, in ms: destroying needs two sightings far enough apart.
   */
  async sight(scope: string, seen: readonly string[]): Promise<Map<string, number>> {
    const at = Number(await runScript(this.redis, now, [], []));
    const fieldOf = (key: string) => `${scope} ${key}`;
    const before = await this.redis.hgetall(keys.sightings);
    const still = new Set(seen.map(fieldOf));
    const gone = Object.keys(before).filter((field) => field.startsWith(`${scope} `) && !still.has(field));
    const update = this.redis.multi();
    if (gone.length > 0) update.hdel(keys.sightings, ...gone);
    for (const field of still) if (!(field in before)) update.hset(keys.sightings, field, at);
    await update.exec();
    return new Map(seen.map((key) => [key, at - Number(before[fieldOf(key)] ?? at)]));
  }

  /** Forgets every sighting: what was seen before a rebuild is no first sighting of what is seen after it. */
  async forgetSightings(): Promise<void> {
    await this.redis.del(keys.sightings);
  }

  /** How long each thing of this scope has been seen, in ms, as the last round left it. Changes nothing. */
  async seenFor(scope: string): Promise<Map<string, number>> {
    const at = Number(await runScript(this.redis, now, [], []));
    const fields = Object.entries(await this.redis.hgetall(keys.sightings)).filter(([field]) => field.startsWith(`${scope} `));
    return new Map(fields.map(([field, since]) => [field.slice(scope.length + 1), at - Number(since)]));
  }
}
