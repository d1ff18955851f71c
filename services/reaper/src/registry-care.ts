import { type SessionRecord, parseSnapshotTag, repositoryOf, sessionOfRepository } from '@vibe/contracts';
import { isCoded } from '@vibe/platform';
import type { Droppable } from '@vibe/session-store';
import { oneByOne } from './one-by-one';
import type { ReaperParts } from './reaper-parts';
import { SIGHTINGS_APART_MS } from './reconcile';
import type { TickStats } from './tick-stats';

const DROPS_MAX = 200;
/** The registry walks its whole disk to name its repositories, and what has no record there is in nobody's way. */
const CATALOGUE_EVERY_ROUNDS = 10;

/** What happens to a reference that is due. `keep`: it is the session's own. `wait`: somebody may be at work on it. Pure. */
export function judgeDroppable(droppable: Droppable, digest: string | null, record: SessionRecord | null): 'drop' | 'keep' | 'wait' {
  if (record && digest !== null && record.snapshot_digest === digest) return 'keep';
  const tag = parseSnapshotTag(droppable.reference);
  // The hibernation that pushed this tag has not come to its commit point yet.
  if (tag && record?.state === 'hibernating' && record.rev === tag.rev) return 'wait';
  return 'drop';
}

/**
 * Deletes from the registry what was never proven or has been replaced, and repositories whose sessions are no more. What a
 * record calls its snapshot is never deleted here. Every round may be repeated.
 */
export class RegistryCare {
  private rounds = 0;

  async round(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
    const isCatalogueDue = this.rounds % CATALOGUE_EVERY_ROUNDS === 0;
    const stats = { ...(await dropDue(parts, signal)), ...(isCatalogueDue ? await dropOrphans(parts, signal) : {}) };
    this.rounds += 1;
    return stats;
  }
}

async function dropDue(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const { store, care, registry, logger } = parts;
  let dropped = 0;
  const due = await care.due(DROPS_MAX);
  const failed = await oneByOne(due, { signal, logger, failure: 'a snapshot could not be dropped from the registry', fieldsOf: (droppable) => ({ ...droppable }) }, async (droppable) => {
    const repository = repositoryOf(droppable.session_id);
    const digest = await digestOf(registry, repository, droppable.reference);
    const verdict = judgeDroppable(droppable, digest, await store.get(droppable.session_id));
    if (verdict === 'wait') return;
    if (verdict === 'drop' && digest !== null) {
      await registry.deleteManifest(repository, digest);
      dropped += 1;
      logger.info('snapshot dropped', { ...droppable, digest });
    }
    await care.settle(droppable);
  });
  return { dropped, drop_failed: failed };
}

/** The digest that a reference names now; null when the registry itself says that it is not there. */
async function digestOf(registry: ReaperParts['registry'], repository: string, reference: string): Promise<string | null> {
  if (reference.startsWith('sha256:')) return reference;
  try {
    return await registry.resolve(repository, reference);
  } catch (error) {
    if (isCoded(error, 'registry_not_found')) return null;
    throw error;
  }
}

/** Repositories without a record, seen twice: their sessions were erased while a push was under way, or made by nobody. */
async function dropOrphans(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const { store, care, registry, logger } = parts;
  const ids = (await registry.catalogue()).flatMap((repository) => sessionOfRepository(repository) ?? []);
  const recorded = new Set((await store.getMany(ids)).map(({ id }) => id));
  const orphans = ids.filter((id) => !recorded.has(id));
  const seenForMs = await care.sight('registry', orphans);
  let erased = 0;
  const ripe = orphans.filter((id) => (seenForMs.get(id) ?? 0) >= SIGHTINGS_APART_MS);
  const failed = await oneByOne(ripe, { signal, logger, failure: 'a repository without a record could not be deleted', fieldsOf: (id) => ({ session_id: id }) }, async (id) => {
    // A registry goes on naming a repository whose tags are all gone.
    if ((await registry.listTags(repositoryOf(id))).length === 0) return;
    await registry.deleteRepository(repositoryOf(id));
    erased += 1;
    logger.info('repository without a record deleted', { session_id: id });
  });
  return { erased, erase_failed: failed };
}
