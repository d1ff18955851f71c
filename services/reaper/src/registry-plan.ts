import { type SessionRecord, parseSnapshotTag } from '@vibe/contracts';
import type { Droppable } from '@vibe/session-store';
import type { Step } from './reconcile-plan';

/** More repositories without a record than these at one look are no leftovers: the records are missing, and a person is asked. */
export const UNRECORDED_MAX = 20;

/** One tag of a repository and what it names; null when it went while it was looked at. */
export interface SeenTag {
  readonly tag: string;
  readonly digest: string | null;
}

/** What was seen at one moment: the registry first, records after it, so that a record is never older than what it is held against. */
export interface RegistrySnapshot {
  /** The tags of every session's repository, by session. */
  readonly tags: ReadonlyMap<string, readonly SeenTag[]>;
  readonly records: ReadonlyMap<string, SessionRecord>;
  /** What is going anyhow: attempts that may be under way, and what was replaced. */
  readonly droppable: readonly Droppable[];
  /** Sessions that sleep or are lost, and whose snapshot the registry itself says it does not have. */
  readonly missing: ReadonlySet<string>;
  /** Sessions of which the registry has something that it cannot read: they are not missing, and left alone. */
  readonly unreadable: ReadonlySet<string>;
}

/** What must be done so that the registry holds the snapshots that records name, and nothing else; `[]` means that it does. Pure. */
export function planRegistry({ tags, records, droppable, missing, unreadable }: RegistrySnapshot): Step[] {
  const goesAnyhow = new Set(droppable.map(({ session_id, reference }) => `${session_id} ${reference}`));
  const unwanted = [...tags].flatMap(([session_id, seen]): Step[] => {
    const record = records.get(session_id);
    if (!record || record.state === 'deleting') return [];
    // What is left of a session whose snapshot is gone, or cannot be read, may be all there is of it (a volume that came back from a backup).
    if (missing.has(session_id) || unreadable.has(session_id)) return [];
    return seen
      .filter(({ tag, digest }) => digest !== null && digest !== record.snapshot_digest && !goesAnyhow.has(`${session_id} ${tag}`) && !goesAnyhow.has(`${session_id} ${digest}`))
      .map(({ tag }) => ({ kind: 'dropTag', with: { session_id, tag }, why: 'tag: its session knows nothing of it', sighting: `tag ${session_id} ${tag}` }));
  });
  const absent = [...records.values()]
    .filter(({ id, state }) => missing.has(id) && needsSnapshot(state))
    .map(({ id, state }): Step => ({ kind: 'alarm', with: { alarm: 'snapshot_missing', session_id: id }, why: `it is ${state}, and the registry does not have its snapshot`, sighting: `snapshot ${id}` }));
  // A registry goes on naming a repository whose tags are all gone, and a tag whose manifest is: neither can be deleted.
  const unrecorded = [...tags].flatMap(([id, seen]) => (!records.has(id) && seen.some(({ digest }) => digest !== null) ? [id] : []));
  const damaged = [...unreadable].map((id): Step => ({ kind: 'alarm', with: { alarm: 'repository_unreadable', session_id: id }, why: 'the registry cannot read what it has of it', sighting: `unreadable ${id}` }));
  return [...planUnrecorded(unrecorded), ...unwanted, ...absent, ...damaged];
}

/** The repositories of sessions without a record: they go, unless they are too many. */
function planUnrecorded(ids: readonly string[]): Step[] {
  const [example] = ids;
  if (example !== undefined && ids.length > UNRECORDED_MAX) {
    const why = `${ids.length} repositories have no record: so many are no leftovers, and all of them are kept`;
    return [{ kind: 'alarm', with: { alarm: 'repositories_unrecorded', session_id: example }, why, sighting: 'repositories unrecorded' }];
  }
  return ids.map((session_id) => ({ kind: 'eraseRepository', with: { session_id }, why: 'repository: its session has no record', sighting: `repository ${session_id}` }));
}

/** True where a session is nothing but its snapshot. */
export const needsSnapshot = (state: SessionRecord['state']): boolean => state === 'hibernated' || state === 'waking';

/** True where a person may still want what the registry has of a session: there is no container that is more. */
export const restsOnSnapshot = ({ state, snapshot_digest }: SessionRecord): boolean => needsSnapshot(state) || (state === 'lost' && snapshot_digest !== undefined);

/** What happens to a reference that is due. `keep`: it is the session's own. `wait`: somebody may be at work on it. Pure. */
export function judgeDroppable(droppable: Droppable, digest: string | null, record: SessionRecord | null): 'drop' | 'keep' | 'wait' {
  if (record && digest !== null && record.snapshot_digest === digest) return 'keep';
  const tag = parseSnapshotTag(droppable.reference);
  // The hibernation that pushed this tag has not come to its commit point yet.
  if (tag && record?.state === 'hibernating' && record.rev === tag.rev) return 'wait';
  return 'drop';
}
