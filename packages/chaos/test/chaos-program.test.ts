import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

jest.setTimeout(600_000);

const MAIN = resolve(__dirname, '../src/main.ts');
/** Its loader is found from here, wherever the program is run. */
const LOADER = `file://${require.resolve('tsx')}`;
/** Without its defence the first history of this seed is lost at once, and cannot be made shorter; any other seed only takes longer. */
const SEED = 3_531;
const WITHOUT = ['--without', 'the epoch'];

/** Where it is run it publishes. */
let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'chaos-program-'));
  await mkdir(join(place, 'docs', 'figures'), { recursive: true });
});
afterAll(() => rm(place, { recursive: true }));

const run = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((done) => {
    execFile(process.execPath, ['--import', LOADER, MAIN, '--workers', '1', ...args], { cwd: place }, (error, stdout, stderr) => done({ code: error?.code ?? 0, stdout, stderr }));
  });

/** What it says of a failure: what broke, how to see it again, and the history. A session's id is another each time. */
function failureIn(stderr: string): { what: string; chunkSeed: string; path: string; history: string } {
  const [, what = '', chunkSeed = '', path = '', history = ''] = /^(\w+: BrokenPromise: .*)\n {2}again: scripts\/chaos --cycles 1 --chunk-seed (\d+) --path (\S+)\n((?: {4}.*\n)+)/m.exec(stderr) ?? [];
  return { what: what.replace(/session \w{26}/g, 'session …'), chunkSeed, path, history };
}

it('prints a failure with the seed and path by which it comes again, tells it in one JSON object, and publishes the same figures', async () => {
  const first = await run('--cycles', '25', '--seed', String(SEED), '--json', '--publish', ...WITHOUT);
  const failure = failureIn(first.stderr);
  expect(failure.what).toMatch(/^lost: /);
  expect(first.code).toBe(1);
  const figures = { cycles: expect.any(Number) as number, lost: 1, stuck: 0, orphans: 0, seed: SEED };
  const told = JSON.parse(first.stdout) as Record<string, unknown>;
  expect(told).toEqual(figures);
  expect(JSON.parse(await readFile(join(place, 'docs', 'figures', 'chaos.json'), 'utf8'))).toMatchObject({ ...told, broken: 0, faults: { 'Redis emptied': expect.any(Number) as number } });

  const again = await run('--cycles', '1', '--chunk-seed', failure.chunkSeed, '--path', failure.path, ...WITHOUT);
  expect(failureIn(again.stderr)).toEqual(failure);
  expect(again.code).toBe(1);

  const whole = await run('--cycles', '1', '--chunk-seed', failure.chunkSeed, '--path', failure.path, '--json');
  expect(whole.code).toBe(0);
  expect(JSON.parse(whole.stdout)).toMatchObject({ cycles: 1, lost: 0, stuck: 0, orphans: 0 });
});
