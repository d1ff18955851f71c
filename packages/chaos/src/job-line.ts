import { type JobDefinition, jobToAdd } from '@vibe/contracts';

export interface Job {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  readonly payload: unknown;
  readonly attemptsLeft: number;
}

/**
 * The queues of a history: at least once, in any order, as BullMQ promises. An id that waits or is taken swallows a second add;
 * a job whose taker died or hung waits again. They live in Redis, so they are lost and rewound with it.
 */
export class JobLine {
  private waiting: Job[] = [];
  private taken: Job[] = [];

  add<Payload>(queue: string, job: JobDefinition<Payload>, payload: Payload): Promise<void> {
    const { name, data, opts } = jobToAdd(job, payload);
    const isThere = [...this.waiting, ...this.taken].some((other) => other.id === opts.jobId && other.queue === queue);
    if (!isThere) this.waiting.push({ queue, id: opts.jobId, name, payload: data, attemptsLeft: opts.attempts });
    return Promise.resolve();
  }

  obliterate(queue: string): Promise<void> {
    this.waiting = this.waiting.filter((job) => job.queue !== queue);
    this.taken = this.taken.filter((job) => job.queue !== queue);
    return Promise.resolve();
  }

  get length(): number {
    return this.waiting.length;
  }

  /** Takes the n-th of the waiting jobs that somebody there can take; null when none waits. */
  take(n: number, isTakeable: (job: Job) => boolean = () => true): Job | null {
    const candidates = this.waiting.filter(isTakeable);
    const job = candidates[n % Math.max(1, candidates.length)];
    if (!job) return null;
    this.waiting.splice(this.waiting.indexOf(job), 1);
    this.taken.push(job);
    return job;
  }

  /** It is done, or failed for good. */
  done(job: Job): void {
    this.taken = this.taken.filter((other) => other !== job);
  }

  /** It failed: tried again while it has attempts. */
  failed(job: Job): void {
    this.done(job);
    if (job.attemptsLeft > 1) this.waiting.push({ ...job, attemptsLeft: job.attemptsLeft - 1 });
  }

  /** Its taker was lost, or asked for it to come back later: it waits again, no attempt spent. */
  again(job: Job): void {
    this.done(job);
    const isThere = this.waiting.some((other) => other.id === job.id && other.queue === job.queue);
    if (!isThere) this.waiting.push(job);
  }

  /** A waiting job is delivered twice. */
  double(n: number): void {
    const job = this.waiting[n % Math.max(1, this.waiting.length)];
    if (job) this.waiting.push({ ...job });
  }

  image(): readonly Job[] {
    return [...this.waiting, ...this.taken];
  }

  restore(image: readonly Job[]): void {
    this.waiting = [...image];
    this.taken = [];
  }
}
