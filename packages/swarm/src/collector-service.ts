import type { ServiceSpec } from 'dockerode';
import { type CallOptions, type EngineConnection, isEngineStatus, onStatus } from './engine-connection';
import { type ManagedService, inspectManaged, isReadOnlySetting, requireRegistry, updateManaged } from './registry-service';

const COLLECTOR_NAME = 'vibe-registry-collector';
const RUN_LABEL = 'vibe.run';
const FREED = /vibe-freed-kib (-?\d+)/;

/**
 * What it does, in the registry's own image and volume, while the registry is read-only and nothing is pushed: forgets the
 * sessions' repositories in which nothing is left (the registry goes on naming them for ever), collects, removes what pushes
 * left that broke off, and says what became free. Without --delete-untagged: our deletes take manifests and not only tags, and an
 * image of ours whose tag moved on may be in use by its digest.
 */
const SCRIPT = `set -eu
root=$1
used() { du -sk "$root" | cut -f1; }
before=$(used)
for repository in "$root"/docker/registry/v2/repositories/vibe-session-*; do
  [ -d "$repository" ] || continue
  revisions=$repository/_manifests/revisions
  left=
  if [ -d "$revisions" ]; then left=$(find "$revisions" -name link); fi
  if [ -z "$left" ]; then rm -rf "$repository"; fi
done
registry garbage-collect "$2"
find "$root"/docker/registry/v2/repositories -type d -name _uploads -prune -exec rm -rf {} +
echo "vibe-freed-kib $((before - $(used)))"`;

const VOLUME_PATH = '/var/lib/registry';
const CONFIG_PATH = '/etc/docker/registry/config.yml';

/** What its container runs. */
export const collectorCommand = ['sh', '-c', SCRIPT, 'sh', VOLUME_PATH, CONFIG_PATH];

/** The one-shot service that collects the registry's garbage. */
export interface Collector {
  readonly serviceId: string;
  /** Which collection it belongs to. */
  readonly run: string;
  readonly isStarted: boolean;
  readonly seen: ManagedService;
}

/**
 * The spec of the one-shot service, from the registry's own: same image, user, volume, config and node; no network, no secret,
 * no restart. Without a task at first: it is started by an update of this very service, so that whoever comes too late to
 * start it (its collection is over, the service removed) finds nothing to start. Pure.
 */
export function collectorSpec(registry: ManagedService['Spec'], run: string): ManagedService['Spec'] {
  const { ContainerSpec, Resources, Placement, LogDriver } = registry.TaskTemplate;
  const { Image, User, ReadOnly, Mounts, Configs, CapabilityDrop, Env } = ContainerSpec;
  return {
    Name: COLLECTOR_NAME,
    Labels: { [RUN_LABEL]: run },
    TaskTemplate: {
      ContainerSpec: {
        Image,
        Command: collectorCommand,
        Env: (Env ?? []).filter((line) => !isReadOnlySetting(line)),
        ...Object.fromEntries(Object.entries({ User, ReadOnly, Mounts, Configs, CapabilityDrop }).filter(([, value]) => value !== undefined)),
        Init: true,
      },
      ...Object.fromEntries(Object.entries({ Resources, Placement, LogDriver }).filter(([, value]) => value !== undefined)),
      RestartPolicy: { Condition: 'none', MaxAttempts: 0 },
    },
    Mode: { Replicated: { Replicas: 0 } },
  };
}

/** The one-shot service that is there now, of whichever collection; null when there is none. */
export async function findCollector(connection: EngineConnection, options?: CallOptions): Promise<Collector | null> {
  const seen = await inspectManaged(connection, COLLECTOR_NAME, options);
  if (!seen) return null;
  return { serviceId: seen.ID, run: seen.Spec.Labels?.[RUN_LABEL] ?? '', isStarted: (seen.Spec.Mode?.Replicated?.Replicas ?? 0) > 0, seen };
}

/**
 * Makes the one-shot service, not started. Repeatable: one that is there is left as it is, whosever it is.
 * @throws registry_service_missing
 */
export async function createCollector(connection: EngineConnection, of: { readonly registryService: string; readonly run: string }, options?: CallOptions): Promise<void> {
  const registry = await requireRegistry(connection, of.registryService, options);
  const spec = collectorSpec(registry.Spec, of.run);
  await connection
    // With an empty login of its own: dockerode's createService(spec) sends the whole spec as the login.
    .call(`create the service ${COLLECTOR_NAME}`, (abortSignal) => connection.docker.createService({}, { ...spec, abortSignal } as unknown as ServiceSpec) as Promise<unknown>, options)
    .catch((error: unknown) => {
      if (!isEngineStatus(error, 409)) throw error;
    });
}

/** Gives it its task. Fails when it was changed or removed since it was seen. */
export function startCollector(connection: EngineConnection, collector: Collector, options?: CallOptions): Promise<void> {
  return updateManaged(connection, collector.seen, { ...collector.seen.Spec, Mode: { Replicated: { Replicas: 1 } } }, options);
}

/**
 * Takes its task away; that it ended is for its tasks to say. Also where it has none: after this update nobody who saw it
 * earlier can start it any more. Repeatable.
 */
export async function stopCollector(connection: EngineConnection, collector: Collector, options?: CallOptions): Promise<void> {
  await updateManaged(connection, collector.seen, { ...collector.seen.Spec, Mode: { Replicated: { Replicas: 0 } } }, options).catch(onStatus(404, undefined));
}

/** How many bytes it freed, by its own words; null when it did not say. Never negative. */
export async function bytesFreedBy(connection: EngineConnection, collector: Collector, options?: CallOptions): Promise<number | null> {
  const said = await connection.call(
    `show what ${COLLECTOR_NAME} said`,
    (abortSignal) => connection.docker.getService(collector.serviceId).logs({ _query: { stdout: true, tail: 5 }, abortSignal } as unknown as { stdout: true }) as unknown as Promise<unknown>,
    options,
  );
  const freed = FREED.exec(Buffer.isBuffer(said) ? said.toString('latin1') : String(said));
  return freed ? Math.max(0, Number(freed[1]) * 1024) : null;
}
