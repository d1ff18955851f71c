import type { JobContext } from '@vibe/session-store';
import { DelayedError } from 'bullmq';

/** Puts the job back in line for `ms`: it has to wait for something that is under way, which is no failure. Never returns. */
export async function tryLater({ job, token }: Pick<JobContext, 'job' | 'token'>, ms: number): Promise<never> {
  await job.moveToDelayed(Date.now() + ms, token);
  throw new DelayedError();
}
