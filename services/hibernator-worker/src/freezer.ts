import type { SessionRecord } from '@vibe/contracts';
import { type Logger, failpoint, isCoded } from '@vibe/platform';
import type { SessionStore } from '@vibe/session-store';
import type { Engine } from '@vibe/swarm';
import { setTimeout as sleep } from 'node:timers/promises';

const FREEZE_TRIES = 3;
const FREEZE_AGAIN_MS = 250;

/**
 * The only code that pauses and unpauses. The record decides whether a container is frozen: it is thawed only after
 * `running` was read at its generation, and left alone when Redis cannot be read.
 *
 * A lock a container covers {read the record, pause or unpause} and {last CPU reading, commit point}, so that no thaw falls
 * between the witness and the commit point. Commit, push and proof run outside of it: a thaw waits for one call at most.
 */
export class Freezer {
  private readonly tails = new Map<string, Promise<unknown>>();

  constructor(private readonly parts: { engine: Engine; store: SessionStore; logger: Logger }) {}

  /** Runs work alone for this container, in the order of the calls. Rejects as the work rejects. */
  async alone<T>(containerId: string, work: () => Promise<T>): Promise<T> {
    const before = this.tails.get(containerId) ?? Promise.resolve();
    const mine = before.then(work, work);
    const tail = mine.catch(() => undefined);
    this.tails.set(containerId, tail);
    try {
      return await mine;
    } finally {
      if (this.tails.get(containerId) === tail) this.tails.delete(containerId);
    }
  }

  /**
   * Freezes the container of a session that still is `hibernating` at this rev. Already frozen is success. A busy node's
   * kernel may fail to freeze a container at once ("unable to freeze"): it is asked again before that counts.
   */
  async freeze(record: SessionRecord, containerId: string): Promise<'frozen' | 'stale'> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.alone(containerId, () => this.freezeOnce(record, containerId));
      } catch (error) {
        if (!isCoded(error, 'engine_error') || tries === FREEZE_TRIES) throw error;
        await sleep(FREEZE_AGAIN_MS);
      }
    }
  }

  private async freezeOnce(record: SessionRecord, containerId: string): Promise<'frozen' | 'stale'> {
    const now = await this.parts.store.get(record.id);
    if (now?.rev !== record.rev || now.state !== 'hibernating') return 'stale';
    await failpoint('hibernate.before-freeze');
    const outcome = await this.parts.engine.pauseContainer(containerId);
    if (outcome !== 'paused') throw new Error(`the container could not be frozen: it is ${outcome}`);
    return 'frozen';
  }

  /**
   * Thaws the container if the record says that it runs, and takes back the note that it is frozen: unless it has ended, then
   * the note says that it can be saved. Safe to repeat; throws when Redis or the Engine cannot be asked.
   */
  thawIfRunning(sessionId: string, gen: number, containerId: string): Promise<void> {
    return this.alone(containerId, async () => {
      const now = await this.parts.store.get(sessionId);
      if (now?.state !== 'running' || now.gen !== gen) return;
      await failpoint('thaw.before-unpause');
      if (await this.parts.engine.unpauseContainer(containerId)) this.parts.logger.info('thawed', { session_id: sessionId, gen });
      await failpoint('thaw.after-unpause');
      if (now.frozen_container !== containerId || (await this.parts.engine.inspectContainer(containerId))?.state !== 'running') return;
      await this.parts.store.progress({ id: sessionId, rev: now.rev, set: { frozen_container: null } });
    });
  }
}
