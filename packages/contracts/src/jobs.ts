import { z } from 'zod';
import { collectionRunSchema, digestSchema, sessionIdSchema } from './ids';
import type { SessionRecord } from './session-record';

/** What the queue needs to know of a job: a subset of BullMQ's own options, so that both ends use the same. */
export interface JobOptions {
  readonly attempts: number;
  readonly backoff?: { readonly type: 'fixed' | 'exponential'; readonly delay: number };
}

/** One kind of job: name, payload, id rule, retry options. Defined once, used by the producer and the worker. */
export interface JobDefinition<Payload> {
  readonly name: string;
  readonly payload: z.ZodType<Payload>;
  /** Two adds that mean the same work get the same id, so the second is swallowed while the first is there. */
  readonly idOf: (payload: Payload) => string;
  readonly options: JobOptions;
}

/** Any job, where only name and payload matter. */
export interface AnyJobDefinition {
  readonly name: string;
  readonly payload: z.ZodType;
  readonly idOf: (payload: never) => string;
  readonly options: JobOptions;
}

const rev = z.number().int().positive();
const gen = z.number().int().positive();
const sessionWork = z.strictObject({ session_id: sessionIdSchema, rev });
export type SessionWork = z.output<typeof sessionWork>;

const idOfSessionWork = (name: string) => (payload: { session_id: string; rev: number }): string => `${name}-${payload.session_id}-r${payload.rev}`;

/** Ids hold no colon: the part of a digest that tells images apart. */
const shortDigest = (digest: string): string => digest.slice('sha256:'.length, 'sha256:'.length + 24);

const once: JobOptions = { attempts: 1 };
const retried: JobOptions = { attempts: 5, backoff: { type: 'exponential', delay: 1_000 } };

function define<Schema extends z.ZodType>(name: string, payload: Schema, idOf: (payload: z.output<Schema>) => string, options: JobOptions) {
  return { name, payload, idOf, options } as const;
}

/** Jobs of the queue `swarm`: taken by the agents on managers. */
export const swarmJobs = {
  /** Makes secret and service of the generation that the record claims (create or wake). */
  start: define('start', sessionWork, idOfSessionWork('start'), retried),
  /** Removes one generation's service, by service id where it is known, then its secret. */
  retire: define(
    'retire',
    z.strictObject({ session_id: sessionIdSchema, rev, gen, service_id: z.string().nullable() }),
    (payload) => `retire-${payload.session_id}-g${payload.gen}-r${payload.rev}`,
    retried,
  ),
  /** Erases a session that is `deleting`: service, secret, registry; asks every node that held it to drop its images. */
  erase: define('erase', sessionWork, idOfSessionWork('erase'), retried),
  /** Collects the registry's garbage, or goes on with the collection that is under way. `run` tells one from the next: a late job begins none. */
  collect: define('collect', z.strictObject({ run: collectionRunSchema }), () => 'collect', retried),
} as const;

/** Jobs of the queue `node-{nodeId}`: taken by the agent on that node alone. */
export const nodeJobs = {
  /** Freeze, look, commit, push, prove, commit point. A failed attempt ends by a move back, so it is not retried as a job. */
  hibernate: define('hibernate', sessionWork, idOfSessionWork('hibernate'), once),
  /** Removes a session's images from this node: all of them (digest null), one by digest, or (with image_id) one that was never pushed. */
  dropImage: define(
    'drop-image',
    z.strictObject({ session_id: sessionIdSchema, digest: digestSchema.nullable(), rev, image_id: digestSchema.optional() }),
    ({ session_id, rev, digest, image_id }) => `drop-image-${session_id}-r${rev}-${image_id ? `i${shortDigest(image_id)}` : digest ? shortDigest(digest) : 'all'}`,
    retried,
  ),
  /** Removes a container of this node that has no service any more and that no record calls its own. */
  dropContainer: define('drop-container', z.strictObject({ session_id: sessionIdSchema, container_id: z.string().regex(/^[0-9a-f]{12,64}$/) }), (payload) => `drop-container-${payload.container_id}`, retried),
  /** Pulls the base image from our registry, so that a first start or wake fetches nothing. */
  prepull: define('prepull', z.strictObject({ image: z.string().min(1).max(300) }), (payload) => `prepull-${payload.image.replaceAll(/[^a-zA-Z0-9.-]/g, '_')}`, retried),
} as const;

/** The reaper's own ticks, put on its queue by job schedulers. */
export const reaperJobs = {
  idle: define('idle', z.strictObject({}), () => 'idle', once),
  deadlines: define('deadlines', z.strictObject({}), () => 'deadlines', once),
  reconcile: define('reconcile', z.strictObject({}), () => 'reconcile', once),
  registryCare: define('registry-care', z.strictObject({}), () => 'registry-care', once),
} as const;

export const SWARM_QUEUE = 'swarm';
export const REAPER_QUEUE = 'reaper';
export const nodeQueueOf = (nodeId: string): string => `node-${nodeId}`;

export type PayloadOf<Job extends AnyJobDefinition> = z.output<Job['payload']>;

/** What retires the generation a record had before the move that made it `rev`. */
export function retirementOf(before: Pick<SessionRecord, 'id' | 'gen' | 'service_id'>, rev: number): PayloadOf<typeof swarmJobs.retire> {
  return { session_id: before.id, rev, gen: before.gen, service_id: before.service_id ?? null };
}

/** What a producer hands to BullMQ's `queue.add(name, data, opts)`. Ended jobs are removed at once: a kept id would swallow the next add. */
export function jobToAdd<Payload>(job: JobDefinition<Payload>, payload: Payload) {
  return {
    name: job.name,
    data: job.payload.parse(payload),
    opts: { jobId: job.idOf(payload), attempts: job.options.attempts, ...(job.options.backoff ? { backoff: { ...job.options.backoff } } : {}), removeOnComplete: true, removeOnFail: true },
  } as const;
}
