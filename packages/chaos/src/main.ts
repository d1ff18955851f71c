/**
 * Random lives of sessions under faults; scripts/chaos starts it.
 *   main [--cycles N] [--seed S] [--workers N] [--json] [--publish] [--without DEFENCE]
 *   main --cycles 1 --chunk-seed S --path P     one history that failed, once more
 * Progress goes to stderr; stdout gets a table, or with --json one JSON object alone.
 */
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { Presets, SingleBar } from 'cli-progress';
import { type Chunk, chunksOf } from './chunks';
import { runChunks } from './crew';
import { Tally, publish, tableOf, tellFailure } from './figures';
import { type Defence, weakenings } from './weakenings';
import { serveChunks } from './worker-process';

const SHARED_MEMORY = '/dev/shm';
const FIGURES = 'docs/figures/chaos.json';

function wholeNumber(text: string, option: string, min: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < min) throw new Error(`${option} takes a whole number from ${min}, not "${text}"`);
  return value;
}

function defenceOf(name: string): Defence {
  if (name in weakenings) return name as Defence;
  throw new Error(`--without takes one of: ${Object.keys(weakenings).join(', ')}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string', default: '200' },
      seed: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism() + 1) },
      json: { type: 'boolean', default: false },
      publish: { type: 'boolean', default: false },
      without: { type: 'string' },
      'chunk-seed': { type: 'string' },
      path: { type: 'string' },
      serve: { type: 'boolean', default: false },
    },
  });
  if (values.serve) return serveChunks();

  const cycles = wholeNumber(values.cycles, '--cycles', 1);
  const seed = values.seed === undefined ? randomInt(2 ** 31) : wholeNumber(values.seed, '--seed', 0);
  const chunkSeed = values['chunk-seed'];
  const chunks: Chunk[] = chunkSeed === undefined ? chunksOf(seed, cycles) : [{ seed: Number(chunkSeed), cycles }];
  const tally = new Tally(seed);
  const bar = new SingleBar({ format: `  chaos, seed ${seed}  {bar}  {value}/{total} cycles  {faults} faults  {broken} broken  {duration_formatted}, {eta_formatted} to go`, noTTYOutput: true, notTTYSchedule: 10_000, etaBuffer: 500 }, Presets.shades_classic);
  bar.start(cycles, 0, { faults: 0, broken: 0 });
  const startedAt = performance.now();
  await runChunks(chunks, {
    program: process.argv[1] ?? '',
    workers: wholeNumber(values.workers, '--workers', 1),
    tmpDir: existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(),
    ...(values.path === undefined ? {} : { path: values.path }),
    ...(values.without === undefined ? {} : { without: defenceOf(values.without) }),
    onCycle(faults) {
      tally.cycle(faults);
      bar.update(tally.cycles, { faults: [...tally.faults.values()].reduce((sum, times) => sum + times, 0), broken: tally.failures.length });
    },
    onFailure(failure) {
      tally.failures.push(failure);
      process.stderr.write(`\n${tellFailure(failure)}`);
    },
  });
  bar.stop();

  const publication = tally.publication((performance.now() - startedAt) / 60_000, new Date().toISOString().slice(0, 10));
  process.stdout.write(values.json ? `${JSON.stringify(tally.figures())}\n` : tableOf(publication));
  if (values.publish) await publish(join(process.cwd(), FIGURES), publication);
  if (tally.failures.length > 0) process.exitCode = 1;
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
