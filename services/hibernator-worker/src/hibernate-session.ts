import { type RecordFields, type SessionRecord, SWARM_QUEUE, type SessionWork, leavesContainer, retirementOf, stateTable, swarmJobs } from '@vibe/contracts';
import { failpoint, isCoded } from '@vibe/platform';
import { type JobContext } from '@vibe/session-store';
import { basename } from 'node:path';
import { ACTOR, type AgentParts } from './agent-parts';
import { CannotSleep, requireRoom, requireSavableImage } from './cannot-sleep';
import type { DiskShare } from './disk-space';
import { loseSession } from './lose-session';
import { RETRY_ENDED_MS, hasToWait } from './save-ended';
import { requireStandstill, saveShell } from './save-shell';
import { takeSnapshot } from './take-snapshot';
import { MovedOn } from './work-under-way';

const RETRY_FIRST_MS = 60_000;
const RETRY_LONGEST_MS = 30 * 60_000;

/** What a layer's tar calls a deleted file (OCI image spec, "Whiteouts"). */
const DELETION_PREFIX = '.wh.';

/** How long the search for such a name may keep a frozen session waiting. */
const LIST_LIMIT_MS = 5_000;
const NAME_SHOWN_MAX = 300;

/**
 * Puts one session of this node to sleep: save, freeze, look, commit, push, prove, commit point, retire. The container is
 * the truth until the commit point. Safe to repeat from any step; a job that comes late finds another rev and does nothing.
 */
export async function hibernateSession(parts: AgentParts, { session_id, rev }: SessionWork, context: Pick<JobContext, 'signal'>): Promise<void> {
  const { store, freezer, underWay, diskPromises, logger } = parts;
  const record = await store.get(session_id);
  if (record?.rev !== rev || record.state !== 'hibernating' || record.node_id !== parts.nodeId) return;
  const containerId = record.container_id;
  if (containerId === undefined) return;
  if (record.hibernate_reason === 'ended' && (await hasToWait(parts, record))) return;

  const work = underWay.begin(session_id, rev, context.signal);
  const share = diskPromises.begin(containerId);
  const log = logger.child({ session_id, gen: record.gen, rev });
  try {
    await sleep(parts, record, containerId, { share, signal: work.signal });
  } catch (error) {
    // The claim stays while the records cannot be believed; the reaper adds its job again.
    if (context.signal.aborted || isCoded(error, 'rebuilding')) throw error;
    if (error instanceof MovedOn || work.signal.aborted) log.info('hibernation cancelled');
    else {
      raiseAlarm(parts, record, error);
      const mayRun = await mayGoOn(parts, containerId);
      const cause = error instanceof CannotSleep ? error : await forbiddenNameIn(parts, containerId, mayRun ? 'rename or delete it' : 'whoever runs this machine has to rename it there');
      if (!mayRun) {
        await putOff(parts, record, cause);
        throw error;
      }
      await giveUp(parts, record, cause);
    }
  } finally {
    work.end();
    share.end();
    // A failure here is found by the next resync: the record decides, whenever it is read.
    await freezer.thawIfRunning(session_id, record.gen, containerId).catch((error: unknown) => log.warn('could not look whether to thaw', { error }));
  }
}

