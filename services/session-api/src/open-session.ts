import { type SessionRecord, leavesContainer, leavesSleep, terminalSocketOf } from '@vibe/contracts';
import { type Identity, terminalCredential } from '@vibe/identity';
import { requireRoom } from './admission';
import { type ApiParts, actorOf, apiError } from './api-parts';
import { type Decision, decideUntilItHolds, ownSession } from './own-session';

/** Where the terminal of a running session is, and ttyd's own token. */
export function terminalOf(record: SessionRecord, ttydKey: string): { path: string; auth_token: string } {
  return { path: terminalSocketOf(record.id, record.gen), auth_token: terminalCredential(ttydKey, record.id, record.gen).authToken };
}

/**
 * The user is here and wants the terminal. Counts as use, whatever the state. Running: nothing more to do. Falling asleep:
 * cancelled, the container is the truth until the commit point (unless it ended: then it is saved first). Asleep: claims the wake. On its way: nothing more to do.
 * Returns the record as it is then; throws `gone` when it will never run again, `no_capacity` when nothing can be woken now.
 */
export async function openSession(parts: ApiParts, identity: Identity, id: string): Promise<SessionRecord> {
  const { store } = parts;
  refuseGone(await ownSession(parts, identity, id));
  await store.touch({ id, ageMs: 0, activityReason: 'opened' });
  return decideUntilItHolds(await ownSession(parts, identity, id), async (record): Promise<Decision<SessionRecord>> => {
    switch (record.state) {
      case 'running':
      case 'creating':
      case 'waking':
        return { done: record };
      case 'hibernating':
        return record.hibernate_reason === 'ended' ? { done: record } : cancelSleep(parts, identity, record);
      case 'hibernated':
        return claimWake(parts, identity, record);
      case 'failed':
      case 'lost':
      case 'deleting':
        return refuseGone(record);
    }
  });
}

function refuseGone(record: SessionRecord): never | Decision<never> {
  if (record.state === 'deleting') throw apiError('gone', 'the session is being deleted', { details: { state: record.state } });
  if (record.state === 'lost' || record.state === 'failed') {
    const why = record.reason ?? (record.state === 'lost' ? 'the session is lost' : 'the session could not be started');
    throw apiError('gone', why, { details: { state: record.state, reason: record.reason ?? null } });
  }
  return { stale: record };
}

/** One move back: the agent that reads it thaws, whatever step of the work it was in. */
async function cancelSleep(parts: ApiParts, identity: Identity, record: SessionRecord): Promise<Decision<SessionRecord>> {
  const moved = await parts.store.move({ id: record.id, rev: record.rev, to: 'running', actor: actorOf(identity), set: leavesSleep(record) });
  return moved.outcome === 'moved' ? { done: moved.record } : { stale: moved.record };
}

/** Claims the next generation, with the wish to start where the snapshot's layers are, if there is room. */
async function claimWake(parts: ApiParts, identity: Identity, record: SessionRecord): Promise<Decision<SessionRecord>> {
  const { nodesWithRoom } = await requireRoom(parts);
  const holder = record.node_id !== undefined && nodesWithRoom.has(record.node_id) ? record.node_id : null;
  const moved = await parts.store.move({
    id: record.id,
    rev: record.rev,
    to: 'waking',
    actor: actorOf(identity),
    set: {
      ...leavesContainer,
      gen: record.gen + 1,
      wish_node: holder,
      looked_at: null,
      hibernate_reason: null,
      retry_after: null,
      step: 'queued',
    },
  });
  if (moved.outcome === 'stale') return { stale: moved.record };
  await parts.jobs.start(moved.record);
  return { done: moved.record };
}
