import { TERMINAL_PORT } from '@vibe/contracts';
import type { SessionContainer } from '@vibe/swarm';
import type { AgentParts } from './agent-parts';
import { isListening } from './listening-port';

/** Makes the function that tells the others what this agent sees of its node, and on a manager what the Swarm looks like. */
export function createNodeReporter(parts: AgentParts): () => Promise<void> {
  const { engine, store, reports, settings, nodeId } = parts;
  // A container keeps its first process for life: it is asked for once.
  let pids = new Map<string, number>();

  const isOpen = async ({ container_id, state }: SessionContainer): Promise<boolean> => {
    if (state !== 'running' && state !== 'paused') return false;
    const pid = pids.get(container_id) ?? (await engine.inspectContainer(container_id))?.pid ?? 0;
    pids.set(container_id, pid);
    return pid > 0 && (await isListening(settings.HOST_PROC, pid, TERMINAL_PORT));
  };

  return async () => {
    const [info, containers, images, disk] = await Promise.all([engine.nodeInfo(), engine.listSessionContainers(), engine.listSnapshots(), parts.disk()]);
    pids = new Map(containers.flatMap(({ container_id }) => (pids.has(container_id) ? [[container_id, pids.get(container_id) ?? 0]] : [])));
    await reports.put({
      node_id: nodeId,
      hostname: info.hostname,
      is_manager: info.isManager,
      memory_bytes: info.memoryBytes,
      disk_total_bytes: disk.totalBytes,
      disk_free_bytes: disk.freeBytes,
      has_base_image: await engine.hasImage(settings.BASE_IMAGE),
      problems: info.problems,
      containers: await Promise.all(containers.map(async (container) => ({ ...container, is_listening: await isOpen(container) }))),
      images,
    });
    if (!info.isManager) return;
    // Before the first look: whoever hangs between looking and telling must not make what it saw younger.
    const seenAt = await store.now();
    const [nodes, services, secrets] = await Promise.all([engine.listNodes(), engine.listSessionServices(), engine.listSessionSecrets()]);
    await reports.putSwarmView({ seen_at: seenAt, nodes, services, secrets });
  };
}
