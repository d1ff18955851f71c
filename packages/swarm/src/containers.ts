import { type ContainerReport, type SessionLabels, readSessionLabels, sessionLabel } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import { z } from 'zod';
import { type CallOptions, type EngineConnection, onStatus, withSignal } from './engine-connection';

export type ContainerState = ContainerReport['state'];

/** A session's container in a list: cheap, one call for all. */
export type SessionContainer = Omit<ContainerReport, 'is_listening'>;

/** One container as its Engine shows it when asked for it by id. */
export interface InspectedContainer {
  readonly containerId: string;
  /** `session-{id}.1.{taskId}` for a task of a session: resolves on every node, and tells two generations apart. */
  readonly name: string;
  /** What its labels say of its session; null when it is no session's. */
  readonly session: SessionLabels | null;
  readonly serviceId: string | null;
  readonly taskId: string | null;
  readonly state: ContainerState;
  /** True when its removal was begun, failed ones (`dead`) included: no Engine starts or commits it any more. */
  readonly isBeingRemoved: boolean;
  /** As the node sees it; 0 when it does not run. */
  readonly pid: number;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly restartCount: number;
  readonly exitCode: number;
  readonly isOomKilled: boolean;
  /** The reference it was made from, by digest for ours. */
  readonly image: string;
  /** Apparent bytes of its writable layer, holes included; null when not asked for, or when the Engine cannot say. */
  readonly sizeRw: number | null;
}

const SERVICE_ID = 'com.docker.swarm.service.id';
const TASK_ID = 'com.docker.swarm.task.id';

const listedSchema = z.object({ Id: z.string(), Names: z.array(z.string()).nullish(), State: z.string(), Labels: z.record(z.string(), z.string()).nullish() });

const inspectedSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  RestartCount: z.number(),
  SizeRw: z.number().optional(),
  Config: z.object({ Image: z.string(), Labels: z.record(z.string(), z.string()).nullish() }),
  State: z.object({ Status: z.string(), Pid: z.number(), ExitCode: z.number(), OOMKilled: z.boolean(), StartedAt: z.string(), FinishedAt: z.string() }),
});

const statsSchema = z.object({ read: z.string(), cpu_stats: z.object({ cpu_usage: z.object({ total_usage: z.number() }) }) });

const KNOWN_STATES = new Set<string>(['created', 'running', 'paused', 'exited'] satisfies ContainerState[]);
const stateOf = (status: string): ContainerState => (KNOWN_STATES.has(status) ? (status as ContainerState) : 'other');

/** The session containers of this node, ended ones included, in one call. */
export async function listSessionContainers(connection: EngineConnection, options: CallOptions & { readonly sessionId?: string } = {}): Promise<SessionContainer[]> {
  const label = options.sessionId === undefined ? sessionLabel.session : `${sessionLabel.session}=${options.sessionId}`;
  const said = await connection.call(
    'list the containers',
    (abortSignal) => connection.docker.listContainers({ all: true, filters: { label: [label] }, abortSignal }) as Promise<unknown>,
    options,
  );
  return z
    .array(listedSchema)
    .parse(said)
    .flatMap((container) => {
      const labels = container.Labels ?? {};
      const session = readSessionLabels(labels);
      if (!session) return [];
      const name = (container.Names?.[0] ?? '').replace(/^\//, '');
      return [{ container_id: container.Id, ...session, service_id: labels[SERVICE_ID] ?? null, task_name: name, state: stateOf(container.State) }];
    });
}

/** One container by id; null when there is none. `isSizeWanted` walks its layer: not for every look. */
export async function inspectContainer(
  connection: EngineConnection,
  containerId: string,
  options: CallOptions & { readonly isSizeWanted?: boolean } = {},
): Promise<InspectedContainer | null> {
  const said = await connection
    .call(
      `show the container ${containerId}`,
      (abortSignal) => connection.docker.getContainer(containerId).inspect(withSignal<object>(abortSignal, options.isSizeWanted ? { size: true } : {})) as Promise<unknown>,
      options,
    )
    .catch(onStatus(404, null));
  if (said === null) return null;
  const { Id, Name, RestartCount, SizeRw, Config, State } = inspectedSchema.parse(said);
  const labels = Config.Labels ?? {};
  return {
    containerId: Id,
    name: Name.replace(/^\//, ''),
    session: readSessionLabels(labels),
    serviceId: labels[SERVICE_ID] ?? null,
    taskId: labels[TASK_ID] ?? null,
    state: stateOf(State.Status),
    isBeingRemoved: State.Status === 'removing' || State.Status === 'dead',
    pid: State.Pid,
    startedAt: State.StartedAt,
    finishedAt: State.FinishedAt,
    restartCount: RestartCount,
    exitCode: State.ExitCode,
    isOomKilled: State.OOMKilled,
    image: Config.Image,
    // An Engine whose storage driver could not measure the layer says -1 (moby, `GetContainerLayerSize`).
    sizeRw: options.isSizeWanted && SizeRw !== undefined && SizeRw >= 0 ? SizeRw : null,
  };
}

/**
 * All CPU time a container ever used, in ns: one cheap look (5 ms), frozen or not. Same to the nanosecond as long as nothing
 * runs in it. @throws container_not_running: the Engine answers zeros for a container that ended
 */
export async function cpuCounter(connection: EngineConnection, containerId: string, options?: CallOptions): Promise<number> {
  const said = await connection.call(
    `read the CPU counter of ${containerId}`,
    (abortSignal) => connection.docker.getContainer(containerId).stats({ stream: false, 'one-shot': true, abortSignal } as { stream: false }) as Promise<unknown>,
    options,
  );
  const { read, cpu_stats } = statsSchema.parse(said);
  if (read.startsWith('0001-')) throw new CodedError('container_not_running', `the container ${containerId} does not run: it has no CPU counter`);
  return cpu_stats.cpu_usage.total_usage;
}

const changesSchema = z.array(z.object({ Path: z.string(), Kind: z.number() })).nullable();

/** The paths that a container wrote or deleted since its image, in no promised order. Walks its whole layer: slow where that is large. */
export async function changedPaths(connection: EngineConnection, containerId: string, options?: CallOptions): Promise<string[]> {
  const said = await connection.call(
    `list what ${containerId} changed`,
    (abortSignal) => connection.docker.getContainer(containerId).changes({ abortSignal }) as Promise<unknown>,
    options,
  );
  return (changesSchema.parse(said) ?? []).map(({ Path }) => Path);
}
