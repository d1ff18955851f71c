import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newAttempt, newSessionId, repositoryOf, snapshotTagOf, writeSnapshotLabels } from '@vibe/contracts';
import { REAL_REGISTRY_IMAGE, type RealRegistry, describeWithEngine, startRealRegistry } from '@vibe/testkit';
import { RegistryClient } from '../src';

const run = promisify(execFile);
const OURS = join(__dirname, '../../../stacks/registry/config.yml');

// Two cores start registries here and push to them, beside whatever else runs.
jest.setTimeout(300_000);

/**
 * A real Engine and a real registry. What is here called a lie: a registry that keeps in memory which blobs it has, as it does
 * by default, and whose garbage is collected beside it, takes an image without its layers, and the Engine reports success.
 */
describeWithEngine('a push that was repeated after the garbage of a running registry was collected', [REAL_REGISTRY_IMAGE], () => {
  let dir: string;
  beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'vibe-lying-'))));
  afterEach(() => rm(dir, { recursive: true, force: true }));

  /** Our configuration with one line changed. */
  async function configWith(line: string, instead: string): Promise<string> {
    const ours = await readFile(OURS, 'utf8');
    expect(ours).toContain(line);
    const file = join(dir, 'config.yml');
    await writeFile(file, ours.replace(line, instead));
    return file;
  }

  /** Does something with a registry, its client, and an Engine that is signed in to it. */
  async function withRegistry(configFile: string, act: (of: { registry: RealRegistry; client: RegistryClient; docker: (...args: string[]) => Promise<string> }) => Promise<void>): Promise<void> {
    const registry = await startRealRegistry({ configFile });
    const client = new RegistryClient(registry);
    const docker = async (...args: string[]) => (await run('docker', ['--config', dir, ...args])).stdout;
    try {
      await docker('login', '-u', registry.login.username, '-p', registry.login.password, registry.host);
      await act({ registry, client, docker });
    } finally {
      await client.close();
      await registry.stop();
    }
  }

  /** An image with the labels of a snapshot, on this machine's Engine. */
  async function makeSnapshot(registry: RealRegistry, docker: (...args: string[]) => Promise<string>) {
    const labels = { session_id: newSessionId(), user_id: 'ann', gen: 1, name: 'mine', created_at: 1, rev: 3, last_activity: 2, taken: 3 };
    const repository = repositoryOf(labels.session_id);
    await writeFile(join(dir, 'typed'), labels.session_id);
    await run('tar', ['-C', dir, '-cf', join(dir, 'layer.tar'), 'typed']);
    const changes = Object.entries(writeSnapshotLabels(labels)).flatMap(([label, value]) => ['--change', `LABEL ${label}=${value}`]);
    const imageId = (await docker('import', ...changes, join(dir, 'layer.tar'))).trim();
    /** Pushes under a tag of its own; the digest as the Engine reports it with its success. */
    const push = async (): Promise<string> => {
      const reference = `${registry.host}/${repository}:${snapshotTagOf(1, 3, newAttempt())}`;
      await docker('tag', imageId, reference);
      const said = await docker('push', reference);
      return /digest: (sha256:[0-9a-f]{64})/.exec(said)?.[1] ?? said;
    };
    const proofOf = (digest: string) => ({ repository, digest, sessionId: labels.session_id, gen: 1, rev: 3, knownLayers: [] });
    return { repository, push, proofOf, remove: () => docker('rmi', '-f', imageId) };
  }

  const collect = (registry: RealRegistry) => run('docker', ['exec', registry.container, 'registry', 'garbage-collect', '/etc/docker/registry/config.yml']);

  /** Pushed, proven, deleted, collected, pushed again: what does the Engine say, and what does the proof? */
  async function recipe(registry: RealRegistry, client: RegistryClient, docker: (...args: string[]) => Promise<string>) {
    const snapshot = await makeSnapshot(registry, docker);
    try {
      const digest = await snapshot.push();
      await client.prove(snapshot.proofOf(digest));
      await client.deleteRepository(snapshot.repository);
      await collect(registry);
      const reported = await snapshot.push();
      return { digest, reported, proof: await client.prove(snapshot.proofOf(reported)).then(() => 'proven', (error: { code: string }) => error.code) };
    } finally {
      await snapshot.remove();
    }
  }

  it('lies where the registry remembers its blobs: success and a digest are reported, and the proof refuses (F9)', async () => {
    const remembering = await configWith('  delete:\n', '  cache: { blobdescriptor: inmemory }\n  delete:\n');
    await withRegistry(remembering, async ({ registry, client, docker }) => {
      const { digest, reported, proof } = await recipe(registry, client, docker);
      expect(reported).toBe(digest);
      expect(proof).toBe('registry_mismatch');
    });
  });

  it('does not lie where the registry is configured as ours: the layers are there again, and the proof stands', async () => {
    await withRegistry(OURS, async ({ registry, client, docker }) => {
      const { digest, reported, proof } = await recipe(registry, client, docker);
      expect([reported, proof]).toEqual([digest, 'proven']);
    });
  });

  it('is refused while ours is read-only, as it is while its garbage is collected: no lie, an error', async () => {
    const readOnly = await configWith('readonly: { enabled: false }', 'readonly: { enabled: true }');
    await withRegistry(readOnly, async ({ registry, client, docker }) => {
      const snapshot = await makeSnapshot(registry, docker);
      await expect(snapshot.push()).rejects.toThrow();
      expect(await client.listTags(snapshot.repository)).toEqual([]);
      await snapshot.remove();
    });
  });
});
