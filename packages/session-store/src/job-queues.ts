import { type AnyJobDefinition, type JobDefinition, type PayloadOf, jobToAdd } from '@vibe/contracts';
import { type Job, Queue, UnrecoverableError, Worker, type WorkerOptions } from 'bullmq';
import type { Redis } from 'ioredis';

/**
 * How long a job stays with a process that no longer says that it works on it, in ms; looked at as often. A start has 60 s in
 * all: with BullMQ's own 30 s and 30 s it would fail because one agent died.
 */
const LOCK_MS = 10_000;

/** Adds jobs by the catalog. One BullMQ queue a name, opened at first use. */
export class JobQueues {
  private readonly open = new Map<string, Queue>();

  /** @param connection fails fast: whoever adds a job is waited for. The reaper adds again what was not added. */
  constructor(private readonly connection: Redis) {}

  private queue(name: string): Queue {
    let queue = this.open.get(name);
    if (!queue) {
      queue = new Queue(name, { connection: this.connection });
      // Without a listener an emitted error ends the process; a failed add rejects anyway.
      queue.on('error', () => undefined);
      this.open.set(name, queue);
    }
    return queue;
  }

  /**
   * The queue of this name, when it can be used. BullMQ keeps for good that its first word with Redis failed: such a queue is
   * thrown away, and opened anew by the next call.
   */
  async ready(name: string): Promise<Queue> {
    const queue = this.queue(name);
    try {
      await queue.waitUntilReady();
      return queue;
    } catch (error) {
      if (this.open.get(name) === queue) this.open.delete(name);
      await queue.close().catch(() => undefined);
      throw error;
    }
  }

  /** Adds a job; a second add of the same id while the first is there changes nothing. */
  async add<Payload>(queueName: string, job: JobDefinition<Payload>, payload: Payload): Promise<void> {
    const { name, data, opts } = jobToAdd(job, payload);
    await (await this.ready(queueName)).add(name, data, opts);
  }

  /** Takes a queue away, with every job that is in it or taken from it: for one that nobody serves any more. The next add makes it anew. Safe to repeat. */
  async obliterate(name: string): Promise<void> {
    const queue = await this.ready(name);
    await queue.obliterate({ force: true });
    this.open.delete(name);
    await queue.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.open.values()].map((queue) => queue.close()));
  }
}

/** What a handler gets besides its payload. */
export interface JobContext {
  /** Aborted when the process stops: leave what is not past its commit point. */
  readonly signal: AbortSignal;
  readonly job: Job;
  readonly token: string | undefined;
}

export type JobHandler<Payload> = (payload: Payload, context: JobContext) => Promise<void>;

/** A handler for every job of a catalog: a service that lacks one does not compile. */
export type HandlersOf<Catalog extends Record<string, AnyJobDefinition>> = { [Key in keyof Catalog]: JobHandler<PayloadOf<Catalog[Key]>> };

/** Does one job, by its name and what came with it. */
export type TakeJob = (job: { readonly name: string; readonly data: unknown }, context: JobContext) => Promise<void>;

/** Leads each job of a catalog to its handler. Payloads are parsed at the door: a crafted or unknown job fails at once and for good. */
export function jobTaker<Catalog extends Record<string, AnyJobDefinition>>(catalog: Catalog, handlers: HandlersOf<Catalog>): TakeJob {
  const byName = new Map<string, { payload: AnyJobDefinition['payload']; handle: JobHandler<unknown> }>(
    Object.entries(catalog).map(([key, definition]) => [definition.name, { payload: definition.payload, handle: handlers[key as keyof Catalog] as unknown as JobHandler<unknown> }]),
  );
  return async ({ name, data }, context) => {
    const known = byName.get(name);
    if (!known) throw new UnrecoverableError(`no handler for a job named ${name}`);
    const payload = known.payload.safeParse(data);
    if (!payload.success) throw new UnrecoverableError(`bad payload for ${name}: ${payload.error.message}`);
    await known.handle(payload.data, context);
  };
}

/**
 * Takes jobs of one queue.
 * The caller closes the worker (with a limit: BullMQ's own close waits without one).
 */
export function createJobWorker<Catalog extends Record<string, AnyJobDefinition>>(options: {
  queueName: string;
  catalog: Catalog;
  handlers: HandlersOf<Catalog>;
  connection: Redis;
  signal: AbortSignal;
  settings?: Omit<WorkerOptions, 'connection'>;
}): Worker {
  const { queueName, catalog, handlers, connection, signal, settings } = options;
  const take = jobTaker(catalog, handlers);
  return new Worker(queueName, (job, token) => take(job, { signal, job, token }), { lockDuration: LOCK_MS, stalledInterval: LOCK_MS, ...settings, connection });
}
