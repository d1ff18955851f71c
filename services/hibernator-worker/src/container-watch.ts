import { TERMINAL_PORT, stateTable } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { ACTOR, type AgentParts } from './agent-parts';
import type { RunningContainer } from './idle-clock';
import { whenListening } from './listening-port';
import { loseSession } from './lose-session';
import { keepAsleep, saveEnded } from './save-ended';
import { startFailed } from './start-failed';

/** What this agent says about the containers of its node: a terminal that opened, one that died, one that must be thawed. */
export class ContainerWatch {
  private readonly starting = new Set<string>();
  /** Containers that are some running session's, so that an absence is noticed and looked into. */
  private readonly known = new Map<string, { sessionId: string; gen: number }>();

  constructor(
    private readonly parts: AgentParts,
    private readonly stopping: AbortSignal,
  ) {}

  /** A container started, or was found running: moves its session to `running` when ttyd's port listens. Safe to repeat. */
  async started(containerId: string): Promise<void> {
    if (this.starting.has(containerId)) return;
    this.starting.add(containerId);
    try {
      await this.reportStart(containerId);
    } finally {
      this.starting.delete(containerId);
    }
  }

  private async reportStart(containerId: string): Promise<void> {
    const { engine, store, settings, nodeId, logger } = this.parts;
    const container = await engine.inspectContainer(containerId);
    if (container?.state !== 'running' || !container.session) return;
    const { session_id: id, gen } = container.session;
    const record = await store.get(id);
    if (record?.gen !== gen) return;
    if (record.state === 'running' && record.container_id === containerId) this.known.set(containerId, { sessionId: id, gen });
    if (record.state !== 'creating' && record.state !== 'waking') return;

    const where = { node_id: nodeId, container_id: containerId, task_name: container.name, ...(container.serviceId === null ? {} : { service_id: container.serviceId }) };
    const limitMs = stateTable[record.state].deadlineMs ?? 0;
    const [isOpen] = await Promise.all([
      whenListening(settings.HOST_PROC, container.pid, TERMINAL_PORT, AbortSignal.any([this.stopping, AbortSignal.timeout(limitMs)])),
      store.progress({ id, rev: record.rev, set: { ...where, step: 'starting' } }),
    ]);
    if (!isOpen) return;
    await failpoint('start.before-running');
    const moved = await store.move({
      id,
      rev: record.rev,
      to: 'running',
      actor: ACTOR,
      addNode: nodeId,
      set: { ...where, wish_node: null, failures: null, retry_after: null, missing_since: null, hibernate_reason: null },
    });
    if (moved.outcome === 'stale') return;
    await failpoint('start.after-running');
    this.known.set(containerId, { sessionId: id, gen });
    logger.info('terminal open', { session_id: id, gen, rev: moved.record.rev, ms: moved.record.state_since - record.state_since });
  }

  /**
   * A session of this node runs (again) by its record: thaws its container if it is frozen. Its container is looked for from
   * now on: it may have gone while the record did not say that it runs. Safe to repeat.
   */
  async thaw(sessionId: string): Promise<void> {
    const record = await this.parts.store.get(sessionId);
    if (record?.container_id === undefined) return;
    if (record.state === 'running' && record.node_id === this.parts.nodeId) this.known.set(record.container_id, { sessionId, gen: record.gen });
    await this.parts.freezer.thawIfRunning(sessionId, record.gen, record.container_id);
    // An Engine that was restarted ended it while it was frozen, and told nobody.
    if (record.frozen_container === record.container_id) await this.died(record.container_id);
  }

