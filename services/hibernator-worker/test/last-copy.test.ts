import { type SessionRecord, nodeJobs, nodeQueueOf, repositoryOf } from '@vibe/contracts';
import { Agents } from './agents';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

const partsOf = ({ node_id }: SessionRecord) => agents.agentOn(node_id).parts;
const digestsOn = async (record: SessionRecord) => (await partsOf(record).engine.listSnapshots({ sessionId: record.id })).map(({ digest }) => digest);
const own = ({ snapshot_digest = '' }: SessionRecord) => snapshot_digest;

/** What reconciling asks for when an image on its node is a day old. */
async function drop(record: SessionRecord, which: { digest: string | null; image_id?: string } = { digest: own(record) }): Promise<void> {
  await agents.line.add(nodeQueueOf(partsOf(record).nodeId), nodeJobs.dropImage, { session_id: record.id, rev: record.rev, ...which });
  await agents.drain();
}

/** The registry came back from a backup that is older than the session's last sleep. */
const restoreOlderRegistry = (record: SessionRecord) => partsOf(record).registry.deleteManifest(repositoryOf(record.id), own(record));

/** A session that slept twice on one node, which has both images, and the digest of the first. */
async function sleptTwice(): Promise<{ record: SessionRecord; older: string }> {
  const first = await agents.asleep();
  await agents.claimWake(first.id, first.node_id);
  await agents.drain();
  const awake = await agents.until(first.id, 'running');
  expect(awake.node_id).toBe(first.node_id);
  agents.containerOf(first.id).write('/home/vibe/more', first.id);
  await agents.claimSleep(awake);
  await agents.drain();
  const record = await agents.until(first.id, 'hibernated');
  expect((await digestsOn(record)).sort()).toEqual([own(first), own(record)].sort());
  return { record, older: own(first) };
}

describe("a node's image of a session that sleeps", () => {
  it('goes while the registry has its snapshot', async () => {
    const record = await agents.asleep();
    await drop(record);
    expect(await digestsOn(record)).toEqual([]);
  });

  it('goes when a later one has replaced it', async () => {
    const { record, older } = await sleptTwice();
    await drop(record, { digest: older });
    expect(await digestsOn(record)).toEqual([own(record)]);
  });

  it('stays while the registry lacks the snapshot, and so does an older one: either may be all there is (I2)', async () => {
    const { record, older } = await sleptTwice();
    await restoreOlderRegistry(record);
    for (const digest of [own(record), older]) await drop(record, { digest });
    expect((await digestsOn(record)).sort()).toEqual([older, own(record)].sort());
  });

  it('stays then also where it was never pushed (I2)', async () => {
    const { record, container } = await agents.running();
    const { engine } = partsOf(record);
    const { imageId } = await engine.commitContainer(container.id, { repository: `registry:5000/${repositoryOf(record.id)}`, tag: 'g1-r9-aaaaaaaa', labels: { 'vibe.rev': '9', 'vibe.last_activity': '1', 'vibe.taken': '1' } });
    await agents.claimSleep(record);
    await agents.drain();
    const asleep = await agents.until(record.id, 'hibernated');
    await restoreOlderRegistry(asleep);
    await drop(asleep, { digest: null, image_id: imageId });
    expect(await digestsOn(asleep)).toContain(null);
  });

  it('stays while the registry cannot be asked', async () => {
    const record = await agents.asleep();
    const { registry } = partsOf(record);
    const isThere = jest.spyOn(registry, 'has').mockRejectedValue(new Error('the registry does not answer'));
    await expect(drop(record)).rejects.toThrow('does not answer');
    isThere.mockRestore();
    expect(await digestsOn(record)).toEqual([own(record)]);
  });

  it.each(['is being deleted', 'has no record any more'])('goes when its session %s, whatever the registry has', async (which) => {
    const record = await agents.asleep();
    await restoreOlderRegistry(record);
    await agents.store.move({ id: record.id, rev: record.rev, to: 'deleting', actor: 'test' });
    if (which === 'has no record any more') expect(await agents.store.remove({ id: record.id, rev: record.rev + 1, actor: 'test' })).toBe('removed');
    await drop(record);
    expect(await digestsOn(record)).toEqual([]);
  });
});
