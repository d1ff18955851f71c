import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newSessionId, repositoryOf, writeSnapshotLabels } from '@vibe/contracts';
import { RegistryClient } from '@vibe/registry';
import { collectorCommand } from '@vibe/swarm';
import { REAL_REGISTRY_IMAGE, type RealRegistry, describeWithEngine, packLayer, startRealRegistry, uploadImage } from '@vibe/testkit';

const run = promisify(execFile);
const CONFIG_FILE = join(__dirname, '../../../stacks/registry/config.yml');
const REPOSITORIES = '/var/lib/registry/docker/registry/v2/repositories';

jest.setTimeout(300_000);

describeWithEngine('what the collector runs, on the volume of a real registry', [REAL_REGISTRY_IMAGE], () => {
  let registry: RealRegistry;
  let client: RegistryClient;
  beforeAll(async () => {
    registry = await startRealRegistry({ configFile: CONFIG_FILE });
    client = new RegistryClient(registry);
  });
  afterAll(async () => {
    await client?.close();
    await registry?.stop();
  });

  async function push(id: string, tag: string, rev: number, content: string) {
    const layer = await packLayer(new Map([['/home/vibe/canary', content]]));
    const labels = writeSnapshotLabels({ session_id: id, user_id: 'ann', gen: 1, name: 'one', created_at: 1, rev, last_activity: 2, taken: 3 });
    const repository = repositoryOf(id);
    const { digest } = await uploadImage(registry, { repository, tag }, { layers: [layer], config: { Labels: labels, Env: [] } });
    return { repository, digest, blob: `${layer.digest.slice('sha256:'.length)}/data`, proof: { repository, digest, sessionId: id, gen: 1, rev, knownLayers: [] } };
  }
  const inRegistry = async (...command: string[]): Promise<string> => (await run('docker', ['exec', registry.container, ...command])).stdout;
  const filesOnDisk = (): Promise<string> => inRegistry('find', '/var/lib/registry', '-type', 'f');
  const collect = async (): Promise<string> => (await run('docker', ['run', '--rm', '--volumes-from', registry.container, '--network', 'none', '--entrypoint', 'sh', REAL_REGISTRY_IMAGE, ...collectorCommand.slice(1)])).stdout;

  it('leaves no byte of what was deleted or broke off, and every byte of what is there; it may run again', async () => {
    const [gone, brokeOff, kept] = [newSessionId(), newSessionId(), newSessionId()];
    const deleted = await push(gone, 'g1-r3-aaaaaaaa', 3, 'deleted');
    const replaced = await push(kept, 'g1-r3-bbbbbbbb', 3, 'replaced');
    const last = await push(kept, 'g1-r7-cccccccc', 7, 'kept');
    const moved = await push(kept, 'latest', 8, 'its tag moves on');
    await push(kept, 'latest', 9, 'it moved on');
    await client.deleteRepository(deleted.repository);
    await client.deleteManifest(replaced.repository, replaced.digest);
    for (const id of [brokeOff, kept]) await inRegistry('sh', '-c', `mkdir -p ${REPOSITORIES}/${repositoryOf(id)}/_uploads/x && echo canary > ${REPOSITORIES}/${repositoryOf(id)}/_uploads/x/data`);
    expect(await filesOnDisk()).toContain(deleted.blob);
    expect(await client.catalogue()).toContain(deleted.repository);

    expect(await collect()).toMatch(/\nvibe-freed-kib \d+\n$/);

    const left = await filesOnDisk();
    for (const text of [deleted.blob, replaced.blob, gone, brokeOff, '_uploads']) expect(left).not.toContain(text);
    expect(await client.catalogue()).toEqual([repositoryOf(kept)]);
    await client.prove(last.proof);
    // An image of ours may be in use by its digest after its tag has moved on.
    await client.prove(moved.proof);

    await collect();
    await client.prove(last.proof);
    await client.prove((await push(gone, 'g1-r3-dddddddd', 3, 'deleted')).proof);
  });
});
