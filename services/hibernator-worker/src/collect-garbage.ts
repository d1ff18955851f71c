import { type PayloadOf, newCollectionRun, SWARM_QUEUE, swarmJobs } from '@vibe/contracts';
import { failpoint, isCoded } from '@vibe/platform';
import { takesPushes } from '@vibe/registry';
import type { Collection, CollectionStep, JobContext } from '@vibe/session-store';
import { hasEnded } from '@vibe/swarm';
import type { AgentParts } from './agent-parts';
import { isPutOff } from './save-ended';
import { tryLater } from './try-later';

/** How long sessions that fall asleep may keep a collection waiting: longer than any hibernation may take. */
export const DRAIN_LIMIT_MS = 20 * 60_000;
/** How long the registry may be read-only before it is made writable again, whatever its collection is at. */
export const READ_ONLY_LIMIT_MS = 60 * 60_000;
/** How soon whatever a collection waits for is looked at again. */
const LOOK_EVERY_MS = 500;
/** More than any Swarm has sessions. */
const IN_WORK_MAX = 10_000;

export type CollectParts = Pick<AgentParts, 'engine' | 'registry' | 'store' | 'epoch' | 'collection' | 'queues' | 'logger'> & {
  /** The name of the registry's Swarm service. */
  readonly registryService: string;
};

/** What a step leads to: the collection as it is then, `wait` for something under way, or null when somebody else took it further. */
type Outcome = Collection | 'wait' | null;

const steps: Record<CollectionStep, (parts: CollectParts, collection: Collection) => Promise<Outcome>> = { draining: drain, closing: close, collecting: collect, opening: open };

/**
 * Collects the registry's garbage, or goes on with the collection that is under way. Nothing may be pushed meanwhile: the
 * collector deletes what no manifest names, and in a push the manifest comes last. So: nothing falls asleep any more → what is
 * falling asleep ends → the registry is read-only, by its own answer → it is collected → writable, by its own answer → sessions
 * may fall asleep again. It only ever does what the step in Redis says and looks before it acts, so every step may be
 * repeated, by another agent too. What takes too long or fails goes on with `opening`, as every collection does in the end. So does
 * one that meets a rebuild: a rebuild reads no registry that is being collected, and would wait for it.
 */
export async function collectGarbage(parts: CollectParts, { run }: PayloadOf<typeof swarmJobs.collect>, context: JobContext): Promise<void> {
  let at: Outcome = await parts.collection.begin({ run, step: 'draining', limitMs: DRAIN_LIMIT_MS });
  if (at === null) return;
  await failpoint('collect.after-flag');
  while (at !== null) {
    context.signal.throwIfAborted();
    const reason: string | null = at.step === 'opening' ? null : await reasonToGiveUp(parts, at);
    const next: Outcome = reason === null ? await steps[at.step](parts, at) : await giveUp(parts, at, reason);
    if (next === 'wait') await tryLater(context, LOOK_EVERY_MS);
    else at = next;
  }
}

async function reasonToGiveUp({ store, epoch }: CollectParts, at: Collection): Promise<string | null> {
  if (!(await epoch.isOpen())) return 'the records are being put together';
  if ((await store.now()) < at.deadline_at) return null;
  return at.step === 'draining' ? 'sessions were falling asleep all the time' : `it took too long (${at.step})`;
}

async function giveUp({ collection, logger }: CollectParts, at: Collection, reason: string): Promise<Outcome> {
  logger.error('the collection of the registry is given up', { run: at.run, step: at.step, reason });
  return collection.advance(at, 'opening', { set: { outcome: 'given_up', reason } });
}

/** Asked right before the registry is changed: nobody has taken the collection further meanwhile. */
const isStillAt = ({ collection }: CollectParts, { run, step }: Collection) => async (): Promise<boolean> => {
  const now = await collection.current();
  return now?.run === run && now.step === step;
};

function fail({ collection, logger }: CollectParts, at: Collection, reason: string): Promise<Outcome> {
  logger.error('the registry could not be collected', { run: at.run, reason });
  return collection.advance(at, 'opening', { set: { outcome: 'failed', reason } });
}

/**
 * Waits until nothing is pushed for a hibernation, by records that can be believed. None begins any more: the flag is there. A record
 * that cannot be read is not waited for: its session pushes nothing, because whoever puts it to sleep reads it first. Nor is one that
 * ended and whose last attempt failed: it may be a full registry that fails it, and only a collection makes room. Its next attempt
 * waits for the end of the collection.
 */
async function drain({ store, collection, logger }: CollectParts, at: Collection): Promise<Outcome> {
  const [working, nowMs] = await Promise.all([store.inWork(0, IN_WORK_MAX).then((ids) => store.readMany(ids)), store.now()]);
  if (working.records.some((record) => record.state === 'hibernating' && !isPutOff(record, nowMs))) return 'wait';
  logger.info('the registry is made read-only', { run: at.run });
  return collection.advance(at, 'closing', { limitMs: READ_ONLY_LIMIT_MS });
}

