import { SWARM_QUEUE, nodeJobs, nodeQueueOf, swarmJobs } from '@vibe/contracts';
import { oneByOne } from './one-by-one';
import { ACTOR, type ReaperParts } from './reaper-parts';
import { type ReconcileSnapshot, type Step, type StepArguments, type StepKind, planReconcile, ripeSteps } from './reconcile-plan';
import type { TickStats } from './tick-stats';

/** Two sightings of what has no record must be this far apart before it is removed, in ms. */
export const SIGHTINGS_APART_MS = 60_000;
const STEPS_MAX = 500;

/** Reads what nodes, Swarm and records say; null while no manager has told of the Swarm lately: then nothing is decided. */
export async function takeReconcileSnapshot({ store, reports, settings }: Pick<ReaperParts, 'store' | 'reports' | 'settings'>): Promise<ReconcileSnapshot | null> {
  const [view, nodeReports] = await Promise.all([reports.swarmView(), reports.all()]);
  if (!view) return null;
  const ids = new Set([
    ...view.services.map(({ session_id }) => session_id),
    ...view.secrets.map(({ session_id }) => session_id),
    ...nodeReports.flatMap(({ images }) => images.map(({ session_id }) => session_id)),
    ...(await store.allRunning()),
    ...(await store.inWork(0, 10_000)),
  ]);
  const records = new Map((await store.getMany([...ids])).map((record) => [record.id, record]));
  return { view, reports: nodeReports, records, baseImage: settings.BASE_IMAGE };
}

type Executors = { readonly [Kind in StepKind]: (parts: ReaperParts, args: StepArguments[Kind], why: string) => Promise<void> };

const executors: Executors = {
  lose: async ({ store }, { session_id, rev }, why) => {
    // Its service is retired by the next round, or kept while its node may come back.
    await store.move({ id: session_id, rev, to: 'lost', actor: ACTOR, reason: why, set: { container_id: null, task_name: null, service_id: null } });
  },
  retire: ({ queues }, args) => queues.add(SWARM_QUEUE, swarmJobs.retire, args),
  dropImage: ({ queues }, { node_id, ...payload }) => queues.add(nodeQueueOf(node_id), nodeJobs.dropImage, payload),
  prepull: ({ queues }, { node_id, image }) => queues.add(nodeQueueOf(node_id), nodeJobs.prepull, { image }),
};

function execute<Kind extends StepKind>(parts: ReaperParts, step: { kind: Kind; with: StepArguments[Kind]; why: string }): Promise<void> {
  return executors[step.kind](parts, step.with, step.why);
}

/** One line a step, for the log and the dry run. */
export function printStep({ kind, with: args, why, sighting }: Step): Record<string, unknown> {
  return { step: kind, ...args, why, ...(sighting === null ? {} : { sighting }) };
}

/** Holds nodes and Swarm against the records, and asks for what must be done. Every step may be repeated. */
export async function reconcile(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const { care, logger, metrics } = parts;
  const snapshot = await takeReconcileSnapshot(parts);
  if (!snapshot) return { steps: 0 };
  const steps = planReconcile(snapshot);
  const sightings = steps.flatMap(({ sighting }) => (sighting === null ? [] : [sighting]));
  metrics.setUnrecorded(sightings.length);
  const ripe = ripeSteps(steps, await care.sight('reconcile', sightings), SIGHTINGS_APART_MS).slice(0, STEPS_MAX);
  const failed = await oneByOne(ripe, { signal, logger, failure: 'a step could not be done', fieldsOf: printStep }, async (step) => {
    logger.info('reconcile', printStep(step));
    await execute(parts, step);
  });
  return { steps: ripe.length, unripe: steps.length - ripe.length, failed };
}
