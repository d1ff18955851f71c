import { nodeJobs, nodeQueueOf } from '@vibe/contracts';
import { Agents } from './agents';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

/** A session that runs, and an image of it on its node that was committed and never pushed, as an agent leaves that dies there. */
async function withUnpushed() {
  const { record, container } = await agents.running();
  const { parts } = agents.agentOn(record.node_id);
  const repository = `registry:5000/vibe-session-${record.id}`;
  const { imageId } = await parts.engine.commitContainer(container.id, { repository, tag: 'g1-r9-aaaaaaaa', labels: { 'vibe.rev': '9', 'vibe.last_activity': '1', 'vibe.taken': '1' } });
  const drop = async (image_id: string) => {
    await agents.line.add(nodeQueueOf(parts.nodeId), nodeJobs.dropImage, { session_id: record.id, rev: record.rev, digest: null, image_id });
    await agents.drain();
  };
  const images = async () => (await parts.engine.listSnapshots({ sessionId: record.id })).map(({ image_id, digest }) => ({ image_id, digest }));
  return { record, imageId, drop, images };
}

describe('an image that was committed and never pushed', () => {
  it('is dropped by its id, and nothing else of its session', async () => {
    const { record, imageId, drop, images } = await withUnpushed();
    await agents.claimSleep(record);
    await agents.drain();
    const pushed = (await images()).filter(({ digest }) => digest !== null);
    expect(pushed).toHaveLength(1);
    expect(await images()).toContainEqual({ image_id: imageId, digest: null });
    await drop(pushed[0]!.image_id);
    expect(await images()).toHaveLength(2);
    await drop(imageId);
    expect(await images()).toEqual(pushed);
    expect(await agents.require(record.id)).toMatchObject({ state: 'hibernated' });
  });

  it('stays while its session is being put to sleep there: it may be about to be pushed', async () => {
    const { record, imageId, drop, images } = await withUnpushed();
    await agents.claimSleep(record);
    const [hibernate] = agents.line.waiting.splice(0);
    await drop(imageId);
    expect(await images()).toEqual([{ image_id: imageId, digest: null }]);
    agents.line.waiting.push(hibernate!);
    await agents.drain();
  });
});
