import { type NodeReport, type SnapshotLabels, type SwarmView, parseSnapshotTag, repositoryOf, sessionOfRepository } from '@vibe/contracts';
import { failpoint, isCoded } from '@vibe/platform';
import { isOwnRegistry, orUnreadable } from '@vibe/registry';
import type { Adoption } from '@vibe/session-store';
import { allAtOnce } from './all-at-once';
import { readRecords } from './read-records';
import type { Alarm } from './reaper-metrics';
import { ACTOR, type ReaperParts } from './reaper-parts';
import { type FoundSnapshot, planAdoptions } from './rebuild-plan';
import { waitOnRegistry, waitOnStarts } from './rebuild-waits';
import { hibernatedTtlMs } from './settings';

/** Repositories read, and sessions adopted (each is a write that Redis syncs to its disk), at once. */
const AT_ONCE = 16;
/** How often a session that moved meanwhile is planned anew in one try. */
const PASSES_MAX = 3;
/** Tags that no adopted session calls its own go after this long: a push that was under way may still come to an end. */
const LEFT_TAG_MS = 30 * 60_000;

export type RebuildOutcome = { readonly outcome: 'opened'; readonly adopted: number } | { readonly outcome: 'waiting'; readonly forWhat: string; readonly alarm?: Alarm };

/**
 * One try at filling Redis again: adopts what the nodes and the registry hold, then opens a new epoch. Only when every node
 * that is neither down nor drained has reported (a manager that has just started calls all others `unknown`) and the whole catalogue
 * of our own registry was read, which takes pushes before and after.
 * Waiting costs nothing; whatever fails is thrown and tried again. A first start is the same with nothing to adopt. Safe to repeat, and by two processes at once: the first epoch holds.
 * @param sinceMs how long ago this rebuild began, by a monotonic clock
 */
export async function tryRebuild(parts: ReaperParts, signal: AbortSignal, sinceMs: number): Promise<RebuildOutcome> {
  const { epoch, store, care, settings } = parts;
  const seen = await reportsOfLivingNodes(parts);
  if ('waitsFor' in seen) return { outcome: 'waiting', forWhat: seen.waitsFor };
  const services = new Set(seen.view.services.map(({ service_id }) => service_id));
  const starts = waitOnStarts(seen.reports, services, sinceMs);
  if (starts !== null) return { outcome: 'waiting', forWhat: starts };
  await failpoint('rebuild.before-shelf');
  const before = await waitOnRegistry(parts, signal);
  if (before !== null) return { outcome: 'waiting', forWhat: before };
  const shelf = await readShelf(parts, signal);
  // What was read while it was being made read-only, or was restarted, may be a part of it.
  const after = await waitOnRegistry(parts, signal);
  if (after !== null) return { outcome: 'waiting', forWhat: after };
  await failpoint('rebuild.after-shelf');
  if (!shelf) return { outcome: 'waiting', forWhat: 'the registry that has the base image' };
  // What is left out now has no record afterwards, and would be erased as nobody's: a person decides.
  if (shelf.damaged.length > 0) return { outcome: 'waiting', forWhat: `what the registry cannot read of the sessions ${shelf.damaged.join(', ')}`, alarm: 'repository_unreadable' };
  const witnesses = {
    ...seen,
    snapshots: shelf.repositories.flatMap(({ snapshot }) => snapshot ?? []),
    hibernatedTtlMs: hibernatedTtlMs(settings),
    baseImage: settings.BASE_IMAGE,
  };
  let adopted = 0;
  let left: ReadonlySet<string> | null = null;
  for (let passes = 0; passes < PASSES_MAX && left?.size !== 0; passes += 1) {
    const due: ReadonlySet<string> | null = left;
    const { records, isUnreadable } = await readRecords(parts, await store.allIds());
    const adoptions = planAdoptions({ ...witnesses, records, nowMs: await store.now() }).filter(({ id }) => !isUnreadable(id) && (due === null || due.has(id)));
    const moved = await adoptAll(parts, adoptions, signal);
    // Somebody else has ended the rebuild: what it adopted holds.
    if (moved === 'epoch') return { outcome: 'opened', adopted: 0 };
    adopted += adoptions.length - moved.size;
    left = moved;
  }
  if (left !== null && left.size > 0) return { outcome: 'waiting', forWhat: `${left.size} sessions that do not stand still` };
  for (const { id, leftTags } of shelf.repositories) for (const tag of leftTags) await care.expectTag(id, tag, LEFT_TAG_MS);
  await care.forgetSightings();
  await failpoint('rebuild.before-open');
  await epoch.open();
  await failpoint('rebuild.after-open');
  return { outcome: 'opened', adopted };
}

/** Adopts; returns the sessions whose record moved since it was read (in a rewound Redis there are records): those are planned anew. */
async function adoptAll({ epoch, logger }: ReaperParts, adoptions: readonly Adoption[], signal: AbortSignal): Promise<ReadonlySet<string> | 'epoch'> {
  const outcomes = await allAtOnce(adoptions, { limit: AT_ONCE, signal }, async (adoption) => {
    const outcome = await epoch.adopt(adoption, ACTOR);
    if (outcome === 'adopted') logger.info('adopted', { session_id: adoption.id, state: adoption.state, gen: adoption.fields.gen });
    await failpoint('rebuild.between-adoptions');
    return outcome;
  });
  if (outcomes.includes('epoch')) return 'epoch';
  return new Set(adoptions.filter((_, index) => outcomes[index] === 'stale').map(({ id }) => id));
}

