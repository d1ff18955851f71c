import { newCollectionRun, newSessionId } from '@vibe/contracts';
import { keys } from '@vibe/session-store';
import { container, digestOf, labelsOf, never, nodeReport, sessionIn, skipClock, swarmView, useReaper } from '../test/reaper-under-test';
import { dryRunJson, dryRunLines, takeDryRun } from './dry-run';
import { reconcile } from './reconcile';
import { RegistryCare } from './registry-care';

const under = useReaper(async ({ parts }) => {
  await parts.reports.putSwarmView(swarmView({ n1: 'ready' }));
  await parts.reports.put(nodeReport('n1'));
});

const dryRun = () => takeDryRun(under.parts, never);

describe('the dry run of reconciling', () => {
  it('says so when there is nothing to do', async () => {
    expect(dryRunLines(await dryRun())).toEqual(['Nothing to do: all is as the records say.']);
    expect(dryRunJson(await dryRun())).toEqual([]);
  });

  it('shows an orphan of each kind, made by hand, with its reason and since when it waits; the rounds then remove just these (F23, I5)', async () => {
    const { parts, shelf } = under;
    const asleep = await sessionIn(parts.store, 'hibernated');
    shelf.put(digestOf('d'), labelsOf(asleep.id));
    shelf.put(digestOf('e'), labelsOf(asleep.id, { rev: 9 }));
    const [byHand, ofService, ofSecret, ofImage, ofRepository] = [newSessionId(), newSessionId(), newSessionId(), newSessionId(), newSessionId()];
    shelf.put(digestOf('f'), labelsOf(ofRepository));
    const services = [{ service_id: 's', session_id: ofService, user_id: 'ann', name: 'one', created_at: 0, gen: 1, image: 'i' }];
    await parts.reports.putSwarmView(swarmView({ n1: 'ready' }, { services, secrets: [{ secret_id: 'x', session_id: ofSecret, gen: 1 }] }));
    const images = [{ image_id: 'i', session_id: ofImage, gen: 1, digest: digestOf('a'), refs: [], age_ms: 1 }];
    await parts.reports.put(nodeReport('n1', { containers: [container(byHand, { container_id: 'abc', service_id: null })], images }));

    const first = await dryRun();
    expect(first.steps.map(({ step }) => step.kind).sort()).toEqual(['dropContainer', 'dropImage', 'dropTag', 'eraseRepository', 'retire', 'retire']);
    expect(first.steps.map(({ seenForMs }) => seenForMs)).toEqual(Array(6).fill(0));
    // Looking is not a sighting.
    expect(await under.redis.exists(keys.sightings)).toBe(0);
    expect(under.added).toEqual([]);

    const care = new RegistryCare();
    await reconcile(parts, never);
    await care.round(parts, never);
    await skipClock(under.redis, 25_000);
    expect(dryRunLines(await dryRun())).toEqual(expect.arrayContaining([expect.stringMatching(/^waits: seen for 25 s {2}erase repository .*its session has no record +session /), expect.stringContaining('6 in all, 0 of them now')]));
    await skipClock(under.redis, 35_000);
    const ripe = dryRunJson(await dryRun()).map((line) => JSON.parse(line) as { when: string; why: string; seen_for_ms: number });
    expect(ripe.map(({ when }) => when)).toEqual(Array(6).fill('now'));
    for (const { why, seen_for_ms } of ripe) expect([why.length > 0, seen_for_ms >= 60_000]).toEqual([true, true]);

    await reconcile(parts, never);
    await care.round(parts, never);
    await care.round(parts, never);
    expect(under.added.map(({ name, payload }) => [name, (payload as { session_id: string }).session_id])).toEqual(
      expect.arrayContaining([['retire', ofService], ['retire', ofSecret], ['drop-container', byHand], ['drop-image', ofImage]]),
    );
    expect([...shelf.images.keys()]).toEqual([digestOf('d')]);
  });

  it('shows at once what a record rules out, and what is due in the registry', async () => {
    const { parts, shelf } = under;
    const { id } = await sessionIn(parts.store, 'hibernated');
    shelf.put(digestOf('d'), labelsOf(id));
    await parts.care.expectTag(id, shelf.put(digestOf('e'), labelsOf(id, { rev: 9 })), 0);
    await parts.reports.putSwarmView(swarmView({ n1: 'ready' }, { services: [{ service_id: 's', session_id: id, user_id: 'ann', name: 'one', created_at: 0, gen: 1, image: 'i' }] }));
    const { steps } = await dryRun();
    expect(steps.map(({ step, seenForMs }) => [step.kind, seenForMs])).toEqual([['retire', null], ['dropSnapshot', null]]);
    expect(dryRunLines({ steps, leftOut: [] })[0]).toMatch(/^now {2}remove service, secret {2}service: its session is hibernated/);
  });

  it('holds up what it would take from a registry that is being collected (F10)', async () => {
    const { parts, shelf } = under;
    const { id } = await sessionIn(parts.store, 'hibernated');
    shelf.put(digestOf('d'), labelsOf(id));
    await parts.care.expectTag(id, shelf.put(digestOf('e'), labelsOf(id, { rev: 9 })), 0);
    await parts.collection.begin({ run: newCollectionRun(), step: 'draining', limitMs: 60_000 });
    const held = await dryRun();
    expect(dryRunJson(held).map((line) => JSON.parse(line) as object)).toEqual([expect.objectContaining({ step: 'dropSnapshot', when: 'waits' })]);
    expect(dryRunLines(held)).toEqual([expect.stringMatching(/^waits: the registry is being collected {2}delete snapshot/), expect.stringContaining('1 in all, 0 of them now')]);
    expect(held.leftOut).toEqual([expect.stringContaining('the registry is being collected')]);
  });

  it('says of which nodes no agent tells; drained ones have none', async () => {
    const view = swarmView({ n1: 'ready', n2: 'ready', n3: 'ready', n4: 'down' });
    await under.parts.reports.putSwarmView({ ...view, nodes: view.nodes.map((node) => (node.node_id === 'n3' ? { ...node, availability: 'drain' } : node)) });
    const { steps, leftOut } = await dryRun();
    expect(leftOut).toEqual(['no agent has told of the node n2 lately: it was not looked at']);
    expect(dryRunLines({ steps, leftOut })[0]).toMatch(/^waits: seen for the first time {2}alarm {2}the node n2 is ready, and no agent tells of it {2}alarm agent_missing, node n2$/);
  });

  it('says what it could not look at', async () => {
    under.shelf.isDown = true;
    await under.redis.del(keys.swarmView);
    expect((await dryRun()).leftOut).toEqual([expect.stringContaining('no manager has told'), expect.stringContaining('the registry could not be read (the registry does not answer)')]);
    expect(dryRunLines(await dryRun())).toEqual([]);
    under.shelf.isDown = false;
    under.shelf.hasBaseImage = false;
    under.shelf.put(digestOf('f'), labelsOf(newSessionId()));
    expect(await dryRun()).toEqual({ steps: [], leftOut: [expect.stringContaining('no manager has told'), expect.stringContaining('the registry does not have the base image (registry:5000/vibe-terminal:1)')] });
    await under.parts.epoch.close();
    expect(await dryRun()).toEqual({ steps: [], leftOut: [expect.stringContaining('filled again')] });
  });
});
