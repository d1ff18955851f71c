import { CodedError } from '@vibe/platform';
import type { SwarmView } from '@vibe/contracts';
import { z } from 'zod';
import { type CallOptions, type EngineConnection, withSignal } from './engine-connection';

/** What the Engine says of its own node. */
export interface NodeInfo {
  readonly nodeId: string;
  readonly hostname: string;
  readonly isManager: boolean;
  readonly memoryBytes: number;
  /** What keeps this Engine from holding sessions as it must, each with its cure; empty when all is well. */
  readonly problems: string[];
}

const infoSchema = z.object({
  Name: z.string(),
  MemTotal: z.number(),
  Driver: z.string(),
  DriverStatus: z.array(z.array(z.string())).nullish(),
  MemoryLimit: z.boolean(),
  PidsLimit: z.boolean(),
  CpuCfsQuota: z.boolean().optional(),
  CPUCfsQuota: z.boolean().optional(),
  Swarm: z.object({ NodeID: z.string(), LocalNodeState: z.string(), ControlAvailable: z.boolean() }).optional(),
});

const nodeSchema = z.object({
  ID: z.string(),
  // Without a name as long as it has not told of itself: a join that broke off leaves such a node (moby, `NodeDescription`: omitempty).
  Description: z.object({ Hostname: z.string().optional() }).nullish(),
  Spec: z.object({ Role: z.enum(['manager', 'worker']), Availability: z.string() }),
  Status: z.object({ State: z.string() }),
});

function problemsOf(info: z.output<typeof infoSchema>): string[] {
  const hasImageStore = (info.DriverStatus ?? []).some(([key, value]) => key === 'driver-type' && value?.includes('containerd'));
  return [
    ...(info.Driver !== 'overlay2' || hasImageStore
      ? [`storage is ${hasImageStore ? 'the containerd image store' : info.Driver}, not overlay2: set "storage-driver": "overlay2" and "features": {"containerd-snapshotter": false} in daemon.json`]
      : []),
    ...(info.MemoryLimit ? [] : ['the kernel cannot limit the memory of a container: switch on the memory cgroup']),
    ...(info.PidsLimit ? [] : ['the kernel cannot limit the processes of a container: switch on the pids cgroup']),
    ...(info.CpuCfsQuota === false || info.CPUCfsQuota === false ? ['the kernel cannot limit the CPU of a container: switch on CFS bandwidth control'] : []),
  ];
}

/** What the Engine says of itself. @throws not_in_swarm (retryable: it may just be joining) */
export async function nodeInfo(connection: EngineConnection, options?: CallOptions): Promise<NodeInfo> {
  const info = infoSchema.parse(await connection.call('describe its node', (abortSignal) => (connection.docker.info as (options: object) => Promise<unknown>).call(connection.docker, { abortSignal }), options));
  if (info.Swarm?.LocalNodeState !== 'active') {
    throw new CodedError('not_in_swarm', `this Engine is no member of a Swarm (it says ${info.Swarm?.LocalNodeState ?? 'nothing'})`, { retryable: true });
  }
  return {
    nodeId: info.Swarm.NodeID,
    hostname: info.Name,
    isManager: info.Swarm.ControlAvailable,
    memoryBytes: info.MemTotal,
    problems: problemsOf(info),
  };
}

/** The nodes of the Swarm; one that never told its name goes by its id. Asked of a manager. */
export async function listNodes(connection: EngineConnection, options?: CallOptions): Promise<SwarmView['nodes']> {
  const said = await connection.call('list the nodes', (abortSignal) => connection.docker.listNodes(withSignal<object>(abortSignal)) as Promise<unknown>, options);
  return z
    .array(nodeSchema)
    .parse(said)
    .map((node) => ({ node_id: node.ID, hostname: node.Description?.Hostname ?? node.ID, role: node.Spec.Role, state: node.Status.State, availability: node.Spec.Availability }));
}
