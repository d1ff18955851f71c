import { REPORT_EVERY_MS, REST_MS, SWARM_QUEUE, errorStatus, nodeJobs, nodeQueueOf, swarmJobs } from '@vibe/contracts';
import { type ServiceParts, closeRedis, connectRedis, createHttpServer, runService, whenReady } from '@vibe/platform';
import { RegistryClient } from '@vibe/registry';
import { Epoch, JobQueues, NodeReports, RegistryCollection, SessionStore, SnapshotCare, createJobWorker, subscribeToSessions } from '@vibe/session-store';
import { Engine } from '@vibe/swarm';
import type { AgentParts } from './agent-parts';
import { createAlarms } from './alarms';
import { BaseImage } from './base-image';
import { type CollectParts, putRightForgottenCollection } from './collect-garbage';
import { ContainerWatch } from './container-watch';
import { DiskPromises, diskOfEngine } from './disk-space';
import { followContainers } from './follow-containers';
import { Freezer } from './freezer';
import { IdleClock, type RunningContainer, lookEveryMs } from './idle-clock';
import { nodeHandlers, swarmHandlers } from './job-handlers';
import { createJobCounter } from './job-metrics';
import { createNodeReporter } from './node-reporter';
import { repeatEvery } from './repeat-every';
import { type Settings, settingsSchema } from './settings';
import { START_LOOK_MS, lookAtSlowStarts } from './start-watch';
import { WorkUnderWay } from './work-under-way';

const RESYNC_EVERY_MS = 5_000;
/** Whatever was not heard of a session that came to run here is caught up with so often. */
const RECALL_EVERY_MS = 60_000;
const SWARM_JOBS_AT_ONCE = 16;
const COLLECTION_LOOK_MS = 30_000;

void runService({ service: 'hibernator-worker', schema: settingsSchema, start });

async function start(service: ServiceParts<Settings>): Promise<void> {
  const { settings, logger, lifecycle } = service;
  const { stopping } = lifecycle;
  const connect = (name: string, purpose: 'requests' | 'workers') => {
    const redis = connectRedis(settings.REDIS_URL, { purpose, name, logger });
    lifecycle.onStop(`redis ${name}`, 1_000, () => closeRedis(redis));
    return redis;
  };
  const commands = connect('agent', 'requests');
  const forWorkers = connect('agent-workers', 'workers');
  const events = connect('agent-events', 'workers');
  await whenReady(commands);

  const parts = await assemble(service, commands);
  const watch = new ContainerWatch(parts, stopping);
  const warn = (what: string) => (error: unknown) => {
    if (!stopping.aborted) logger.warn('a round failed', { round: what, error });
  };

  const http = createHttpServer({
    logger,
    registry: service.metrics,
    stopping,
    checks: { redis: async () => (await commands.ping()) === 'PONG', engine: () => parts.engine.nodeInfo().then(({ nodeId }) => nodeId === parts.nodeId) },
    statusOf: errorStatus,
    routes: () => undefined,
  });
  await http.listen(settings.PORT);
  lifecycle.onStop('http', 1_000, () => http.close(500));

  await subscribeToSessions(
    events,
    (event) => {
      parts.underWay.noticed(event);
      parts.epoch.hear(event).catch(warn('epoch'));
      if (event.kind === 'move' && event.state === 'running' && event.node_id === parts.nodeId) watch.thaw(event.session_id).catch(warn('thaw'));
    },
    () => void watch.recall().then(resync).catch(warn('resync after a gap')),
  );
  let running: RunningContainer[] = [];
  const resync = async () => {
    running = await watch.resync();
  };
  await watch.recall();
  followContainers(parts, watch, stopping, resync);
  repeatEvery(RESYNC_EVERY_MS, stopping, resync, warn('resync'));
  repeatEvery(RECALL_EVERY_MS, stopping, () => watch.recall(), warn('recall'));
  repeatEvery(lookEveryMs(settings.IDLE_TIMEOUT_MINUTES), stopping, () => parts.idleClock.lookAtAll(running), warn('idle clock'));
  const reportNode = createNodeReporter(parts);
  repeatEvery(REPORT_EVERY_MS, stopping, () => report(parts, reportNode), warn('report'));

  await takeJobs(service, parts, { connection: forWorkers, collecting: { ...parts, registryService: settings.REGISTRY_SERVICE } });
}

