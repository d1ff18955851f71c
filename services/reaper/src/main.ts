import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { REAPER_QUEUE, errorStatus, reaperJobs } from '@vibe/contracts';
import { type ServiceParts, closeRedis, connectRedis, createHttpServer, runService, whenReady } from '@vibe/platform';
import { RegistryClient } from '@vibe/registry';
import { Epoch, JobQueues, NodeReports, RegistryCollection, SessionStore, SnapshotCare, createJobWorker } from '@vibe/session-store';
import { askForCollection } from './collect-command';
import { dryRunJson, dryRunLines, takeDryRun } from './dry-run';
import { createReaperMetrics } from './reaper-metrics';
import type { ReaperParts } from './reaper-parts';
import { tickEveryMs, tickNames } from './schedules';
import { type Settings, settingsSchema } from './settings';
import { createTickHandlers } from './ticks';
import { Watch } from './watch';

const WATCH_EVERY_MS = 1_000;

const DRY_RUN_LIMIT_MS = 120_000;

/** What a person may have done in the reaper's place; each with the one option it takes. */
const commands: Readonly<Record<string, { option: string; run: (service: ServiceParts<Settings>, isOption: boolean) => Promise<void> }>> = {
  plan: { option: '--json', run: printDryRun },
  collect: { option: '--wait', run: collect },
};

/**
 * `main.cjs` is the service; `main.cjs plan [--json]` prints what the reconcile rounds would do now, alone on stdout; `main.cjs
 * collect [--wait]` asks an agent to collect the registry's garbage.
 */
function main([name, ...options]: readonly string[]): void {
  const definition = { service: 'reaper', schema: settingsSchema };
  if (name === undefined) return void runService({ ...definition, start });
  const command = commands[name];
  const isOption = options.length === 1 && options[0] === command?.option;
  if (!command || (options.length > 0 && !isOption)) {
    const known = Object.entries(commands).map(([word, { option }]) => `${word} [${option}]`);
    process.stderr.write(`reaper: there is no "${[name, ...options].join(' ')}"; there is: ${known.join(', ')}\n`);
    process.exitCode = 2;
    return;
  }
  const host = { env: { ...process.env, LOG_LEVEL: 'error' }, on: process.on.bind(process), exit: (code: number) => process.exit(code), stdout: process.stderr, stderr: process.stderr };
  void runService({ ...definition, start: (service) => command.run(service, isOption) }, host);
}

main(process.argv.slice(2));

function assemble({ settings, logger, lifecycle, metrics }: ServiceParts<Settings>) {
  const redis = connectRedis(settings.REDIS_URL, { purpose: 'requests', name: 'reaper', logger });
  lifecycle.onStop('redis', 1_000, () => closeRedis(redis));
  const registry = new RegistryClient({ url: `https://${settings.REGISTRY_URL}`, ca: settings.REGISTRY_CA_FILE, login: settings.REGISTRY_LOGIN_FILE });
  lifecycle.onStop('registry client', 1_000, () => registry.close());
  const queues = new JobQueues(redis);
  lifecycle.onStop('queues', 1_000, () => queues.close());
  const epoch = new Epoch(redis);
  const store = new SessionStore(redis, epoch);
  const parts: ReaperParts = {
    settings,
    store,
    epoch,
    reports: new NodeReports(redis),
    care: new SnapshotCare(redis),
    collection: new RegistryCollection(redis),
    queues,
    registry,
    metrics: createReaperMetrics({ registry: metrics, countSessions: () => store.counts() }),
    logger,
  };
  return { parts, queues, redis };
}

async function start(service: ServiceParts<Settings>): Promise<void> {
  const { settings, logger, lifecycle, metrics } = service;
  const { stopping } = lifecycle;
  const { parts, queues, redis } = assemble(service);
  const forWorker = connectRedis(settings.REDIS_URL, { purpose: 'workers', name: 'reaper-worker', logger });
  lifecycle.onStop('redis worker', 1_000, () => closeRedis(forWorker));

  const http = createHttpServer({
    logger,
    registry: metrics,
    stopping,
    checks: { redis: async () => (await redis.ping()) === 'PONG' },
    statusOf: errorStatus,
    routes: () => undefined,
  });
  lifecycle.onStop('http', 1_000, () => http.close(500));
  await http.listen(settings.PORT);

  const watch = new Watch({
    parts,
    queue: () => queues.ready(REAPER_QUEUE),
    everyMs: tickEveryMs(settings),
    now: () => performance.now(),
    // Thrown where nothing catches it: Swarm starts the process again.
    onStuck: () => setImmediate(() => {
      throw new Error('no tick comes, although Redis answers');
    }),
  });
  const worker = createJobWorker({
    queueName: REAPER_QUEUE,
    catalog: reaperJobs,
    handlers: createTickHandlers(parts, { onTick: () => watch.ticked(), mayAct: () => watch.mayAct() }),
    connection: forWorker,
    signal: stopping,
    settings: { concurrency: tickNames.length },
  });
  worker.on('error', () => undefined); // absence of Redis is logged by its connection
  worker.on('failed', (job, error) => logger.warn('tick failed', { tick: job?.name, error }));
  lifecycle.onStop('worker', 8_000, () => worker.close());

  void (async () => {
    while (!stopping.aborted) {
      await watch.round(stopping);
      await sleep(WATCH_EVERY_MS, undefined, { signal: stopping }).catch(() => undefined);
    }
  })();
}

async function printDryRun(service: ServiceParts<Settings>, isJson: boolean): Promise<void> {
  const { parts, redis } = assemble(service);
  const limit = AbortSignal.timeout(DRY_RUN_LIMIT_MS);
  limit.addEventListener('abort', () => {
    process.stderr.write('Redis or the registry does not answer: nothing is known\n');
    process.exit(1);
  });
  await whenReady(redis);
  const dryRun = await takeDryRun(parts, limit);
  for (const line of isJson ? dryRunJson(dryRun) : dryRunLines(dryRun)) process.stdout.write(`${line}\n`);
  for (const sentence of dryRun.leftOut) process.stderr.write(`! ${sentence}\n`);
  if (dryRun.leftOut.length > 0) process.exitCode = 1;
  await service.lifecycle.stop();
}

async function collect(service: ServiceParts<Settings>, isWaiting: boolean): Promise<void> {
  const { parts, queues, redis } = assemble(service);
  await whenReady(redis);
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const isCollected = await askForCollection({ collection: parts.collection, queues, say }, { isWaiting });
  await service.lifecycle.stop();
  process.exit(isCollected ? 0 : 1);
}
