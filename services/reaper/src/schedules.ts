import { reaperJobs } from '@vibe/contracts';
import type { Queue } from 'bullmq';
import { type Settings, idleEveryMs } from './settings';

export const tickNames = ['idle', 'deadlines', 'reconcile', 'registryCare'] as const satisfies readonly (keyof typeof reaperJobs)[];
export type TickName = (typeof tickNames)[number];

/** How often each tick comes, in ms. */
export function tickEveryMs(settings: Pick<Settings, 'IDLE_TIMEOUT_MINUTES'>): Record<TickName, number> {
  return { idle: idleEveryMs(settings), deadlines: 2_000, reconcile: 10_000, registryCare: 60_000 };
}

/** What a BullMQ queue must be able to do for the schedules to stand. */
type SchedulerQueue = Pick<Queue, 'getJobSchedulers' | 'upsertJobScheduler' | 'removeJobScheduler'>;

/**
 * Makes the schedulers be as they should: every tick there, at its pace, and no other. They live in Redis and are lost with
 * it, so this is repeated. One that stands is left alone: to write it again would put its next tick off.
 */
export async function ensureSchedules(queue: SchedulerQueue, everyMs: Record<TickName, number>): Promise<void> {
  const standing = new Map((await queue.getJobSchedulers()).map((scheduler) => [scheduler.key, Number(scheduler.every)]));
  for (const tick of tickNames) {
    const { name, options } = reaperJobs[tick];
    if (standing.get(name) === everyMs[tick]) continue;
    await queue.upsertJobScheduler(name, { every: everyMs[tick] }, { name, data: {}, opts: { attempts: options.attempts, removeOnComplete: true, removeOnFail: true } });
  }
  const wanted = new Set<string>(tickNames.map((tick) => reaperJobs[tick].name));
  for (const key of standing.keys()) if (!wanted.has(key)) await queue.removeJobScheduler(key);
}

/** Takes the schedulers away and sets them up anew: for when they stand and yet no tick comes. */
export async function renewSchedules(queue: SchedulerQueue, everyMs: Record<TickName, number>): Promise<void> {
  for (const tick of tickNames) await queue.removeJobScheduler(reaperJobs[tick].name);
  await ensureSchedules(queue, everyMs);
}