async function reportsOfLivingNodes({ reports }: ReaperParts): Promise<{ reports: NodeReport[]; view: SwarmView } | { waitsFor: string }> {
  const [view, all] = await Promise.all([reports.swarmView(), reports.all()]);
  if (!view) return { waitsFor: 'a manager that tells of the Swarm' };
  const reported = new Set(all.map(({ node_id }) => node_id));
  const silent = view.nodes.filter((node) => !isEmpty(node) && !reported.has(node.node_id)).map(({ hostname }) => hostname);
  return silent.length > 0 ? { waitsFor: `the agents on ${silent.sort().join(', ')}` } : { reports: all, view };
}

/** Swarm takes all tasks off a node that is drained: the sessions' and the agent's, so that nobody is there to report and nothing to be reported. */
function isEmpty({ state, availability }: SwarmView['nodes'][number]): boolean {
  return state === 'down' || (state === 'ready' && availability === 'drain');
}

interface Shelved {
  readonly id: string;
  /** The best snapshot that stood the proof; null when none did. */
  readonly snapshot: FoundSnapshot | null;
  /** All other tags. */
  readonly leftTags: readonly string[];
}

interface Shelf {
  readonly repositories: readonly Shelved[];
  readonly damaged: readonly string[];
}

/**
 * Reads every session's repository in the registry (`damaged`: the sessions of those that it cannot read); null when that is not our own. The base image is looked for before and after:
 * what a rebuild does not find has no record from then on, so our registry may not come back while another one is read.
 */
async function readShelf(parts: ReaperParts, signal: AbortSignal): Promise<Shelf | null> {
  const { registry, settings } = parts;
  if (!(await isOwnRegistry(registry, settings, signal))) return null;
  const ids = (await registry.catalogue()).flatMap((repository) => sessionOfRepository(repository) ?? []);
  const damaged: string[] = [];
  const repositories = await allAtOnce(ids, { limit: AT_ONCE, signal }, async (id) => {
    const read = await orUnreadable(() => readRepository(parts, id, signal));
    if (read !== 'unreadable') return [read];
    damaged.push(id);
    return [];
  });
  return (await isOwnRegistry(registry, settings, signal)) ? { repositories: repositories.flat(), damaged } : null;
}

async function readRepository(parts: ReaperParts, id: string, signal: AbortSignal): Promise<Shelved> {
  const tags = await parts.registry.listTags(repositoryOf(id));
  const candidates = tags.flatMap((tag) => {
    const of = parseSnapshotTag(tag);
    return of ? [{ tag, ...of }] : [];
  });
  candidates.sort((a, b) => b.gen - a.gen || b.rev - a.rev);
  let best: { readonly tag: string; readonly snapshot: FoundSnapshot } | null = null;
  for (const candidate of candidates) {
    if (best && isBehind(candidate, best.snapshot)) break;
    const snapshot = await proven(parts, id, candidate, candidates, signal);
    if (snapshot && (!best || snapshot.labels.taken > best.snapshot.labels.taken)) best = { tag: candidate.tag, snapshot };
  }
  return best ? { id, snapshot: best.snapshot, leftTags: tags.filter((tag) => tag !== best.tag) } : { id, snapshot: null, leftTags: [] };
}

/** Two snapshots of one revision were taken before and after Redis was rewound: of those the later one counts. */
function isBehind({ gen, rev }: Candidate, { labels }: FoundSnapshot): boolean {
  return gen < labels.gen || rev < labels.rev;
}

interface Candidate {
  readonly tag: string;
  readonly gen: number;
  readonly rev: number;
}

/**
 * The snapshot under a tag, if it is what its tag says and whole. The only one of its session is taken as it is: nothing
 * better is there, and a registry takes no manifest without its layers. Beside other generations its layers are looked at by
 * size; beside others of its own generation, any of which may never have been proven, they are read back and hashed.
 */
async function proven(parts: ReaperParts, id: string, { tag, gen, rev }: Candidate, all: readonly Candidate[], signal: AbortSignal): Promise<FoundSnapshot | null> {
  const { registry, settings, logger } = parts;
  const repository = repositoryOf(id);
  try {
    const { digest, labels, bytes } = await registry.inspectSnapshot(repository, tag, signal);
    if (!labels || !isLabelled(labels, { id, gen, rev })) return null;
    if (all.length > 1) {
      const isAlone = all.filter((other) => other.gen === gen).length === 1;
      const knownLayers = isAlone ? await registry.layersOf(`${settings.REGISTRY_URL}/${repository}@${digest}`, signal) : [];
      await registry.prove({ repository, digest, sessionId: id, gen, rev, knownLayers, signal });
    }
    return { labels, digest, bytes, highestGen: Math.max(...all.map((other) => other.gen)) };
  } catch (error) {
    if (!isCoded(error, 'registry_not_found') && !isCoded(error, 'registry_mismatch')) throw error;
    logger.warn('a snapshot does not stand the proof', { session_id: id, tag, error });
    return null;
  }
}

function isLabelled(labels: SnapshotLabels, { id, gen, rev }: { id: string; gen: number; rev: number }): boolean {
  return labels.session_id === id && labels.gen === gen && labels.rev === rev;
}
