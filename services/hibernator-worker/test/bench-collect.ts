/**
 * How long the registry's garbage collection takes: a real registry is filled with sessions of random bytes, all but one are
 * deleted, and what the collector runs is timed on its volume. scripts/bench starts it.
 *   bench-collect [--gigabytes 1,2,4] [--megabytes 10] [--json]
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs, promisify } from 'node:util';
import { newSessionId, repositoryOf } from '@vibe/contracts';
import { RegistryClient } from '@vibe/registry';
import { collectorCommand } from '@vibe/swarm';
import { type Layer, REAL_REGISTRY_IMAGE, type RealRegistry, digestOf, packLayer, startRealRegistry, uploadImage } from '@vibe/testkit';

const run = promisify(execFile);
const CONFIG_FILE = join(__dirname, '../../../stacks/registry/config.yml');
const MIB = 1024 ** 2;

interface Figure {
  readonly gigabytes: number;
  readonly sessions: number;
  readonly seconds: number;
  readonly freed_mebibytes: number;
}

function randomLayer(megabytes: number): Layer {
  const blob = randomBytes(megabytes * MIB);
  return { blob, digest: digestOf(blob), diffId: digestOf(blob), files: new Map() };
}

async function push(registry: RealRegistry, base: Layer, megabytes: number): Promise<string> {
  const repository = repositoryOf(newSessionId());
  await uploadImage(registry, { repository, tag: 'g1-r3-aaaaaaaa' }, { layers: [base, randomLayer(megabytes)], config: { Labels: {}, Env: [] } });
  return repository;
}

async function collect(registry: RealRegistry): Promise<{ seconds: number; freed_mebibytes: number }> {
  const startedAt = performance.now();
  const { stdout } = await run('docker', ['run', '--rm', '--volumes-from', registry.container, '--network', 'none', '--entrypoint', 'sh', REAL_REGISTRY_IMAGE, ...collectorCommand.slice(1)], { maxBuffer: 256 * MIB });
  return { seconds: (performance.now() - startedAt) / 1_000, freed_mebibytes: Number(/vibe-freed-kib (\d+)/.exec(stdout)?.[1] ?? NaN) / 1_024 };
}

async function measure(gigabytes: number, megabytes: number): Promise<Figure> {
  const registry = await startRealRegistry({ configFile: CONFIG_FILE });
  const client = new RegistryClient(registry);
  try {
    const base = await packLayer(new Map([['/etc/base', 'base']]));
    await push(registry, base, megabytes);
    const sessions = Math.round((gigabytes * 1_024) / megabytes);
    for (let made = 0; made < sessions; made++) await client.deleteRepository(await push(registry, base, megabytes));
    return { gigabytes, sessions, ...(await collect(registry)) };
  } finally {
    await client.close();
    await registry.stop();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { gigabytes: { type: 'string', default: '1,2,4' }, megabytes: { type: 'string', default: '10' }, json: { type: 'boolean', default: false } } });
  const figures: Figure[] = [];
  for (const gigabytes of values.gigabytes.split(',').map(Number)) {
    process.stderr.write(`  ${gigabytes} GiB in sessions of ${values.megabytes} MiB\n`);
    figures.push(await measure(gigabytes, Number(values.megabytes)));
  }
  if (values.json) return void process.stdout.write(`${JSON.stringify(figures)}\n`);
  for (const { gigabytes, sessions, seconds, freed_mebibytes } of figures) {
    process.stdout.write(`${gigabytes} GiB of ${sessions} deleted sessions: ${seconds.toFixed(1)} s, ${Math.round(freed_mebibytes)} MiB freed\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
