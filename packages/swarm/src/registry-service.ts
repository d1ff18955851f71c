import { CodedError } from '@vibe/platform';
import { z } from 'zod';
import { type CallOptions, type EngineConnection, onStatus } from './engine-connection';

/** With it the registry takes no push. `…_READONLY_ENABLED=true` does nothing: the setting is read as one value. */
const READ_ONLY_NAME = 'REGISTRY_STORAGE_MAINTENANCE_READONLY';
const READ_ONLY = `${READ_ONLY_NAME}={"enabled":true}`;

export const isReadOnlySetting = (line: string): boolean => line.startsWith(`${READ_ONLY_NAME}=`);

/** The whole spec goes back with an update, so what we do not know of it is kept as it came. */
const managedSchema = z.object({
  ID: z.string(),
  Version: z.object({ Index: z.number() }),
  Spec: z.looseObject({
    Name: z.string(),
    Labels: z.record(z.string(), z.string()).nullish(),
    TaskTemplate: z.looseObject({ ContainerSpec: z.looseObject({ Image: z.string(), Env: z.array(z.string()).nullish() }) }),
    Mode: z.looseObject({ Replicated: z.looseObject({ Replicas: z.number().optional() }).optional() }).optional(),
  }),
});

/** A service of ours that is no session's, as Swarm holds it now. */
export type ManagedService = z.output<typeof managedSchema>;

/** A service by its whole name; null when there is none. */
export async function inspectManaged(connection: EngineConnection, name: string, options?: CallOptions): Promise<ManagedService | null> {
  const said = await connection
    .call(`show the service ${name}`, (abortSignal) => connection.docker.getService(name).inspect({ abortSignal }) as Promise<unknown>, options)
    .catch(onStatus(404, null));
  if (said === null) return null;
  const service = managedSchema.parse(said);
  // The Engine also takes the beginning of an id for a name.
  return service.Spec.Name === name ? service : null;
}

/**
 * Updates a service as it was seen: Swarm refuses when anybody changed it since, or it is gone. No login goes along: the
 * Engine keeps the one the service has, and ours is none of another registry's business.
 */
export async function updateManaged(connection: EngineConnection, seen: ManagedService, spec: ManagedService['Spec'], options?: CallOptions): Promise<void> {
  await connection.call(
    `update the service ${spec.Name}`,
    (abortSignal) => {
      // dockerode sends its options as query and as body, unless both are named.
      const sent = { _query: { version: seen.Version.Index }, _body: spec, abortSignal };
      const service = connection.docker.getService(seen.ID) as unknown as { update(auth: undefined, options: object): Promise<unknown> };
      return service.update(undefined, sent);
    },
    options,
  );
}

/** @throws registry_service_missing */
export async function requireRegistry(connection: EngineConnection, name: string, options?: CallOptions): Promise<ManagedService> {
  const service = await inspectManaged(connection, name, options);
  if (!service) throw new CodedError('registry_service_missing', `the Swarm has no service ${name}: set REGISTRY_SERVICE to the name of the registry's service`);
  return service;
}

const envOf = ({ Spec }: ManagedService): string[] => Spec.TaskTemplate.ContainerSpec.Env ?? [];

/** Whether the registry's service is asked to be read-only; false where there is none. What the registry itself does is for itself to say. */
export async function isRegistryAskedReadOnly(connection: EngineConnection, name: string, options?: CallOptions): Promise<boolean> {
  const service = await inspectManaged(connection, name, options);
  return service !== null && envOf(service).includes(READ_ONLY);
}

export type ReadOnlyOptions = CallOptions & { readonly isStillWanted: () => Promise<boolean> };

/**
 * Asks that the registry be read-only, or writable again. Swarm then ends its task and starts another: for some seconds
 * nobody answers. Repeatable: what is as it should be is left alone, and so is a service that is not there.
 * @param options.isStillWanted asked between the look and the update, which Swarm refuses when the service was changed since
 *   the look: so whoever hangs anywhere here and wakes up late changes nothing. False = nothing was done
 */
export async function setRegistryReadOnly(connection: EngineConnection, name: string, isReadOnly: boolean, options: ReadOnlyOptions): Promise<boolean> {
  const seen = await inspectManaged(connection, name, options);
  if (!(await options.isStillWanted())) return false;
  if (!seen) return true;
  const others = envOf(seen).filter((line) => !isReadOnlySetting(line));
  const Env = isReadOnly ? [...others, READ_ONLY] : others;
  if (Env.length === envOf(seen).length && Env.every((line) => envOf(seen).includes(line))) return true;
  const { TaskTemplate } = seen.Spec;
  await updateManaged(connection, seen, { ...seen.Spec, TaskTemplate: { ...TaskTemplate, ContainerSpec: { ...TaskTemplate.ContainerSpec, Env } } }, options);
  return true;
}
