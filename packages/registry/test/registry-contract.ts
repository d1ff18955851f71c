import { newAttempt, newSessionId, repositoryOf, snapshotTagOf, writeSnapshotLabels } from '@vibe/contracts';
import { type RegistryAccess, digestOf, packLayer, uploadImage } from '@vibe/testkit';
import { RegistryClient } from '../src';

export interface RegistryUnderTest {
  readonly access: RegistryAccess;
  /** As in image names. */
  readonly host: string;
}

/** What every registry that we talk to must do, the real one and the fake alike. */
export function registryContract(start: () => Promise<RegistryUnderTest & { stop(): Promise<void> }>): void {
  let registry: Awaited<ReturnType<typeof start>>;
  let client: RegistryClient;
  beforeAll(async () => {
    registry = await start();
    client = new RegistryClient(registry.access);
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await registry?.stop();
  });

  /** A snapshot of a session in the registry, on a base layer that is the same for all. */
  const pushSnapshot = async ({ id = newSessionId(), gen = 1, rev = 3, content = newAttempt() } = {}) => {
    const repository = repositoryOf(id);
    const labels = { session_id: id, user_id: 'ann', gen, name: 'mine', created_at: 1, rev, last_activity: 2, taken: 3 };
    const base = await packLayer(new Map([['/etc/base', 'base']]));
    const written = await packLayer(new Map([['/home/vibe/a', content]]));
    const tag = snapshotTagOf(gen, rev, newAttempt());
    const { digest } = await uploadImage(registry.access, { repository, tag }, { layers: [base, written], config: { Labels: writeSnapshotLabels(labels), Env: [] } });
    return { id, repository, tag, digest, labels, base, written, proof: { repository, digest, sessionId: id, gen, rev, knownLayers: [base.digest] } };
  };

  it('answers a ping', () => client.ping());

  it('proves a snapshot that is there, and says how big it is', async () => {
    const { proof, base, written } = await pushSnapshot();
    expect(await client.prove(proof)).toMatchObject({ bytes: base.blob.length + written.blob.length });
    expect(await client.prove({ ...proof, knownLayers: [] })).toMatchObject({ bytes: base.blob.length + written.blob.length });
  });

  it.each([
    ['another session', { sessionId: 'a'.repeat(26) }],
    ['another generation', { gen: 9 }],
    ['another revision', { rev: 9 }],
  ])('proves no snapshot of %s', async (_, other) => {
    const { proof } = await pushSnapshot();
    await expect(client.prove({ ...proof, ...other })).rejects.toMatchObject({ code: 'registry_mismatch' });
  });

  it('proves nothing that was never pushed', async () => {
    const { proof } = await pushSnapshot();
    await expect(client.prove({ ...proof, digest: digestOf('never pushed') })).rejects.toMatchObject({ code: 'registry_mismatch' });
  });

  it('reads the labels of a snapshot by digest and by tag', async () => {
    const { repository, digest, tag, labels } = await pushSnapshot();
    expect(await client.inspectSnapshot(repository, digest)).toMatchObject({ digest, labels });
    expect(await client.inspectSnapshot(repository, tag)).toMatchObject({ digest, labels });
    expect(await client.resolve(repository, tag)).toBe(digest);
  });

  it('names the layers of an image by its full reference; none for an image it does not have', async () => {
    const { repository, digest, tag, base, written } = await pushSnapshot();
    expect(await client.layersOf(`${registry.host}/${repository}@${digest}`)).toEqual([base.digest, written.digest]);
    expect(await client.layersOf(`${registry.host}/${repository}:${tag}`)).toEqual([base.digest, written.digest]);
    expect(await client.layersOf(`${registry.host}/${repository}@${digestOf('none')}`)).toEqual([]);
  });

  it.each([
    ['a digest', () => digestOf('none')],
    ['a tag', () => 'none'],
  ])('says not_found for %s it does not have, in a repository it has and in one it has not', async (_, reference) => {
    const { repository } = await pushSnapshot();
    await expect(client.inspectSnapshot(repository, reference())).rejects.toMatchObject({ code: 'registry_not_found' });
    await expect(client.inspectSnapshot(repositoryOf(newSessionId()), reference())).rejects.toMatchObject({ code: 'registry_not_found' });
    await expect(client.resolve(repository, reference())).rejects.toMatchObject({ code: 'registry_not_found' });
  });

  it('deletes a tag with its manifest, and any number of times', async () => {
    const { id, repository, tag, digest } = await pushSnapshot();
    const kept = await pushSnapshot({ id, gen: 2 });
    await client.deleteTag(repository, tag);
    await client.deleteTag(repository, tag);
    expect(await client.listTags(repository)).toEqual([kept.tag]);
    await expect(client.inspectSnapshot(repository, digest)).rejects.toMatchObject({ code: 'registry_not_found' });
    await client.prove(kept.proof);
  });

  it('deletes a manifest by digest, and any number of times', async () => {
    const { repository, digest } = await pushSnapshot();
    await client.deleteManifest(repository, digest);
    await client.deleteManifest(repository, digest);
    expect(await client.listTags(repository)).toEqual([]);
  });

  it('deletes all of a repository, and any number of times', async () => {
    const { id, repository, digest } = await pushSnapshot();
    await pushSnapshot({ id, gen: 2 });
    await client.deleteRepository(repository);
    await client.deleteRepository(repository);
    await client.deleteRepository(repositoryOf(newSessionId()));
    expect(await client.listTags(repository)).toEqual([]);
    await expect(client.inspectSnapshot(repository, digest)).rejects.toMatchObject({ code: 'registry_not_found' });
  });

  it('has an image by digest and by tag, and says of what was never pushed that it has it not', async () => {
    const { repository, digest, tag } = await pushSnapshot();
    const [byDigest, byTag, ...never] = await Promise.all([
      client.has(repository, digest),
      client.has(repository, tag),
      client.has(repository, digestOf('never pushed')),
      client.has(repository, 'never-pushed'),
      client.has(repositoryOf(newSessionId()), tag),
    ]);
    expect([byDigest, byTag, ...never]).toEqual([true, true, false, false, false]);
  });

  it('lists no tags for a repository that is not there', async () => {
    expect(await client.listTags(repositoryOf(newSessionId()))).toEqual([]);
  });

  it('names all repositories, page by page', async () => {
    const repositories: string[] = [];
    for (let i = 0; i < 5; i += 1) repositories.push((await pushSnapshot()).repository);
    expect(await client.catalogue({ pageSize: 2 })).toEqual(expect.arrayContaining(repositories));
    expect(await client.catalogue()).toEqual(expect.arrayContaining(repositories));
  });

  it('refuses a wrong login, and does not call that absent', async () => {
    const { repository, digest } = await pushSnapshot();
    const stranger = new RegistryClient({ ...registry.access, login: { username: 'vibe', password: 'wrong' } });
    await expect(stranger.inspectSnapshot(repository, digest)).rejects.toMatchObject({ code: 'registry_error' });
    await expect(stranger.ping()).rejects.toMatchObject({ code: 'registry_error' });
    await stranger.close();
  });

  it('stops when told', async () => {
    const { proof } = await pushSnapshot();
    await expect(client.prove({ ...proof, signal: AbortSignal.abort(new Error('told')) })).rejects.toThrow('told');
  });

  it('says that it takes pushes, and begins none by being asked', async () => {
    const { repository } = await pushSnapshot();
    expect(await client.takesPushes(repository)).toBe(true);
    expect(await client.takesPushes(repository)).toBe(true);
    expect(await client.listTags(repository)).toHaveLength(1);
  });
}
