import { SWARM_QUEUE, type SessionRecord, leavesContainer, retirementOf, swarmJobs } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { hasEnded } from '@vibe/swarm';
import { ACTOR, type AgentParts } from './agent-parts';
import { startFailed } from './start-failed';

/** A start that takes longer than this is looked at, in ms. */
export const START_LOOK_MS = 3_000;
const LOOKS_AT_ONCE = 200;

/**
 * Looks at the starts that take too long: the only place where tasks are asked about, and only for these. A task that was
 * rejected ends the start; one that cannot be placed on the node it wished for is asked again without the wish.
 */
export async function lookAtSlowStarts(parts: AgentParts): Promise<void> {
  const ids = await parts.store.slowStarts(START_LOOK_MS, LOOKS_AT_ONCE);
  for (const record of (await parts.store.readMany(ids)).records) {
    if ((record.state !== 'creating' && record.state !== 'waking') || record.service_id === undefined) continue;
    try {
      await lookAtStart(parts, record, record.service_id);
    } catch (error) {
      parts.logger.warn('a slow start could not be looked at', { session_id: record.id, error });
    }
  }
}

async function lookAtStart(parts: AgentParts, record: SessionRecord, serviceId: string): Promise<void> {
  const [task] = await parts.engine.tasksOfService(serviceId);
  if (!task) return;
  if (hasEnded(task)) return startFailed(parts, record, `It could not be started: ${task.error ?? `its task is ${task.state}`}.`);
  if (task.state === 'pending' && record.wish_node !== undefined) await wakeElsewhere(parts, record);
}

/** Back to `hibernated` and on to `waking` at the next generation, without the wish: a task template is never changed. */
async function wakeElsewhere(parts: AgentParts, record: SessionRecord): Promise<void> {
  const { store, queues, settings } = parts;
  const back = await store.move({
    id: record.id,
    rev: record.rev,
    to: 'hibernated',
    actor: ACTOR,
    set: leavesContainer,
    deadlineMs: settings.HIBERNATED_TTL_DAYS * 86_400_000,
  });
  if (back.outcome === 'stale') return;
  await failpoint('elsewhere.after-move-back');
  await queues.add(SWARM_QUEUE, swarmJobs.retire, retirementOf(record, back.record.rev));
  await failpoint('elsewhere.after-retire-job');
  const again = await store.move({ id: record.id, rev: back.record.rev, to: 'waking', actor: ACTOR, set: { gen: record.gen + 1, step: 'queued' } });
  await failpoint('elsewhere.after-second-claim');
  if (again.outcome === 'moved') await queues.add(SWARM_QUEUE, swarmJobs.start, { session_id: record.id, rev: again.record.rev });
}
