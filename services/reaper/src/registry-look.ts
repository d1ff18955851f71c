import { repositoryOf, sessionOfRepository } from '@vibe/contracts';
import { isCoded } from '@vibe/platform';
import { isOwnRegistry, orUnreadable } from '@vibe/registry';
import type { Droppable } from '@vibe/session-store';
import { allAtOnce } from './all-at-once';
import { readRecords } from './read-records';
import type { ReaperParts } from './reaper-parts';
import { type RegistrySnapshot, type SeenTag, judgeDroppable, restsOnSnapshot } from './registry-plan';
import type { Step } from './reconcile-plan';

const REQUESTS_AT_ONCE = 16;

type Parts = Pick<ReaperParts, 'registry' | 'store' | 'care' | 'settings' | 'logger'>;

/** The digest that a reference names now; null when the registry itself says that it is not there. */
async function digestOf(registry: ReaperParts['registry'], repository: string, reference: string): Promise<string | null> {
  try {
    return await registry.resolve(repository, reference);
  } catch (error) {
    if (isCoded(error, 'registry_not_found')) return null;
    throw error;
  }
}

/**
 * Reads the whole registry and every record; null when the registry does not have the base image: then it is not our own, or not
 * as it was, and nothing is decided. Throws when it cannot be asked: half of it would say the wrong things. What is damaged in it is
 * left out by name.
 */
export async function takeRegistrySnapshot(parts: Parts, signal: AbortSignal): Promise<RegistrySnapshot | null> {
  const { registry, store, care, settings } = parts;
  const atOnce = { limit: REQUESTS_AT_ONCE, signal };
  const ids = (await registry.catalogue()).flatMap((repository) => sessionOfRepository(repository) ?? []);
  const seen = await allAtOnce(ids, atOnce, async (id) => [id, await orUnreadable(() => readTags(registry, repositoryOf(id)))] as const);
  const tags = seen.flatMap(([id, found]) => (found === 'unreadable' ? [] : [[id, found] as const]));
  const unreadable = new Set(seen.flatMap(([id, found]) => (found === 'unreadable' ? [id] : [])));
  const { records, isUnreadable } = await readRecords(parts, [...new Set([...ids, ...(await store.allIds())])]);
  const droppable = await care.all();

  const named = new Map(tags.map(([id, found]) => [id, new Set(found.map(({ digest }) => digest))]));
  const unseen = records.filter((record) => restsOnSnapshot(record) && !unreadable.has(record.id) && !named.get(record.id)?.has(record.snapshot_digest ?? ''));
  const missing = await allAtOnce(unseen, atOnce, async ({ id, snapshot_digest }) => {
    if (snapshot_digest === undefined) return [id];
    // A snapshot is used by its digest: it may be there without any tag.
    const found = await orUnreadable(() => digestOf(registry, repositoryOf(id), snapshot_digest));
    if (found === 'unreadable') unreadable.add(id);
    return found === null ? [id] : [];
  });
  if (!(await isOwnRegistry(registry, settings, signal))) return null;
  return { tags: new Map(tags.filter(([id]) => !isUnreadable(id))), records: new Map(records.map((record) => [record.id, record])), droppable, missing: new Set(missing.flat()), unreadable };
}

/** All tags of a repository, and what each names. */
async function readTags(registry: ReaperParts['registry'], repository: string): Promise<SeenTag[]> {
  const names = await registry.listTags(repository);
  return Promise.all(names.map(async (tag) => ({ tag, digest: await digestOf(registry, repository, tag) })));
}

/** What becomes of something that may go: the step that deletes it, `wait` while somebody may be at work on it or the registry is not our own, null when there is nothing to do. */
export async function planDroppable({ registry, store, settings }: Pick<Parts, 'registry' | 'store' | 'settings'>, droppable: Droppable): Promise<Step | 'wait' | null> {
  const { session_id, reference } = droppable;
  const digest = await digestOf(registry, repositoryOf(session_id), reference);
  if (!(await isOwnRegistry(registry, settings))) return 'wait';
  const verdict = judgeDroppable(droppable, digest, await store.get(session_id));
  if (verdict === 'wait') return 'wait';
  if (verdict === 'keep' || digest === null) return null;
  return { kind: 'dropSnapshot', with: { session_id, reference, digest }, why: 'snapshot: it was never proven, or a newer one has replaced it', sighting: null };
}