/** Makes the parts that every concern of the agent is handed. */
async function assemble({ settings, logger, lifecycle, metrics }: ServiceParts<Settings>, commands: ReturnType<typeof connectRedis>): Promise<AgentParts> {
  const engine = await Engine.connect({ socketPath: settings.DOCKER_SOCKET, registryUrl: settings.REGISTRY_URL, registryLogin: settings.REGISTRY_LOGIN_FILE });
  const { nodeId, isManager } = await engine.nodeInfo();
  const registry = new RegistryClient({ url: `https://${settings.REGISTRY_URL}`, ca: settings.REGISTRY_CA_FILE, login: settings.REGISTRY_LOGIN_FILE });
  lifecycle.onStop('registry client', 1_000, () => registry.close());
  const queues = new JobQueues(commands);
  lifecycle.onStop('queues', 1_000, () => queues.close());
  const epoch = new Epoch(commands);
  const store = new SessionStore(commands, epoch);
  return {
    nodeId,
    isManager,
    settings,
    engine,
    registry,
    baseImage: new BaseImage({ registry, settings }),
    store,
    reports: new NodeReports(commands),
    care: new SnapshotCare(commands),
    collection: new RegistryCollection(commands),
    epoch,
    isRested: () => epoch.openForMs >= REST_MS,
    queues,
    freezer: new Freezer({ engine, store, logger }),
    idleClock: new IdleClock({ engine, store, settings, logger }),
    disk: diskOfEngine,
    diskPromises: new DiskPromises(),
    underWay: new WorkUnderWay(),
    alarms: createAlarms(metrics),
    logger: logger.child({ node_id: nodeId }),
  };
}

async function report(parts: AgentParts, reportNode: () => Promise<void>): Promise<void> {
  if ((await parts.epoch.look()) === 'rewound') {
    parts.logger.error('Redis was rewound: it is rebuilt from what the nodes and the registry hold');
    await parts.epoch.close();
  }
  await reportNode();
}

/** Takes jobs: this node's, and on a manager the Swarm's. Jobs that a stop interrupts are taken up by the next agent. */
async function takeJobs(
  { settings, logger, lifecycle, metrics }: ServiceParts<Settings>,
  parts: AgentParts,
  { connection, collecting }: { connection: ReturnType<typeof connectRedis>; collecting: CollectParts },
): Promise<void> {
  const { stopping } = lifecycle;
  const counter = createJobCounter(metrics);
  const open = (queueName: string, worker: ReturnType<typeof createJobWorker>) => {
    counter.follow(worker, (job, error) => logger.warn('job failed', { job: job?.name, job_id: job?.id, attempts: job?.attemptsMade, error }));
    lifecycle.onStop(`worker ${queueName}`, 8_000, () => worker.close());
  };
  open(
    'node',
    createJobWorker({
      queueName: nodeQueueOf(parts.nodeId),
      catalog: nodeJobs,
      connection,
      signal: stopping,
      settings: { concurrency: settings.HIBERNATIONS_PER_NODE },
      handlers: nodeHandlers(parts),
    }),
  );
  // A first start or wake on this node must not wait for the base image.
  await parts.queues.add(nodeQueueOf(parts.nodeId), nodeJobs.prepull, { image: settings.BASE_IMAGE });
  if (!parts.isManager) return;
  open(
    'swarm',
    createJobWorker({
      queueName: SWARM_QUEUE,
      catalog: swarmJobs,
      connection,
      signal: stopping,
      settings: { concurrency: SWARM_JOBS_AT_ONCE },
      handlers: swarmHandlers(parts, collecting),
    }),
  );
  repeatEvery(START_LOOK_MS, stopping, () => lookAtSlowStarts(parts), (error) => logger.warn('slow starts could not be looked at', { error }));
  repeatEvery(COLLECTION_LOOK_MS, stopping, () => putRightForgottenCollection(collecting), (error) => logger.warn('what a collection of the registry left could not be looked for', { error }));
}