async function sleep(parts: AgentParts, record: SessionRecord, containerId: string, { share, signal }: { share: DiskShare; signal: AbortSignal }): Promise<void> {
  const { engine, store, freezer } = parts;
  const { id, rev } = record;
  const step = (step: SessionRecord['step'], set: RecordFields = {}) => requireProgress(parts, record, { ...set, step }, signal);

  const container = await engine.inspectContainer(containerId, { isSizeWanted: true });
  if (!container || container.isBeingRemoved) return loseSession(parts, record, 'The session is lost: its container is gone.');
  // Refused before the freeze where that is known already, so that the session simply goes on.
  await requireSavableImage(parts, container);
  await requireRoom(parts, share, container.sizeRw);

  const hasEnded = container.state === 'exited';
  if (container.state === 'paused') requireFrozenInTime(record);
  else {
    const answeredAt = hasEnded ? null : await save(parts, containerId, container.pid, step);
    await step('freezing', { frozen_container: containerId });
    if (!hasEnded && (await freezer.freeze(record, containerId)) === 'stale') throw new MovedOn('the record moved before the freeze');
    if (answeredAt !== null) requireStandstill(answeredAt);
  }
  await failpoint('hibernate.after-freeze');

  if (record.hibernate_reason === 'idle' && !hasEnded && (await wasUsed(parts, record, containerId, container.pid))) {
    await store.touch({ id, gen: record.gen, ageMs: 0, activityReason: 'input' });
    const back = await store.move({ id, rev, to: 'running', actor: ACTOR, reason: 'it was used just before it would have been frozen' });
    throw new MovedOn(`used at the last moment (${back.outcome})`);
  }

  // It went on writing until the freeze.
  if (!hasEnded) await requireRoom(parts, share, (await engine.inspectContainer(containerId, { isSizeWanted: true }))?.sizeRw ?? null);

  const witness = await readWitness(parts, containerId);
  const onStep = (name: SessionRecord['step']): Promise<void> => {
    // What the commit wrote is missing from the free bytes by now: it is not to be counted twice.
    if (name === 'pushing') share.end();
    return step(name);
  };
  const snapshot = await takeSnapshot(parts, { record, containerId, imageOfContainer: container.image, onStep, signal });
  await failpoint('hibernate.after-prove');

  const retired = await freezer.alone(containerId, async () => {
    signal.throwIfAborted();
    if ((await readWitness(parts, containerId)) !== witness) throw new Error('something ran in the container between freeze and proof');
    await failpoint('hibernate.before-commit-point');
    return commitPoint(parts, record, snapshot);
  });
  await failpoint('hibernate.after-commit-point');
  await parts.queues.add(SWARM_QUEUE, swarmJobs.retire, retirementOf(record, retired.rev));
  await failpoint('hibernate.after-retire-job');
  parts.logger.info('hibernated', { session_id: id, gen: record.gen, rev: retired.rev, digest: snapshot.digest, bytes: snapshot.bytes });
}

/** Steps of an attempt that has frozen its container, and seen that it was in time. */
const STEPS_AFTER_FREEZE: readonly SessionRecord['step'][] = ['committing', 'pushing', 'proving'];

/** A container that an earlier attempt at this rev froze is not thawed to be frozen again: that attempt may only hang, just before its commit point. */
function requireFrozenInTime({ step }: SessionRecord): void {
  if (!STEPS_AFTER_FREEZE.includes(step)) throw new CannotSleep('hibernation_failed', 'it was interrupted while it was being frozen');
}

async function save(parts: AgentParts, containerId: string, pid: number, step: (name: SessionRecord['step']) => Promise<void>): Promise<number> {
  await step('saving');
  await failpoint('hibernate.before-save');
  const answeredAt = await saveShell(parts, containerId, pid);
  await failpoint('hibernate.after-save');
  return answeredAt;
}

/**
 * Whether a session that was claimed as idle has been used all the same: a key that the idle clock has not told of yet, or, looked at
 * after that, one that it told of too late for the claim.
 */
async function wasUsed({ store, idleClock, settings }: AgentParts, { id, rev }: SessionRecord, containerId: string, pid: number): Promise<boolean> {
  if (await idleClock.wasUsedSinceLastLook(containerId, pid)) return true;
  const told = await store.get(id);
  return told?.rev === rev && told.last_activity > told.state_since - settings.IDLE_TIMEOUT_MINUTES * 60_000;
}

/**
 * What moves with the first instruction that runs in a container: its CPU counter. A container that ended has none; then it
 * is when and how often it ended.
 */
async function readWitness({ engine }: AgentParts, containerId: string): Promise<string> {
  const container = await engine.inspectContainer(containerId);
  if (!container) throw new Error('the container is gone');
  if (container.state === 'exited') return `ended ${container.finishedAt} ${container.restartCount}`;
  if (container.state !== 'paused') throw new Error(`the container is ${container.state}, not paused`);
  return `cpu ${await engine.cpuCounter(containerId)}`;
}

