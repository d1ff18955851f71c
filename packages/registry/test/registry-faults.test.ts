import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { newSessionId, repositoryOf, writeSnapshotLabels } from '@vibe/contracts';
import { type FakeRegistry, digestOf, packLayer, startFakeRegistry, uploadImage } from '@vibe/testkit';
import { RegistryClient } from '../src';

describe('the registry client, when the registry fails', () => {
  let registry: FakeRegistry;
  let client: RegistryClient;
  let proof: Parameters<RegistryClient['prove']>[0];
  let tag: string;

  beforeEach(async () => {
    registry = await startFakeRegistry();
    client = new RegistryClient({ url: registry.url });
    const id = newSessionId();
    const labels = { session_id: id, user_id: 'ann', gen: 1, name: 'mine', created_at: 1, rev: 3, last_activity: 2, taken: 3 };
    const base = await packLayer(new Map([['/etc/base', 'base']]));
    const written = await packLayer(new Map([['/home/vibe/a', 'typed']]));
    tag = 'g1-r3-aaaaaaaa';
    const { digest } = await uploadImage({ url: registry.url }, { repository: repositoryOf(id), tag }, { layers: [base, written], config: { Labels: writeSnapshotLabels(labels), Env: [] } });
    proof = { repository: repositoryOf(id), digest, sessionId: id, gen: 1, rev: 3, knownLayers: [base.digest] };
    registry.calls.length = 0;
  });
  afterEach(async () => {
    await client.close();
    await registry.stop();
  });

  /** What each call throws, by its name. */
  const errorsOfEveryCall = async (): Promise<Record<string, unknown>> => {
    const calls: Record<string, () => Promise<unknown>> = {
      prove: () => client.prove(proof),
      inspect: () => client.inspectSnapshot(proof.repository, proof.digest),
      resolve: () => client.resolve(proof.repository, tag),
      layers: () => client.layersOf(`${registry.host}/${proof.repository}:${tag}`),
      tags: () => client.listTags(proof.repository),
      catalogue: () => client.catalogue(),
      remove: () => client.deleteTag(proof.repository, tag),
      ping: () => client.ping(),
    };
    const errors: Record<string, unknown> = {};
    for (const [name, call] of Object.entries(calls)) errors[name] = await call().then(() => 'no error', (error: unknown) => error);
    return errors;
  };

  it.each([
    ['nobody listens', (): unknown => registry.down()],
    ['it answers 500', () => registry.fault(/./, { status: 500 })],
    ['it is overloaded', () => registry.fault(/./, { status: 503 })],
  ])('calls it unreachable when %s, and worth another try', async (_, breakIt) => {
    await breakIt();
    for (const error of Object.values(await errorsOfEveryCall())) expect(error).toMatchObject({ code: 'registry_unreachable', retryable: true });
  });

  it('believes no 404 that the registry itself did not write', async () => {
    registry.fault(/./, { status: 404 });
    for (const error of Object.values(await errorsOfEveryCall())) expect(error).toMatchObject({ code: 'registry_error' });
    expect(registry.store.manifest(proof.repository, tag)).toBeDefined();
  });

  it.each(['manifests', 'blobs'])('proves nothing when the registry does not know its %s any more', async (part) => {
    registry.fault(new RegExp(`/${part}/`), 'unknown');
    await expect(client.prove(proof)).rejects.toMatchObject({ code: 'registry_mismatch' });
  });

  it.each(['manifests', 'blobs'])('proves nothing when the %s come back as other bytes', async (part) => {
    registry.fault(new RegExp(`^GET .*/${part}/`), 'corrupt');
    await expect(client.prove(proof)).rejects.toMatchObject({ code: 'registry_mismatch' });
  });

  it('proves nothing when a known layer has another size', async () => {
    registry.store.blobs.set(proof.knownLayers[0] ?? '', Buffer.from('less'));
    await expect(client.prove(proof)).rejects.toMatchObject({ code: 'registry_mismatch' });
  });

  it.each(['manifests', 'blobs'])('calls it unreachable when it breaks off in the middle of its %s', async (part) => {
    registry.fault(new RegExp(`^GET .*/${part}/`), 'cut');
    await expect(client.prove(proof)).rejects.toMatchObject({ code: 'registry_unreachable' });
  });

  it('proves on a connection of its own each time: nothing that carried the push answers for it', async () => {
    const opened: Socket[] = [];
    const target = new URL(registry.url);
    const between = createServer((socket) => {
      opened.push(socket);
      const onward = connect(Number(target.port), target.hostname);
      socket.pipe(onward).pipe(socket);
      for (const end of [socket, onward]) end.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(between, 'listening');
    const other = new RegistryClient({ url: `http://127.0.0.1:${(between.address() as AddressInfo).port}` });
    try {
      await other.ping();
      for (const proofs of [1, 2]) {
        const kept = [...opened];
        const saidBefore = kept.map(({ bytesRead }) => bytesRead);
        await other.prove(proof);
        expect([proofs, kept.map(({ bytesRead }) => bytesRead)]).toEqual([proofs, saidBefore]);
        expect(opened.length).toBeGreaterThan(kept.length);
      }
    } finally {
      await other.close();
      for (const socket of opened) socket.destroy();
      between.close();
      await once(between, 'close');
    }
  });

  it('reads new layers whole, and asks for the known ones only by name', async () => {
    await client.prove(proof);
    const blobs = registry.calls.filter((call) => call.includes('/blobs/'));
    expect(blobs.filter((call) => call.includes(proof.knownLayers[0] ?? ''))).toEqual([`HEAD /v2/${proof.repository}/blobs/${proof.knownLayers[0]}`]);
    expect(blobs.filter((call) => call.startsWith('GET'))).toHaveLength(2);
  });

  it('stops a proof that waits for an answer, when told', async () => {
    registry.fault(/blobs/, 'silent');
    const stop = new AbortController();
    const proving = client.prove({ ...proof, signal: stop.signal });
    stop.abort(new Error('the user came back'));
    await expect(proving).rejects.toThrow('the user came back');
  });

  it('takes no image for a snapshot whose labels are not whole', async () => {
    const repository = repositoryOf(newSessionId());
    const { digest } = await uploadImage({ url: registry.url }, { repository, tag: 'x' }, { layers: [], config: { Labels: { 'vibe.session': 'someone' }, Env: [] } });
    expect(await client.inspectSnapshot(repository, digest)).toMatchObject({ labels: null });
  });

  it('refuses to delete silently when deletion is switched off', async () => {
    const closed = await startFakeRegistry({ isDeleteEnabled: false });
    const other = new RegistryClient({ url: closed.url });
    await expect(other.deleteManifest('vibe-x', digestOf('x'))).rejects.toMatchObject({ code: 'registry_error', details: { status: 405 } });
    await other.close();
    await closed.stop();
  });
});
