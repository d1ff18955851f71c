import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Plugin, build } from 'esbuild';
import type { ServiceName } from './failpoints-list';

const run = promisify(execFile);
const repository = join(__dirname, '../../..');

/** What all processes of a test file share: the programs, and the files that production gives them as secrets. */
export interface Ground {
  readonly dir: string;
  readonly programs: Readonly<Record<ServiceName, string>>;
  readonly login: { readonly username: string; readonly password: string };
  readonly tls: { readonly key: string; readonly cert: string };
  remove(): Promise<void>;
}

/**
 * The waits that a test shortens: file, text, the text it is bundled with. All else in the processes is as in production;
 * no setting is made for tests alone. A text that is not there any more fails the bundle.
 */
const shorterWaits: readonly (readonly [string, string, string])[] = [
  ['packages/session-store/src/job-queues.ts', 'LOCK_MS = 10_000', 'LOCK_MS = 700'],
  ['packages/contracts/src/jobs.ts', 'delay: 1_000', 'delay: 200'],
  ['packages/contracts/src/node-report.ts', 'REPORT_EVERY_MS = 10_000', 'REPORT_EVERY_MS = 400'],
  ['services/hibernator-worker/src/main.ts', 'RESYNC_EVERY_MS = 5_000', 'RESYNC_EVERY_MS = 400'],
  ['services/hibernator-worker/src/start-watch.ts', 'START_LOOK_MS = 3_000', 'START_LOOK_MS = 300'],
  ['services/hibernator-worker/src/collect-garbage.ts', 'LOOK_EVERY_MS = 500', 'LOOK_EVERY_MS = 50'],
  ['services/hibernator-worker/src/end-session.ts', 'CONTAINER_GOES_MS = 500', 'CONTAINER_GOES_MS = 50'],
  ['services/reaper/src/main.ts', 'WATCH_EVERY_MS = 1_000', 'WATCH_EVERY_MS = 100'],
  ['services/reaper/src/watch.ts', 'ENSURE_EVERY_MS = 10_000', 'ENSURE_EVERY_MS = 500'],
  ['services/reaper/src/schedules.ts', 'deadlines: 2_000', 'deadlines: 400'],
  ['services/reaper/src/schedules.ts', 'reconcile: 10_000', 'reconcile: 400'],
  ['services/reaper/src/schedules.ts', 'registryCare: 60_000', 'registryCare: 400'],
  ['services/reaper/src/lost-jobs.ts', 'OLDER_THAN_MS = 10_000', 'OLDER_THAN_MS = 1_000'],
  ['services/reaper/src/perform-steps.ts', 'SIGHTINGS_APART_MS = 60_000', 'SIGHTINGS_APART_MS = 1_500'],
  ['services/reaper/src/registry-care.ts', 'WHOLE_EVERY_ROUNDS = 10', 'WHOLE_EVERY_ROUNDS = 1'],
];

const shorten: Plugin = {
  name: 'shorter waits',
  setup(bundling) {
    for (const file of new Set(shorterWaits.map(([name]) => name))) {
      const filter = new RegExp(`/${file.replaceAll('.', '\\.')}$`);
      bundling.onLoad({ filter }, async ({ path }) => {
        let contents = await readFile(path, 'utf8');
        for (const [, text, shorter] of shorterWaits.filter(([name]) => name === file)) {
          if (contents.split(text).length !== 2) throw new Error(`${file} does not say "${text}" once`);
          contents = contents.replace(text, shorter);
        }
        return { contents, loader: 'ts' };
      });
    }
  },
};

async function bundle(service: ServiceName, outfile: string): Promise<void> {
  const entry = join(repository, 'services', service, 'src/main.ts');
  await build({ entryPoints: [entry], bundle: true, platform: 'node', target: 'node20', minifySyntax: true, keepNames: true, external: ['cpu-features', '*.node'], outfile, logLevel: 'error', plugins: [shorten] });
}

/** Bundles both services as their images do, and lays certificate, login and key into files. */
export async function layGround(): Promise<Ground> {
  const dir = await mkdtemp(join(tmpdir(), 'vibe-processes-'));
  const programs = { 'hibernator-worker': join(dir, 'agent.cjs'), reaper: join(dir, 'reaper.cjs') };
  const [key, cert] = [join(dir, 'registry-key'), join(dir, 'registry-ca')];
  const login = { username: 'vibe', password: 'test-password' };
  await Promise.all([
    bundle('hibernator-worker', programs['hibernator-worker']),
    bundle('reaper', programs.reaper),
    run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]),
    writeFile(join(dir, 'registry-login'), JSON.stringify(login)),
    writeFile(join(dir, 'ttyd-key'), 'k'.repeat(64)),
  ]);
  const [keyText, certText] = await Promise.all([readFile(key, 'utf8'), readFile(cert, 'utf8')]);
  return { dir, programs, login, tls: { key: keyText, cert: certText }, remove: () => rm(dir, { recursive: true, force: true }) };
}