/** The single move that makes the image the truth. A lost reply is no failure: the record decides. */
async function commitPoint(parts: AgentParts, record: SessionRecord, snapshot: { digest: string; bytes: number; tag: string }): Promise<SessionRecord> {
  const moved = await parts.store.move({
    id: record.id,
    rev: record.rev,
    to: 'hibernated',
    actor: ACTOR,
    keepTag: snapshot.tag,
    ...(record.snapshot_digest === undefined || record.snapshot_digest === snapshot.digest ? {} : { dropDigest: record.snapshot_digest }),
    deadlineMs: parts.settings.HIBERNATED_TTL_DAYS * 86_400_000,
    set: {
      snapshot_digest: snapshot.digest,
      snapshot_bytes: snapshot.bytes,
      snapshot_rev: record.rev,
      ...leavesContainer,
      frozen_container: null,
      failures: null,
      retry_after: null,
      missing_since: null,
      may_lack: null,
    },
  });
  if (moved.outcome === 'stale') throw new MovedOn('the record moved before the commit point');
  return moved.record;
}

async function requireProgress(parts: AgentParts, record: SessionRecord, set: RecordFields, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!(await parts.store.progress({ id: record.id, rev: record.rev, set, deadlineMs: stateTable.hibernating.deadlineMs }))) {
    throw new MovedOn(`the record moved before ${set.step}`);
  }
}

/**
 * Whether a failed attempt may end in `running`. Not when its container ended meanwhile: its claim stays, and the job, which
 * the reaper adds again, saves the layer as it ended. Throws when the Engine cannot be asked, and the claim stays as well:
 * an Engine that comes back has ended all it ran.
 */
async function mayGoOn({ engine }: AgentParts, containerId: string): Promise<boolean> {
  return (await engine.inspectContainer(containerId))?.state !== 'exited';
}

/**
 * A file whose name a layer keeps for deletions makes every push fail, for ever: its user is told which, and the cure. Null when there is none,
 * or the Engine does not say so in time.
 */
async function forbiddenNameIn({ engine }: AgentParts, containerId: string, cure: string): Promise<CannotSleep | null> {
  const paths = await engine.changedPaths(containerId, { signal: AbortSignal.timeout(LIST_LIMIT_MS) }).catch(() => []);
  const path = paths.find((changed) => basename(changed).startsWith(DELETION_PREFIX));
  return path === undefined ? null : new CannotSleep('hibernation_failed', `no snapshot can hold the name ${path.slice(0, NAME_SHOWN_MAX)}; ${cure}`);
}

/** A failed attempt ends by a move back to running; the next one waits longer each time. */
async function giveUp(parts: AgentParts, record: SessionRecord, cause: CannotSleep | null): Promise<void> {
  await failpoint('hibernate.before-give-up');
  const failures = record.failures + 1;
  const waitMs = Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_LONGEST_MS);
  const reason = cause ? `It could not be put to sleep: ${cause.message}.` : 'It could not be put to sleep: its snapshot could not be stored safely. It will be tried again.';
  const moved = await parts.store.move({
    id: record.id,
    rev: record.rev,
    to: 'running',
    actor: ACTOR,
    reason,
    set: { failures, retry_after: (await parts.store.now()) + waitMs },
  });
  parts.logger.info('goes on running', { session_id: record.id, rev: record.rev, outcome: moved.outcome, failures });
}

/**
 * What ended keeps its claim, and the reaper adds its job again every 10 s: the attempts until `retry_after` do nothing. One that
 * ended during this very attempt is tried again at once: that it ended is why this one failed.
 */
async function putOff({ store }: AgentParts, record: SessionRecord, cause: CannotSleep | null): Promise<void> {
  if (record.hibernate_reason !== 'ended') return;
  const why = cause?.message ?? 'its snapshot could not be stored safely';
  await store.progress({ id: record.id, rev: record.rev, set: { reason: `It could not be saved yet: ${why}. It will be tried again, and all of it is still there.`, retry_after: (await store.now()) + RETRY_ENDED_MS } });
}

function raiseAlarm({ alarms, logger }: AgentParts, record: SessionRecord, error: unknown): void {
  const alarm = error instanceof CannotSleep ? error.alarm : 'hibernation_failed';
  alarms.raise(alarm);
  logger.error('hibernation failed', { alarm, session_id: record.id, rev: record.rev, error });
}
