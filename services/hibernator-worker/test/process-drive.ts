import { type RecordFields, SWARM_QUEUE, type SessionRecord, type SessionState, newSessionId, nodeJobs, nodeQueueOf, swarmJobs } from '@vibe/contracts';
import { CodedError, isCoded } from '@vibe/platform';
import { keys } from '@vibe/session-store';
import type { Stage } from './process-stage';
import { whenFound, whenTrue } from './process-when';

const ACTOR = 'user:ann';
const TYPED = '/home/vibe/workspace/typed';

/** What a person and the API do to a session: claims and jobs, again and again until it is as they wish; and what they then see. */
export class Drive {
  constructor(readonly stage: Stage) {}

  /** Claims a session. `isTold: false` leaves its job out, as when the API died in between. */
  async create({ isTold = true } = {}): Promise<string> {
    const { store, queues, baseImage } = this.stage;
    const id = newSessionId();
    const claim = async () => {
      const made = await store.create({ id, userId: 'ann', name: 'one', baseImage, maxPerUser: 1_000, actor: ACTOR });
      return made.outcome === 'created' && made.record;
    };
    // Doors that are closed for a rebuild open again.
    const { rev } = await whenFound('a session may be made', claim, { explain: () => this.stage.said });
    if (isTold) await queues.add(SWARM_QUEUE, swarmJobs.start, { session_id: id, rev });
    return id;
  }

  async createRunning(): Promise<string> {
    const id = await this.create();
    await this.until(id, 'running');
    return id;
  }

  /** A session in which something was typed, and which then was put to sleep. */
  async createAsleep(line: string): Promise<string> {
    const id = await this.createRunning();
    this.type(id, line);
    await this.sleep(id);
    await whenTrue('its container is gone', () => this.stage.swarm.containersOf(id).length === 0, { explain: () => this.stage.said });
    return id;
  }

  /** @param options.until what must have happened besides */
  async until(id: string, state: SessionState, options: { until?: Promise<unknown> } = {}): Promise<SessionRecord> {
    let last = '';
    const hasHappened = happening(options.until);
    const look = async () => {
      const record = await this.stage.store.get(id);
      last = `${record?.state ?? 'no record'} ${record?.step ?? ''} ${record?.reason ?? ''}`;
      return hasHappened() && record?.state === state && record;
    };
    return whenFound(`the session ${id} is ${state}`, look, { explain: () => `it is: ${last}\n${this.stage.said}` });
  }

  async untilGone(id: string): Promise<void> {
    let left: string[] = [];
    const look = async () => (left = await this.stage.traces(id)).length === 0;
    await whenTrue(`nothing is left of ${id}`, look, { explain: () => `${left.join('\n')}\n${this.stage.said}` });
  }

  /** One claim, if the record still is as it was read. @throws while nothing may be claimed */
  async claim(record: SessionRecord, to: SessionState, set: RecordFields = {}): Promise<SessionRecord | null> {
    const moved = await this.stage.store.move({ id: record.id, rev: record.rev, to, actor: ACTOR, set });
    if (moved.outcome === 'collecting') throw new CodedError('collecting', 'nothing may fall asleep now');
    return moved.outcome === 'moved' ? moved.record : null;
  }

  /** Claims sleep, and tells the node. */
  async claimSleep(id: string): Promise<void> {
    const record = await this.until(id, 'running');
    const claimed = await this.claim(record, 'hibernating', { hibernate_reason: 'asked' });
    if (claimed?.node_id !== undefined) await this.stage.queues.add(nodeQueueOf(claimed.node_id), nodeJobs.hibernate, { session_id: id, rev: claimed.rev });
  }

  /** Puts it to sleep, or until something has happened on the way; an attempt that was given up is followed by the next one. */
  async sleep(id: string, { until }: { until?: Promise<unknown> } = {}): Promise<void> {
    await this.reach(id, until === undefined ? 'hibernated' : happening(until), { running: () => this.claimSleep(id), hibernating: null });
  }

