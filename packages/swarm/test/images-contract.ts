import { digestSchema, repositoryOf, writeSessionLabels, writeSnapshotLabels } from '@vibe/contracts';
import { digestOf } from '@vibe/testkit';
import { type EngineUnderTest, newLabels } from './engine-under-test';

/** What every Engine must do with images, the real one and the fake alike. */
export function imagesContract(get: () => EngineUnderTest): void {
  const takeSnapshot = async ({ labels = newLabels(), tag = 'g1-r3-aaaaaaaa', image = undefined as string | undefined } = {}) => {
    const { engine, run, write, registryHost } = get();
    const containerId = await run(writeSessionLabels(labels), image);
    await write(containerId, `/home/${tag}`, tag);
    const repository = `${registryHost}/${repositoryOf(labels.session_id)}`;
    await engine.commitContainer(containerId, { repository, tag, labels: writeSnapshotLabels({ ...labels, rev: 3, last_activity: 2, taken: 1 }) });
    return { labels, containerId, repository, tag, reference: `${repository}:${tag}`, id: labels.session_id };
  };

  it('pushes a snapshot and names its digest; pulled by that digest it is the same image', async () => {
    const { engine, remove, run, read } = get();
    const { repository, tag, reference, containerId, id } = await takeSnapshot();
    const imageId = (await engine.inspectImage(reference))?.imageId;
    const { digest } = await engine.pushImage({ repository, tag });
    expect(digestSchema.safeParse(digest).success).toBe(true);
    expect(await engine.pushImage({ repository, tag })).toMatchObject({ digest });

    await remove(containerId);
    for (const image of await engine.listSnapshots({ sessionId: id })) await engine.removeSnapshot(image);
    expect(await engine.hasImage(reference)).toBe(false);
    await engine.pullImage(`${repository}@${digest}`);
    await engine.pullImage(`${repository}@${digest}`);
    expect(await engine.inspectImage(`${repository}@${digest}`)).toMatchObject({ imageId });
    expect(await read(await run({}, `${repository}@${digest}`), `/home/${tag}`)).toBe(tag);
  });

  it('pulls by tag', async () => {
    const { engine, remove } = get();
    const { repository, tag, reference, containerId, id } = await takeSnapshot();
    await engine.pushImage({ repository, tag });
    await remove(containerId);
    for (const image of await engine.listSnapshots({ sessionId: id })) await engine.removeSnapshot(image);
    await engine.pullImage(reference);
    expect(await engine.hasImage(reference)).toBe(true);
  });

  it('fails to push what it does not have', async () => {
    const { engine, registryHost } = get();
    await expect(engine.pushImage({ repository: `${registryHost}/vibe-nothing`, tag: 'none' })).rejects.toMatchObject({ code: 'transfer_failed' });
  });

  it('fails to pull what the registry does not have', async () => {
    const { engine, registryHost } = get();
    await expect(engine.pullImage(`${registryHost}/vibe-nothing@${digestOf('none')}`)).rejects.toMatchObject({ code: 'engine_error', details: { status: 404 } });
    await expect(engine.pullImage(`${registryHost}/vibe-nothing:none`)).rejects.toMatchObject({ code: 'engine_error', details: { status: 404 } });
  });

  it('lists the snapshots of this node with their names, of all sessions or one', async () => {
    const { engine } = get();
    const { id, repository, tag, reference } = await takeSnapshot();
    const other = await takeSnapshot();
    const before = await engine.listSnapshots({ sessionId: id });
    expect(before).toEqual([{ image_id: expect.stringMatching(/^sha256:/) as string, session_id: id, gen: 1, digest: null, refs: [reference], age_ms: expect.any(Number) as number }]);
    const { digest } = await engine.pushImage({ repository, tag });
    expect(await engine.listSnapshots({ sessionId: id })).toEqual([expect.objectContaining({ digest, refs: [reference, `${repository}@${digest}`] })]);
    expect((await engine.listSnapshots()).map((image) => image.session_id)).toEqual(expect.arrayContaining([id, other.id]));
  });

  it('takes names off an image until it is gone, and any number of times', async () => {
    const { engine, remove } = get();
    const { reference, repository, containerId } = await takeSnapshot();
    await remove(containerId);
    await engine.tagImage(reference, { repository, tag: 'g1-r3-second00' });
    await engine.tagImage(reference, { repository, tag: 'g1-r3-second00' });
    expect(await engine.removeImage(reference)).toBe('removed');
    expect(await engine.removeImage(reference)).toBe('absent');
    expect(await engine.hasImage(`${repository}:g1-r3-second00`)).toBe(true);
    expect(await engine.removeImage(`${repository}:g1-r3-second00`)).toBe('removed');
    expect(await engine.inspectImage(`${repository}:g1-r3-second00`)).toBeNull();
  });

  it('removes no image that a container was made from, not even by all its names', async () => {
    const { engine, run, kill, remove } = get();
    const { reference, repository, tag, id } = await takeSnapshot();
    await engine.pushImage({ repository, tag });
    const user = await run({}, reference);
    const [image] = await engine.listSnapshots({ sessionId: id });
    await expect(engine.removeSnapshot(image as NonNullable<typeof image>)).rejects.toMatchObject({ code: 'image_in_use', retryable: true });
    await kill(user);
    await expect(engine.removeSnapshot(image as NonNullable<typeof image>)).rejects.toMatchObject({ code: 'image_in_use' });
    await remove(user);
    await engine.removeSnapshot(image as NonNullable<typeof image>);
    await engine.removeSnapshot(image as NonNullable<typeof image>);
    expect(await engine.listSnapshots({ sessionId: id })).toEqual([]);
  });

  it('removes a snapshot under one that stands on it, and leaves that one whole', async () => {
    const { engine, remove, run, read } = get();
    const lower = await takeSnapshot();
    await engine.pushImage(lower);
    const upper = await takeSnapshot({ labels: { ...lower.labels, gen: 2 }, tag: 'g2-r7-bbbbbbbb', image: lower.reference });
    await remove(lower.containerId);
    await remove(upper.containerId);
    const under = (await engine.listSnapshots({ sessionId: lower.id })).find((image) => image.gen === 1);
    await engine.removeSnapshot(under as NonNullable<typeof under>);
    expect((await engine.listSnapshots({ sessionId: lower.id })).map(({ gen }) => gen)).toEqual([2]);
    const woken = await run({}, upper.reference);
    expect(await read(woken, '/home/g1-r3-aaaaaaaa')).toBe('g1-r3-aaaaaaaa');
    await remove(woken);
    const [left] = await engine.listSnapshots({ sessionId: lower.id });
    await engine.removeSnapshot(left as NonNullable<typeof left>);
    expect(await engine.listSnapshots({ sessionId: lower.id })).toEqual([]);
  });
}
