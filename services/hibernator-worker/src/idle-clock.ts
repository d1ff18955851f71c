import { performance } from 'node:perf_hooks';
import type { Logger } from '@vibe/platform';
import type { SessionStore } from '@vibe/session-store';
import type { Engine } from '@vibe/swarm';
import { lastKeyAt } from './pane-terminals';
import { type ProcessEntry, readProcesses } from './process-table';
import type { Settings } from './settings';

interface Look {
  readonly keyAtMs: number | null;
  readonly cpuNs: number;
  /** Monotonic, ms. */
  readonly at: number;
}

/** One running session on this node. */
export interface RunningContainer {
  readonly sessionId: string;
  readonly gen: number;
  readonly containerId: string;
}

/** How often the clock is read, in ms. */
export function lookEveryMs(idleTimeoutMinutes: number): number {
  return Math.min(60_000, (idleTimeoutMinutes * 60_000) / 4);
}

/**
 * What counts as use: a key that a pane read, CPU above a threshold, and (told by the API) a call of `open`. Never output,
 * never a socket. What could not be measured is not idle.
 */
export class IdleClock {
  private readonly looks = new Map<string, Look>();

  constructor(private readonly parts: { engine: Engine; store: SessionStore; settings: Settings; logger: Logger }) {}

  /** Looks at all of them; forgets containers that are no more. One that fails does not stop the others. */
  async lookAtAll(containers: readonly RunningContainer[]): Promise<void> {
    const processes = await readProcesses(this.parts.settings.HOST_PROC);
    const there = new Set(containers.map(({ containerId }) => containerId));
    for (const id of this.looks.keys()) if (!there.has(id)) this.looks.delete(id);
    for (const container of containers) await this.look(container, processes);
  }

  private async look(container: RunningContainer, processes: readonly ProcessEntry[]): Promise<void> {
    const { store, logger } = this.parts;
    const { sessionId: id, gen, containerId } = container;
    try {
      const now = await this.measure(container, processes);
      // Frozen or ended since it was listed: that is nobody's use, and its record decides.
      if (!now) return;
      await this.tell(container, this.looks.get(containerId), now);
      // Only now: a key that could not be told of counts at the next look.
      this.looks.set(containerId, now);
    } catch (error) {
      logger.warn('the idle clock could not be read', { session_id: id, gen, error });
      await store.touch({ id, gen, ageMs: 0, activityReason: 'unmeasured' });
    }
  }

  /**
   * A first look (the agent is new, or the container was frozen) has no CPU to compare: it tells of a key, but not that the session
   * was looked at, so that nothing falls asleep on it alone.
   */
  private async tell({ sessionId: id, gen }: RunningContainer, before: Look | undefined, now: Look): Promise<void> {
    const { store, settings } = this.parts;
    if (before && isBusy(before, now, settings.IDLE_CPU_PERCENT)) return store.touch({ id, gen, ageMs: 0, activityReason: 'cpu' });
    if (now.keyAtMs !== null && now.keyAtMs !== before?.keyAtMs) return store.touch({ id, ...(before ? { gen } : {}), ageMs: Math.max(0, Date.now() - now.keyAtMs), activityReason: 'input' });
    if (before) await store.looked({ id, gen });
  }

  private async measure(container: RunningContainer, processes: readonly ProcessEntry[]): Promise<Look | null> {
    const seen = await this.parts.engine.inspectContainer(container.containerId);
    if (seen?.state !== 'running') return null;
    const keyAtMs = await lastKeyAt(this.parts.settings.HOST_PROC, seen.pid, processes);
    return { keyAtMs, cpuNs: await this.parts.engine.cpuCounter(container.containerId), at: performance.now() };
  }

  /** True when a key was read since the last look (or, where there was none, within the idle time). Throws when it cannot tell. */
  async wasUsedSinceLastLook(containerId: string, pid: number): Promise<boolean> {
    const { HOST_PROC, IDLE_TIMEOUT_MINUTES } = this.parts.settings;
    const keyAtMs = await lastKeyAt(HOST_PROC, pid, await readProcesses(HOST_PROC));
    if (keyAtMs === null) return false;
    const before = this.looks.get(containerId);
    if (before) return keyAtMs !== before.keyAtMs;
    return Date.now() - keyAtMs < IDLE_TIMEOUT_MINUTES * 60_000;
  }
}

function isBusy(before: Look, now: Look, thresholdPercent: number): boolean {
  const elapsedNs = (now.at - before.at) * 1e6;
  return elapsedNs > 0 && ((now.cpuNs - before.cpuNs) / elapsedNs) * 100 > thresholdPercent;
}
