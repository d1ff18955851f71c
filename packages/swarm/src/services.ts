import { type ServiceReport, readSessionLabels, serviceNameOf, sessionLabel } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import type { ServiceSpec } from 'dockerode';
import { z } from 'zod';
import { type CallOptions, type EngineConnection, isEngineStatus, onStatus } from './engine-connection';

export type CreatedService =
  | { readonly outcome: 'created'; readonly serviceId: string }
  /** A session service has the name already; null when it went away before it could be looked at. */
  | { readonly outcome: 'exists'; readonly existing: ServiceReport | null };

/** One task of a service, the part that tells how its start went. */
export interface ServiceTask {
  readonly taskId: string;
  /** As Swarm spells them: new, pending, assigned, …, running, complete, failed, shutdown, rejected, orphaned, remove. */
  readonly state: string;
  readonly desiredState: string;
  readonly nodeId: string | null;
  readonly containerId: string | null;
  /** What the scheduler or the node says of it: why it is pending, why it was rejected. */
  readonly error: string | null;
  readonly exitCode: number | null;
}

/** Task states that no container of `restart none` ever leaves. */
const ENDED = new Set(['complete', 'failed', 'shutdown', 'rejected', 'orphaned', 'remove']);

/** True when a task of a service with restart condition `none` is over: nothing of it will ever run again. */
export const hasEnded = ({ state }: Pick<ServiceTask, 'state'>): boolean => ENDED.has(state);

const serviceSchema = z.object({
  ID: z.string(),
  Spec: z.object({
    Name: z.string(),
    Labels: z.record(z.string(), z.string()).nullish(),
    TaskTemplate: z.object({ ContainerSpec: z.object({ Image: z.string() }).optional() }),
  }),
});

const taskSchema = z.object({
  ID: z.string(),
  CreatedAt: z.string(),
  NodeID: z.string().optional(),
  DesiredState: z.string(),
  Status: z.object({
    State: z.string(),
    Err: z.string().optional(),
    ContainerStatus: z.object({ ContainerID: z.string().optional(), ExitCode: z.number().optional() }).nullish(),
  }),
});

/** What a service says of its session, or null when it is no session's. */
function reportOf(service: z.output<typeof serviceSchema>): ServiceReport | null {
  const session = readSessionLabels(service.Spec.Labels ?? {});
  if (!session) return null;
  return { service_id: service.ID, ...session, image: service.Spec.TaskTemplate.ContainerSpec?.Image ?? '' };
}

/**
 * Makes a session's service. A name that is taken is an outcome, not an error: the caller decides by its generation.
 * Repeatable in this sense. @throws engine_name_taken when the name is taken by a service that is no session's
 */
export async function createService(connection: EngineConnection, spec: ServiceSpec, options?: CallOptions): Promise<CreatedService> {
  const name = spec.Name ?? '';
  try {
    // Always with an auth of its own: dockerode's createService(spec) sends the whole spec as X-Registry-Auth.
    const service = await connection.call(`create the service ${name}`, (abortSignal) => connection.docker.createService(connection.registryAuth, { ...spec, abortSignal } as ServiceSpec), options);
    return { outcome: 'created', serviceId: service.id };
  } catch (error) {
    if (!isEngineStatus(error, 409)) throw error;
    const there = await inspectService(connection, name, options);
    if (!there) return { outcome: 'exists', existing: null };
    const existing = reportOf(there);
    if (!existing) throw new CodedError('engine_name_taken', `a service named ${name} exists and is no session's: remove it by hand`, { cause: error });
    return { outcome: 'exists', existing };
  }
}

async function inspectService(connection: EngineConnection, name: string, options?: CallOptions) {
  const said = await connection
    .call(`show the service ${name}`, (abortSignal) => connection.docker.getService(name).inspect({ abortSignal }) as Promise<unknown>, options)
    .catch(onStatus(404, null));
  if (said === null) return null;
  const service = serviceSchema.parse(said);
  // The Engine also takes the beginning of an id for a name.
  return service.Spec.Name === name ? service : null;
}

/** The service of a session, whatever its generation; null when there is none. */
export async function findSessionService(connection: EngineConnection, sessionId: string, options?: CallOptions): Promise<ServiceReport | null> {
  const service = await inspectService(connection, serviceNameOf(sessionId), options);
  return service && reportOf(service);
}

/** Removes a service by id. Nobody need wait for its container: Swarm takes some 3 s. Repeatable: `absent` is fine. */
export function removeService(connection: EngineConnection, serviceId: string, options?: CallOptions): Promise<'removed' | 'absent'> {
  return connection
    .call(`remove the service ${serviceId}`, async (abortSignal) => {
      await connection.docker.getService(serviceId).remove({ abortSignal });
      return 'removed' as const;
    }, options)
    .catch(onStatus(404, 'absent' as const));
}

/** All session services of the Swarm, in one call (800 of them: 39 ms). Asked of a manager. */
export async function listSessionServices(connection: EngineConnection, options?: CallOptions): Promise<ServiceReport[]> {
  const said = await connection.call(
    'list the services',
    (abortSignal) => connection.docker.listServices({ filters: { label: [sessionLabel.session] }, abortSignal }) as Promise<unknown>,
    options,
  );
  return z.array(serviceSchema).parse(said).flatMap((service) => reportOf(service) ?? []);
}

/** The tasks of one service, newest first; none when the service is gone. The manager walks all its tasks for it: not for passes over many sessions. */
export async function tasksOfService(connection: EngineConnection, serviceId: string, options?: CallOptions): Promise<ServiceTask[]> {
  const said = await connection
    .call(`list the tasks of ${serviceId}`, (abortSignal) => connection.docker.listTasks({ filters: { service: [serviceId] }, abortSignal }) as Promise<unknown>, options)
    .catch(onStatus(404, []));
  return z
    .array(taskSchema)
    .parse(said)
    .sort((a, b) => b.CreatedAt.localeCompare(a.CreatedAt))
    .map((task) => ({
      taskId: task.ID,
      state: task.Status.State,
      desiredState: task.DesiredState,
      nodeId: task.NodeID || null,
      containerId: task.Status.ContainerStatus?.ContainerID || null,
      error: task.Status.Err || null,
      exitCode: task.Status.ContainerStatus?.ExitCode ?? null,
    }));
}
