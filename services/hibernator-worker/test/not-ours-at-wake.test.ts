import { keys } from '@vibe/session-store';
import { MISSING_LOOKS_APART_MS } from '../src/start-failed';
import { Agents } from './agents';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

/** A sleeping session whose record names, in its own repository, what is another session's snapshot by its labels. */
async function asleepBesideAnothersSnapshot() {
  const { store } = agents.registry;
  const [mine, others] = [await agents.asleep('ann'), await agents.asleep('bob')];
  const from = store.repository(`vibe-session-${others.id}`)!;
  const manifest = from.manifests.get(others.snapshot_digest!)!;
  const into = store.repositoryToWrite(`vibe-session-${mine.id}`);
  for (const blob of from.blobs) into.blobs.add(blob);
  into.manifests.set(others.snapshot_digest!, manifest);
  await agents.redis.hset(keys.session(mine.id), 'snapshot_digest', others.snapshot_digest!);
  return mine;
}

it("sleeps on at the first look and is lost at the second, a minute later, when the snapshot is another session's: nothing is ever started from it (F12, I7)", async () => {
  const { id } = await asleepBesideAnothersSnapshot();
  const calls = () => agents.fake.engine('manager').http.calls.filter((call) => call === 'POST /services/create');
  const before = calls().length;
  const wake = async () => {
    await agents.claimWake(id);
    await agents.drain();
    return agents.require(id);
  };
  const reason = expect.stringContaining('its snapshot belongs to another session') as string;

  const first = await wake();
  expect(first).toMatchObject({ state: 'hibernated', reason });
  // Looks that follow too soon say nothing new.
  const soon = await wake();
  expect(soon).toMatchObject({ state: 'hibernated', missing_since: first.missing_since });
  await agents.skipClock(MISSING_LOOKS_APART_MS);
  expect(await wake()).toMatchObject({ state: 'lost', reason });

  expect(calls()).toHaveLength(before);
  expect(agents.fake.swarm.services.filter(({ spec }) => spec.Name.includes(id))).toEqual([]);
});
