import { type AnyJobDefinition, type JobDefinition, jobToAdd } from '@vibe/contracts';
import type { JobContext } from '@vibe/session-store';
import { DelayedError } from 'bullmq';

export interface WaitingJob {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  readonly payload: unknown;
}

const TURNS_MAX = 500;

/** The queues of a test: a line of jobs that are taken one by one, when the test says so. Ids are kept unique as BullMQ does. */
export class JobLine {
  readonly waiting: WaitingJob[] = [];

  add<Payload>(queue: string, job: JobDefinition<Payload>, payload: Payload): Promise<void> {
    const { name, data, opts } = jobToAdd(job, payload);
    if (!this.waiting.some((other) => other.id === opts.jobId && other.queue === queue)) this.waiting.push({ queue, id: opts.jobId, name, payload: data });
    return Promise.resolve();
  }

  /** Takes jobs until none waits. One that asks to come back later goes to the end of the line. */
  async drain(take: (job: WaitingJob, context: JobContext) => Promise<void>): Promise<void> {
    for (let turns = 0; this.waiting.length > 0; turns++) {
      if (turns > TURNS_MAX) throw new Error(`the line never ends: ${this.waiting.map(({ id }) => id).join(', ')}`);
      const job = this.waiting.shift() as WaitingJob;
      try {
        await take(job, contextOf());
      } catch (error) {
        if (!(error instanceof DelayedError)) throw error;
        this.waiting.push(job);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}

/** What a handler gets besides its payload, with a job that can be put off. */
export function contextOf(signal: AbortSignal = new AbortController().signal): JobContext {
  return { signal, token: 'token', job: { moveToDelayed: () => Promise.resolve() } as unknown as JobContext['job'] };
}

/** The jobs of a kind that wait. */
export const waitingOf = (line: JobLine, job: AnyJobDefinition): WaitingJob[] => line.waiting.filter(({ name }) => name === job.name);
