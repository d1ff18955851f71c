import { collectionRunSchema } from '@vibe/contracts';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { keys } from './keys';
import { runScript, script } from './script-runner';
import { advanceCollectionScript, beginCollectionScript, collectionDueScript, endCollectionScript } from './scripts/collection';

const scripts = { begin: script(beginCollectionScript), advance: script(advanceCollectionScript), end: script(endCollectionScript), due: script(collectionDueScript) };

/**
 * The steps of a collection. `draining`: what is falling asleep ends. `closing`: the registry becomes read-only. `collecting`:
 * its garbage is collected. `opening`: it becomes writable again, whatever went before.
 */
export const collectionSteps = ['draining', 'closing', 'collecting', 'opening'] as const;
export type CollectionStep = (typeof collectionSteps)[number];

/** How a collection ended: all done; given up because something took too long; failed; or only put right what was left of one that nobody knew of. */
const collectionOutcomes = ['collected', 'given_up', 'failed', 'put_right'] as const;

const time = z.coerce.number().int().nonnegative();
const passed = time.optional();

const collectionSchema = z.object({
  run: collectionRunSchema,
  step: z.enum(collectionSteps),
  step_since: time,
  started_at: time,
  /** From here on it is put right, whatever it was at. */
  deadline_at: time,
  outcome: z.enum(collectionOutcomes).optional(),
  reason: z.string().optional(),
  freed_bytes: time.optional(),
  ms_draining: passed,
  ms_closing: passed,
  ms_collecting: passed,
  ms_opening: passed,
});
/** A collection under way. Times are ms of Redis' clock. */
export type Collection = z.output<typeof collectionSchema>;

const endedSchema = collectionSchema.extend({
  outcome: z.enum(collectionOutcomes),
  ended_at: time,
  /** The run whose failure a person was told of. */
  told: collectionRunSchema.optional(),
});
/** A collection that has ended. */
export type EndedCollection = z.output<typeof endedSchema>;

export type CollectionFields = Partial<Pick<Collection, 'outcome' | 'reason' | 'freed_bytes'>>;

const encode = (fields: CollectionFields): string => JSON.stringify(Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, String(value)])));

/**
 * The flag and the state of the registry's garbage collection. While it is there no move to `hibernating` is made: nothing
 * begins to be pushed. Every change compares run and step, so that whoever is late changes nothing.
 */
export class RegistryCollection {
  constructor(private readonly redis: Redis) {}

  /** The collection that is under way, or null. */
  async current(): Promise<Collection | null> {
    const hash = await this.redis.hgetall(keys.collection);
    return Object.keys(hash).length === 0 ? null : collectionSchema.parse(hash);
  }

  /** How the last one ended; null when none is remembered. */
  async last(): Promise<EndedCollection | null> {
    const hash = await this.redis.hgetall(keys.collected);
    return hash['run'] === undefined ? null : endedSchema.parse(hash);
  }

  /** Begins a collection. Returns the one under way, be it this run or another; null when this run has ended. Safe to repeat. */
  async begin(options: { run: string; step: CollectionStep; limitMs: number; set?: CollectionFields }): Promise<Collection | null> {
    const { run, step, limitMs, set = {} } = options;
    const reply = await runScript(this.redis, scripts.begin, [], [run, step, String(limitMs), encode(set)]);
    return reply === 'ended' ? null : this.current();
  }

  /** One step further; null when the collection is not where the caller thinks. */
  async advance(from: Collection, to: CollectionStep, options: { limitMs?: number; set?: CollectionFields } = {}): Promise<Collection | null> {
    const { limitMs, set = {} } = options;
    const reply = await runScript(this.redis, scripts.advance, [], [from.run, from.step, to, limitMs === undefined ? '' : String(limitMs), encode(set)]);
    if (reply === 'stale') return null;
    const now = await this.current();
    return now?.run === from.run ? now : null;
  }

  /** Ends it: sessions may fall asleep again. Null when somebody else did so. */
  async end(collection: Collection): Promise<EndedCollection | null> {
    const reply = await runScript(this.redis, scripts.end, [], [collection.run, collection.step]);
    return reply === 'ended' ? this.last() : null;
  }

  /** A person was told that this run failed. Safe to repeat; it is forgotten with the run. */
  async tell(run: string): Promise<void> {
    await this.redis.hset(keys.collected, 'told', run);
  }

  /** Whether the last one ended `everyMs` ago or longer. Where none is remembered the time counts from the first question. */
  async isDue(everyMs: number): Promise<boolean> {
    return (await runScript(this.redis, scripts.due, [], [String(Math.round(everyMs))])) === 1;
  }
}
