import { performance } from 'node:perf_hooks';
import { sessionStates, type SessionState } from '@vibe/contracts';
import { Counter, Gauge, Histogram, type Registry } from '@vibe/platform';
import { type Scope, scopes } from './perform-steps';
import type { TickName } from './schedules';

export const alarms = [
  'deleting_overdue',
  'rewound',
  'container_missing',
  'snapshot_missing',
  'base_image_missing',
  'repositories_unrecorded',
  'repository_unreadable',
  'agent_missing',
  'collection_overdue',
  'collection_failed',
] as const;
export type Alarm = (typeof alarms)[number];

/** What the reaper counts. Label sets are closed. */
export interface ReaperMetrics {
  tickEnded(tick: TickName, outcome: 'done' | 'failed', ms: number): void;
  setOverdue(count: number): void;
  setUnrecorded(scope: Scope, count: number): void;
  setRebuilding(isRebuilding: boolean): void;
  raise(alarm: Alarm): void;
}

/** @param options.countSessions asked at every scrape */
export function createReaperMetrics(options: { registry: Registry; countSessions: () => Promise<Record<SessionState, number>> }): ReaperMetrics {
  const registers = [options.registry];
  const seconds = new Histogram({ name: 'vibe_tick_seconds', help: 'Time of one tick', labelNames: ['tick', 'outcome'], buckets: [0.01, 0.05, 0.2, 1, 5, 20, 60], registers });
  const overdue = new Gauge({ name: 'vibe_sessions_overdue', help: 'Sessions found overdue by the last look', registers });
  const unrecorded = new Gauge({ name: 'vibe_orphans', help: 'What no record wants and waits for its second sighting, by the last look', labelNames: ['scope'], registers });
  for (const scope of scopes) unrecorded.set({ scope }, 0);
  const rebuilding = new Gauge({ name: 'vibe_rebuilding', help: '1 while Redis is being filled again', registers });
  const raised = new Counter({ name: 'vibe_alarms_total', help: 'Things that a person should look at', labelNames: ['alarm'], registers });
  for (const alarm of alarms) raised.inc({ alarm }, 0);

  const endedAt = new Map<TickName, number>();
  new Gauge({
    name: 'vibe_tick_age_seconds',
    help: 'Time since the tick last ended',
    labelNames: ['tick'],
    registers,
    collect() {
      for (const [tick, at] of endedAt) this.set({ tick }, (performance.now() - at) / 1_000);
    },
  });
  new Gauge({
    name: 'vibe_sessions',
    help: 'Sessions by state',
    labelNames: ['state'],
    registers,
    async collect() {
      try {
        const counts = await options.countSessions();
        for (const state of sessionStates) this.set({ state }, counts[state]);
      } catch {
        // Redis is away: its connection logs that, and old numbers would lie.
        this.reset();
      }
    },
  });

  return {
    tickEnded(tick, outcome, ms) {
      endedAt.set(tick, performance.now());
      seconds.observe({ tick, outcome }, ms / 1_000);
    },
    setOverdue: (count) => overdue.set(count),
    setUnrecorded: (scope, count) => unrecorded.set({ scope }, count),
    setRebuilding: (isRebuilding) => rebuilding.set(isRebuilding ? 1 : 0),
    raise: (alarm) => raised.inc({ alarm }),
  };
}