  /** Wakes it from what the registry has. */
  async wake(id: string, { wishNode }: { wishNode?: string } = {}): Promise<void> {
    this.stage.dropLocalImages(id);
    let wish = wishNode;
    const claim = async (record: SessionRecord) => {
      const claimed = await this.claim(record, 'waking', { gen: record.gen + 1, ...(wish === undefined ? {} : { wish_node: wish }) });
      wish = undefined;
      if (claimed) await this.stage.queues.add(SWARM_QUEUE, swarmJobs.start, { session_id: id, rev: claimed.rev });
    };
    await this.reach(id, 'running', { hibernated: claim, waking: null });
  }

  /** A person comes back to a session that is falling asleep. */
  async comeBack(id: string): Promise<void> {
    await this.reach(id, 'running', { hibernating: (record) => this.claim(record, 'running').then(() => undefined) });
  }

  /** Deletes it and waits until nothing is left. */
  async remove(id: string): Promise<void> {
    const { store, queues } = this.stage;
    const claim = async (record: SessionRecord) => {
      const claimed = await this.claim(record, 'deleting');
      if (claimed) await queues.add(SWARM_QUEUE, swarmJobs.erase, { session_id: id, rev: claimed.rev });
    };
    await whenTrue(`the session ${id} is being deleted`, async () => {
      const record = await store.get(id);
      if (record && record.state !== 'deleting') await unlessClosed(() => claim(record));
      return record === null || record.state === 'deleting';
    });
    await this.untilGone(id);
  }

  type(id: string, line: string): void {
    this.stage.containerOf(id).type(line);
  }

  /** What was typed into it and is there. */
  typed(id: string): string {
    return this.stage.containerOf(id).files.get(TYPED) ?? '';
  }

  /** @throws when a line is missing (I2) */
  mustHold(id: string, ...lines: string[]): void {
    const there = this.typed(id);
    const wanted = lines.map((line) => `${line}\n`).join('');
    if (there !== wanted) throw new Error(`typed was ${JSON.stringify(wanted)}, there is ${JSON.stringify(there)}`);
  }

  /** The epoch is open again. */
  async untilOpen(): Promise<void> {
    await whenTrue('the epoch is open', async () => (await this.stage.redis.exists(keys.epoch)) === 1, { explain: () => this.stage.said });
  }

  /** Goes from state to state: `null` waits, a claim is made once for each revision. Any other state is a fault. */
  private async reach(id: string, goal: SessionState | (() => boolean), ways: Partial<Record<SessionState, ((record: SessionRecord) => Promise<void>) | null>>): Promise<void> {
    const where = typeof goal === 'function' ? 'where it is held' : goal;
    let claimed = 0;
    let last: SessionRecord | null = null;
    const look = async () => {
      const record = (last = await this.stage.store.get(id));
      if (typeof goal === 'function' ? goal() : record?.state === goal) return true;
      const way = record && ways[record.state];
      if (!record || way === undefined) throw new Error(`the session ${id} is ${record?.state ?? 'gone'} (${record?.reason ?? ''}) on its way to ${where}\n${this.stage.said}`);
      if (way && claimed !== record.rev && (await unlessClosed(() => way(record)))) claimed = record.rev;
      return false;
    };
    await whenTrue(`the session ${id} is ${where}`, look, { explain: () => `it is ${last?.state} ${last?.step} ${last?.reason}\n${this.stage.said}` });
  }
}

/** Whoever is told that the records are put together, or the registry is collected, tries again: false then. */
async function unlessClosed(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!isCoded(error, 'rebuilding') && !isCoded(error, 'collecting')) throw error;
    return false;
  }
}

function happening(what: Promise<unknown> = Promise.resolve()): () => boolean {
  let hasHappened = false;
  void what.then(() => (hasHappened = true));
  return () => hasHappened;
}