  /** A container ended or is gone: seen by inspecting it, so a wrong hint does no harm. Safe to repeat. */
  async died(containerId: string): Promise<void> {
    const { engine, store } = this.parts;
    const container = await engine.inspectContainer(containerId);
    if (container && container.state !== 'exited' && !container.isBeingRemoved) return;
    const ended = container?.state === 'exited' ? container : null;
    const session = container?.session ?? null;
    const sessionId = session?.session_id ?? this.known.get(containerId)?.sessionId;
    if (sessionId === undefined) return;
    const record = await store.get(sessionId);
    if (record && (record.container_id === containerId || record.gen === session?.gen)) {
      const reason = reasonOfDeath(ended, this.parts.settings.SESSION_MEMORY_LIMIT_MIB);
      const isItsOwn = record.state === 'running' && record.container_id === containerId;
      if (record.state === 'hibernating' && record.container_id === containerId && ended) await keepAsleep(this.parts, record);
      else if (isItsOwn && ended && record.frozen_container === containerId) await saveEnded(this.parts, record);
      else if (isItsOwn) await loseSession(this.parts, record, `The session is lost: ${reason}.`);
      else if (record.state === 'creating' || record.state === 'waking') await startFailed(this.parts, record, `Its terminal did not open: ${reason}.`);
    }
    // Only now: a death that could not be written down is seen again by the next resync.
    this.known.delete(containerId);
  }

  /** Takes up what the records say runs on this node: what died while no agent looked is then found by `resync`. */
  async recall(): Promise<void> {
    const { store, nodeId } = this.parts;
    for (const record of (await store.readMany(await store.allRunning())).records) {
      if (record.node_id === nodeId && record.container_id !== undefined) this.known.set(record.container_id, { sessionId: record.id, gen: record.gen });
    }
  }

  /**
   * Holds the containers of this node against their records: whatever an event should have said and did not. Returns the
   * running ones, for the idle clock.
   */
  async resync(): Promise<RunningContainer[]> {
    const { engine, store, freezer, underWay, logger } = this.parts;
    const containers = await engine.listSessionContainers();
    const read = await store.readMany([...new Set(containers.map((c) => c.session_id))]);
    const records = new Map(read.records.map((record) => [record.id, record]));
    for (const record of records.values()) underWay.noticed({ session_id: record.id, rev: record.rev });

    const there = new Set(containers.map((container) => container.container_id));
    const gone = [...this.known.keys()].filter((id) => !there.has(id));
    // By their records the sessions of all others have no container: what becomes of those the reaper decides.
    const pairs = containers.flatMap((container) => {
      const record = records.get(container.session_id);
      return record && stateTable[record.state].holdsContainer ? [{ container, record }] : [];
    });
    const ended = pairs.filter(({ container, record }) => (container.state === 'exited' || container.state === 'other') && container.gen === record.gen);
    const unopened = pairs.filter(({ container, record }) => container.state === 'running' && record.state !== 'hibernating' && !this.known.has(container.container_id));
    const awake = pairs.filter(({ record }) => record.state === 'running');
    const frozen = awake.filter(({ container, record }) => container.state === 'paused' || (container.state === 'running' && record.frozen_container === container.container_id));

    const looks = [
      ...[...gone, ...ended.map(({ container }) => container.container_id)].map((id) => this.died(id)),
      ...unopened.map(({ container }) => this.started(container.container_id)),
      ...frozen.map(({ container }) => freezer.thawIfRunning(container.session_id, container.gen, container.container_id)),
    ];
    // A start may take as long as its terminal takes to open: nobody waits for it here.
    for (const look of looks) void look.catch((error: unknown) => logger.warn('a container could not be looked at', { error }));

    return awake
      .filter(({ container, record }) => container.state === 'running' && container.container_id === record.container_id)
      .map(({ container }) => ({ sessionId: container.session_id, gen: container.gen, containerId: container.container_id }));
  }
}

function reasonOfDeath(container: { isOomKilled: boolean; exitCode: number } | null, memoryMib: number): string {
  if (!container) return 'its container was removed';
  if (container.isOomKilled) return `it used more memory than the ${memoryMib} MiB it may`;
  if (container.exitCode === 137) return 'its container was killed';
  return `its container ended with exit code ${container.exitCode}`;
}