/** Prepares the collector and makes the registry refuse pushes. */
async function close(parts: CollectParts, at: Collection): Promise<Outcome> {
  const { engine, collection, registryService } = parts;
  const collector = await engine.findCollector();
  if (collector && collector.run !== at.run) return (await removeCollector(parts)) ? at : 'wait';
  try {
    if (!collector) await engine.createCollector({ registryService, run: at.run });
  } catch (error) {
    if (!isCoded(error, 'registry_service_missing')) throw error;
    return fail(parts, at, error.message);
  }
  await failpoint('collect.after-prepare');
  if (!(await engine.setRegistryReadOnly(registryService, true, { isStillWanted: isStillAt(parts, at) }))) return null;
  if ((await takesPushes(parts.registry)) !== false) return 'wait';
  await failpoint('collect.after-read-only');
  return collection.advance(at, 'collecting');
}

/** Runs the collector. It never starts, and does not run on, beside a registry that takes pushes. */
async function collect(parts: CollectParts, at: Collection): Promise<Outcome> {
  const { engine, collection, logger } = parts;
  const collector = await engine.findCollector();
  if (collector?.run !== at.run) return fail(parts, at, 'the collector was removed');
  const isTaking = await takesPushes(parts.registry);
  if (isTaking === null) return 'wait';
  if (isTaking) return fail(parts, at, 'the registry took pushes again before it was collected');
  if (!collector.isStarted) {
    await engine.startCollector(collector);
    await failpoint('collect.after-start');
    return 'wait';
  }
  const [task] = await engine.tasksOfService(collector.serviceId);
  if (!task || !hasEnded(task)) return 'wait';
  if (task.state !== 'complete') return fail(parts, at, `the collector's task is ${task.state}: ${task.error ?? 'nobody knows why'}`);
  const freed = await engine.bytesFreedBy(collector).catch((error: unknown) => {
    logger.warn('what the collector freed is not known', { run: at.run, error });
    return null;
  });
  await failpoint('collect.after-garbage-collect');
  return collection.advance(at, 'opening', { set: { outcome: 'collected', ...(freed === null ? {} : { freed_bytes: freed }) } });
}

/** Back to how it always is: no collector, a registry that takes pushes, no flag. */
async function open(parts: CollectParts, at: Collection): Promise<Outcome> {
  const { engine, collection, registryService, logger } = parts;
  if (!(await removeCollector(parts))) return 'wait';
  await failpoint('collect.after-removal');
  if (!(await engine.setRegistryReadOnly(registryService, false, { isStillWanted: isStillAt(parts, at) }))) return null;
  if ((await takesPushes(parts.registry)) !== true) return 'wait';
  await failpoint('collect.after-writable');
  const ended = await collection.end(at);
  if (ended) {
    const { run, outcome, reason, freed_bytes, ms_draining, ms_closing, ms_collecting, ms_opening, started_at, ended_at } = ended;
    logger.info('collection of the registry ended', { run, outcome, reason, freed_bytes, ms_draining, ms_closing, ms_collecting, ms_opening, ms: ended_at - started_at });
  }
  return null;
}

/**
 * Takes the collector away. True when none is left and its container ended. It is stopped before it is looked at: from then on
 * nobody who saw it earlier can start it.
 */
async function removeCollector({ engine }: CollectParts): Promise<boolean> {
  const collector = await engine.findCollector();
  if (!collector) return true;
  await engine.stopCollector(collector);
  const tasks = await engine.tasksOfService(collector.serviceId);
  if (tasks.some((task) => !hasEnded(task))) return false;
  await engine.removeService(collector.serviceId);
  return true;
}

/**
 * Finds what a collection left that Redis knows nothing of (it was emptied meanwhile): a registry that is asked to be
 * read-only, or a collector. Swarm is read before the flag: what is seen there without a flag is nobody's. Safe to repeat.
 */
export async function putRightForgottenCollection({ engine, collection, queues, registryService, logger }: CollectParts): Promise<void> {
  const isLeft = (await engine.isRegistryAskedReadOnly(registryService)) || (await engine.findCollector()) !== null;
  if (!isLeft || (await collection.current())) return;
  const run = newCollectionRun();
  const begun = await collection.begin({ run, step: 'opening', limitMs: READ_ONLY_LIMIT_MS, set: { outcome: 'put_right' } });
  if (begun?.run !== run) return;
  logger.warn('a collection of the registry that nobody knows of is put right', { run });
  await queues.add(SWARM_QUEUE, swarmJobs.collect, { run });
}
