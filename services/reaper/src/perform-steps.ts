import { SWARM_QUEUE, leavesContainer, nodeJobs, nodeQueueOf, repositoryOf, swarmJobs } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { oneByOne } from './one-by-one';
import { ACTOR, type ReaperParts } from './reaper-parts';
import { type Step, type StepArguments, type StepKind, ripeSteps } from './reconcile-plan';
import type { TickStats } from './tick-stats';

/** Two sightings of what has no record must be this far apart before it is removed, in ms. */
export const SIGHTINGS_APART_MS = 60_000;
const STEPS_MAX = 500;

/** The two rounds that plan steps; each keeps its own first sightings. */
export const scopes = ['reconcile', 'registry'] as const;
export type Scope = (typeof scopes)[number];

type Executors = { readonly [Kind in StepKind]: (parts: ReaperParts, args: StepArguments[Kind], why: string) => Promise<void> };

const executors: Executors = {
  lose: async ({ store }, { session_id, rev }, why) => {
    // Its service is retired by the next round, or kept while its node may come back.
    await store.move({ id: session_id, rev, to: 'lost', actor: ACTOR, reason: why, set: leavesContainer });
  },
  retire: ({ queues }, args) => queues.add(SWARM_QUEUE, swarmJobs.retire, args),
  dropImage: ({ queues }, { node_id, ...payload }) => queues.add(nodeQueueOf(node_id), nodeJobs.dropImage, payload),
  dropContainer: ({ queues }, { node_id, ...payload }) => queues.add(nodeQueueOf(node_id), nodeJobs.dropContainer, payload),
  forgetNode: async ({ queues, reports }, { node_id }) => {
    // Its name last: a round that breaks off is repeated.
    await queues.obliterate(nodeQueueOf(node_id));
    await reports.forget(node_id);
  },
  prepull: ({ queues }, { node_id, image }) => queues.add(nodeQueueOf(node_id), nodeJobs.prepull, { image }),
  eraseRepository: ({ registry }, { session_id }) => registry.deleteRepository(repositoryOf(session_id)),
  dropTag: ({ care }, { session_id, tag }) => care.expectTag(session_id, tag, 0),
  dropSnapshot: async ({ registry, care }, { session_id, reference, digest }) => {
    await registry.deleteManifest(repositoryOf(session_id), digest);
    await failpoint('care.after-drop');
    await care.settle({ session_id, reference });
  },
  alarm: ({ metrics, logger }, args, why) => {
    metrics.raise(args.alarm);
    logger.error('records and the world do not match, and nothing is done about it', { ...args, why });
    return Promise.resolve();
  },
};

function execute<Kind extends StepKind>(parts: ReaperParts, step: { kind: Kind; with: StepArguments[Kind]; why: string }): Promise<void> {
  return executors[step.kind](parts, step.with, step.why);
}

/** Does one step and says so. */
export async function performStep(parts: ReaperParts, scope: Scope, step: Step): Promise<void> {
  parts.logger.info(scope, printStep(step));
  await failpoint('reconcile.before-step');
  await execute(parts, step);
  await failpoint('reconcile.after-step');
}

/** A step as one flat object: for the log and the dry run. */
export function printStep({ kind, with: args, why, sighting }: Step): Record<string, unknown> {
  return { step: kind, ...args, why, ...(sighting === null ? {} : { sighting }) };
}

/** Does the steps that are ripe and notes the first sighting of the others. Every step may be repeated; one that fails stops no other. */
export async function performRipe(parts: ReaperParts, scope: Scope, steps: readonly Step[], signal: AbortSignal): Promise<TickStats> {
  const { care, logger, metrics } = parts;
  const sightings = steps.flatMap(({ sighting }) => (sighting === null ? [] : [sighting]));
  metrics.setUnrecorded(scope, steps.filter(({ sighting, kind }) => sighting !== null && kind !== 'alarm').length);
  const ripe = ripeSteps(steps, await care.sight(scope, sightings), SIGHTINGS_APART_MS).slice(0, STEPS_MAX);
  const failed = await oneByOne(ripe, { signal, logger, failure: 'a step could not be done', fieldsOf: printStep }, (step) => performStep(parts, scope, step));
  return { steps: ripe.length, unripe: steps.length - ripe.length, failed };
}
