import { Histogram, type Registry } from '@vibe/platform';
import type { Job, Worker } from 'bullmq';

/** Counts and times the jobs of this process by name and outcome. */
export function createJobCounter(registry: Registry) {
  const seconds = new Histogram({ name: 'vibe_job_seconds', help: 'Time from taking a job to its end', labelNames: ['job', 'outcome'], buckets: [0.05, 0.2, 1, 3, 10, 30, 120], registers: [registry] });
  const observe = (job: Job, outcome: 'done' | 'failed') => seconds.observe({ job: job.name, outcome }, (Date.now() - (job.processedOn ?? Date.now())) / 1_000);
  return {
    /** Follows a worker; `onFailed` is told of every failed attempt. */
    follow(worker: Worker, onFailed: (job: Job | undefined, error: Error) => void): void {
      worker.on('completed', (job) => observe(job, 'done'));
      worker.on('failed', (job, error) => {
        if (job) observe(job, 'failed');
        onFailed(job, error);
      });
      // An emitter without this listener would end the process; absence of Redis is logged by its connection.
      worker.on('error', () => undefined);
    },
  };
}
