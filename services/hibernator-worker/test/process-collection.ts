import { SWARM_QUEUE, newCollectionRun, newSessionId, swarmJobs } from '@vibe/contracts';
import type { RegistryStore } from '@vibe/testkit';
import type { Drive } from './process-drive';
import { whenTrue } from './process-when';

/** Its manifests are not of sessions: nobody but the collector cares for what it leaves. */
const REPOSITORY = 'vibe-terminal';

/** What a manifest that is there names and the registry no longer has. */
function lostFrom(store: RegistryStore): string[] {
  const manifests = store.names().flatMap((name) => [...(store.repository(name)?.manifests.values() ?? [])]);
  const named = manifests.flatMap(({ body }) => [...body.toString().matchAll(/sha256:[0-9a-f]{64}/g)].map(([digest]) => digest));
  return named.filter((digest) => !store.blobs.has(digest));
}

/**
 * Has the registry's garbage collected, and waits until all is as it always is.
 * @param meanwhile what happens while the collector runs
 * @throws when garbage is left, or anything is gone that is referred to
 */
export async function collect({ stage }: Drive, meanwhile: () => Promise<void>): Promise<void> {
  const { collection, queues, registry, registryInSwarm } = stage;
  const { store } = registry;
  const garbage = store.putBlob(REPOSITORY, Buffer.from(newSessionId()));
  const run = newCollectionRun();
  const from = registryInSwarm.seenByCollectors.length;
  registryInSwarm.collectorPlan = 'hangs';
  /** As a person does: the job of an earlier run, which is late, swallows the first. */
  const askUntil = (what: string, isSo: () => Promise<boolean> | boolean) =>
    whenTrue(what, async () => {
      if (await isSo()) return true;
      if ((await collection.current())?.run !== run) await queues.add(SWARM_QUEUE, swarmJobs.collect, { run });
      return false;
    }, { explain: () => `${registryInSwarm.leftovers().join('\n')}\n${stage.said}` });
  await askUntil('the collector runs', () => registryInSwarm.seenByCollectors.length > from);
  await meanwhile();
  registryInSwarm.letCollectorsEnd();
  await askUntil('the collection is over', async () => (await collection.last())?.run === run);
  const ended = await collection.last();
  if (ended?.outcome !== 'collected') throw new Error(`the collection came to nothing: ${ended?.outcome} ${ended?.reason}\n${stage.said}`);
  const faults = [
    ...registryInSwarm.leftovers(),
    ...((await collection.current()) ? ['a collection is under way'] : []),
    ...(store.blobs.has(garbage) ? ['garbage is left'] : []),
    ...lostFrom(store).map((digest) => `${digest} is lost`),
  ];
  if (faults.length > 0) throw new Error(`after a collection: ${faults.join(', ')}\n${stage.said}`);
}
