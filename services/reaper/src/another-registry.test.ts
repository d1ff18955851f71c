import { newSessionId } from '@vibe/contracts';
import { useRedis } from '@vibe/testkit';
import { createParts, digestOf, labelsOf, never, nodeReport, swarmView } from '../test/reaper-under-test';
import { EpochWatch } from './epoch-watch';

let under: ReturnType<typeof createParts>;
let watch: EpochWatch;

useRedis(async (redis) => {
  under = createParts(redis);
  watch = new EpochWatch(under.parts);
  await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }));
  await under.parts.reports.put(nodeReport('n1'));
});

describe('a rebuild beside another registry', () => {
  it.each([
    ['at the first look', 1],
    ['once the catalogue was read', 2],
  ])('waits for the one that has the base image when this one has not %s: what it shows is not all there is (F20)', async (_, lacksAtLook) => {
    const { shelf, parts } = under;
    const { has } = shelf;
    let looks = 0;
    shelf.has = async (...of) => (looks += 1) !== lacksAtLook && has(...of);
    expect(await watch.look(never)).toBe(false);
    expect(await parts.epoch.isOpen()).toBe(false);
    expect(looks).toBe(lacksAtLook);
    const id = newSessionId();
    shelf.put(digestOf('a'), labelsOf(id));
    expect(await watch.look(never)).toBe(true);
    expect(await parts.store.get(id)).toMatchObject({ state: 'hibernated', snapshot_digest: digestOf('a') });
  });

  it('cannot know of it when the base image is kept elsewhere', async () => {
    under.shelf.hasBaseImage = false;
    const elsewhere = new EpochWatch({ ...under.parts, settings: { ...under.parts.settings, BASE_IMAGE: 'registry.example/vibe-terminal:1' } });
    expect(await elsewhere.look(never)).toBe(true);
  });
});
