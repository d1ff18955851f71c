import {
  type ActivityReason,
  type RecordFields,
  type SessionRecord,
  type SessionState,
  WAIT_IN_LINE_MS,
  isLegalMove,
  sessionRecordSchema,
  sessionStates,
  stateTable,
} from '@vibe/contracts';
import type { Redis } from 'ioredis';
import { Epoch } from './epoch';
import { keys } from './keys';
import { encodeFields } from './record-fields';
import { type Script, runScript, script } from './script-runner';
import { dueScript, nowScript, progressScript, renameScript, startSlotScript, touchScript } from './scripts/clock';
import { createScript } from './scripts/create';
import { forgetNodeScript, moveScript, removeScript } from './scripts/move';

const scripts = {
  create: script(createScript),
  move: script(moveScript),
  remove: script(removeScript),
  forgetNode: script(forgetNodeScript),
  progress: script(progressScript),
  touch: script(touchScript),
  startSlot: script(startSlotScript),
  rename: script(renameScript),
  now: script(nowScript),
  due: script(dueScript),
};

export interface MoveOptions<To extends SessionState = SessionState> {
  readonly id: string;
  /** The revision this move starts from. */
  readonly rev: number;
  readonly to: To;
  /** Who moves: `user:…` or the service's name. Goes into the audit stream. */
  readonly actor: string;
  readonly set?: RecordFields;
  /** One sentence for the user and the audit stream; kept in the record until the next move. */
  readonly reason?: string;
  /** A node that from now on holds data of this session. */
  readonly addNode?: string;
  /** Overrides the table's deadline, in ms from now (the TTL of a hibernated session). */
  readonly deadlineMs?: number;
  /** The registry tag that becomes the session's own by this move: no longer droppable. */
  readonly keepTag?: string;
  /** The digest that this move replaces: droppable from now on. */
  readonly dropDigest?: string;
  /** The `last_activity` that this was decided on: a session that was used since is not moved (`stale`). */
  readonly unusedSince?: number;
}

export type MoveResult<To extends SessionState = SessionState> =
  /** `record` is what this very move wrote, whatever was moved since. */
  | { outcome: 'moved'; record: SessionRecord }
  | { outcome: 'stale'; record: SessionRecord | null }
  /** Nothing may fall asleep while the registry's garbage is collected, which began `sinceMs` ago; the record is as it was. */
  | ('hibernating' extends To ? { outcome: 'collecting'; sinceMs: number } : never);

export type CreateResult = { outcome: 'created'; record: SessionRecord } | { outcome: 'quota_exceeded'; sessions: SessionRecord[] } | { outcome: 'rebuilding' };

type MoveReply = [reply: 'moved', epoch: string, moves: number, record: string[]] | [reply: 'stale' | 'absent' | 'collecting' | 'absent epoch' | 'rewound'];

/** A hash as a script returns it: names and values by turns. */
const hashOf = (flat: readonly string[]): Record<string, string> => Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : [])));

/** The deadline a claim starts with: work waits in line first, and its own limit starts when it starts. */
function deadlineOf(to: SessionState, given: number | undefined): string {
  const rule = stateTable[to];
  const ms = given ?? (rule.isWork ? Math.max(WAIT_IN_LINE_MS, rule.deadlineMs ?? 0) : rule.deadlineMs);
  return ms === null ? '' : String(Math.round(ms));
}

const countingStates = sessionStates.filter((state) => stateTable[state].countsInQuota).join(',');

/** The records of all sessions. Every change is one Lua script; a lost reply is no failure: read the record, it decides. */
export class SessionStore {
  /** @param epoch what this process has seen of Redis: shared with whoever listens to events, so that moves are held against it */
  constructor(
    private readonly redis: Redis,
    private readonly epoch: Epoch = new Epoch(redis),
  ) {}

  private run(which: Script, keyNames: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return runScript(this.redis, which, keyNames, args.map(String));
  }

  /** Redis' time in ms, with the tests' offset. */
  async now(): Promise<number> {
    return Number(await this.run(scripts.now, [], []));
  }

  /** The record, or null when there is none. */
  async get(id: string): Promise<SessionRecord | null> {
    const hash = await this.redis.hgetall(keys.session(id));
    return Object.keys(hash).length === 0 ? null : sessionRecordSchema.parse(hash);
  }

  /** The records of several sessions in one round trip; absent ones are left out. @throws when one of them cannot be read */
  async getMany(ids: readonly string[]): Promise<SessionRecord[]> {
    const { records, unreadable } = await this.readMany(ids);
    if (unreadable.length > 0) throw new Error(`the records of these sessions cannot be read: ${unreadable.join(', ')}`);
    return records;
  }

  /**
   * The same for whoever looks at all sessions: one record that is no record must not stop the work on the others. `unreadable`
   * are the ids of those: their sessions have a record, and whatever there is of them is left alone.
   */
  async readMany(ids: readonly string[]): Promise<{ records: SessionRecord[]; unreadable: string[] }> {
    const pipeline = this.redis.pipeline();
    for (const id of ids) pipeline.hgetall(keys.session(id));
    const replies = (await pipeline.exec()) ?? [];
    const records: SessionRecord[] = [];
    const unreadable: string[] = [];
    for (const [index, [error, hash]] of replies.entries()) {
      if (error) throw error;
      if (Object.keys(hash as object).length === 0) continue;
      const read = sessionRecordSchema.safeParse(hash);
      if (read.success) records.push(read.data);
      else unreadable.push(ids[index] as string);
    }
    return { records, unreadable };
  }

  /** All sessions of a user, the oldest first. */
  async listByUser(userId: string): Promise<SessionRecord[]> {
    const records = await this.getMany(await this.redis.smembers(keys.userSessions(userId)));
    return records.sort((a, b) => a.created_at - b.created_at || a.id.localeCompare(b.id));
  }

  /** Checks the quota and claims `creating` at gen 1, rev 1. Safe to repeat with the same id. */
  async create(options: { id: string; userId: string; name: string; baseImage: string; maxPerUser: number; actor: string }): Promise<CreateResult> {
    const { id, userId, name, baseImage, maxPerUser, actor } = options;
    const fields = encodeFields({ name, base_image: baseImage });
    const reply = await this.run(scripts.create, [keys.session(id), keys.userSessions(userId)], [id, userId, maxPerUser, countingStates, deadlineOf('creating', undefined), actor, fields]);
    if (reply === 'quota') return { outcome: 'quota_exceeded', sessions: await this.listByUser(userId) };
    if (reply === 'rebuilding') return { outcome: 'rebuilding' };
    const record = await this.get(id);
    if (!record) throw new Error(`session ${id} vanished right after it was created`);
    return { outcome: 'created', record };
  }

  /**
   * Moves a session to another state, if its record still is at `rev` and the table allows the move.
   * `stale` carries the record as it is now: whoever lost the race decides anew from it.
   * @throws `rebuilding` in a Redis without an epoch, or one that went back since this process last saw it: nothing is changed
   */
  async move<To extends SessionState>(options: MoveOptions<To>): Promise<MoveResult<To>> {
    const { id, rev, to, actor, set = {}, reason = '', addNode = '', keepTag = '', dropDigest = '' } = options;
    const from = sessionStates.filter((state) => isLegalMove(state, to)).join(',');
    const isWork = stateTable[to].isWork ? '1' : '0';
    const args = [id, rev, to, from, deadlineOf(to, options.deadlineMs), isWork, actor, reason, encodeFields(set), addNode, keepTag, dropDigest, options.unusedSince ?? '', ...this.epoch.fence()];
    const reply = (await this.run(scripts.move, [keys.session(id)], args)) as MoveReply;
    if (reply[0] === 'absent epoch' || reply[0] === 'rewound') return this.epoch.refuse(reply[0] === 'rewound' ? 'rewound' : 'absent');
    if (reply[0] === 'moved') {
      const [, epoch, moves, record] = reply;
      this.epoch.know({ epoch, moves });
      return { outcome: 'moved', record: sessionRecordSchema.parse(hashOf(record)) };
    }
    if (reply[0] === 'collecting') return { outcome: 'collecting', sinceMs: await this.collectingFor() } as MoveResult<To>;
    return { outcome: 'stale', record: await this.get(id) };
  }

  private async collectingFor(): Promise<number> {
    const [startedAt, now] = await Promise.all([this.redis.hget(keys.collection, 'started_at'), this.now()]);
    return startedAt === null ? 0 : Math.max(0, now - Number(startedAt));
  }

  /** Removes the record of an erased session (`deleting` → gone). `absent` counts as removed. */
  async remove(options: { id: string; rev: number; actor: string }): Promise<'removed' | 'stale'> {
    const reply = await this.run(scripts.remove, [keys.session(options.id)], [options.id, options.rev, options.actor]);
    return reply === 'stale' ? 'stale' : 'removed';
  }

  /** This node holds nothing of the erased session any more. Returns how many still do; null when the record moved on. Safe to repeat. */
  async forgetNode(options: { id: string; rev: number; nodeId: string }): Promise<number | null> {
    const left = (await this.run(scripts.forgetNode, [keys.session(options.id)], [options.id, options.rev, options.nodeId])) as number;
    return left < 0 ? null : left;
  }

  /** Work got further: same state and rev, fields written, deadline renewed (left as it is where none is given, or null). False when the record has moved on. */
  async progress(options: { id: string; rev: number; set: RecordFields; deadlineMs?: number | null }): Promise<boolean> {
    const { id, rev, set, deadlineMs } = options;
    return (await this.run(scripts.progress, [keys.session(id)], [id, rev, deadlineMs ?? '', encodeFields(set)])) === 1;
  }

  /** Somebody used the session `ageMs` ago: sets the idle clock, never back. Without `gen` it holds for any generation, and is no look at it. */
  async touch(options: { id: string; gen?: number; ageMs: number; activityReason: ActivityReason }): Promise<void> {
    await this.run(scripts.touch, [keys.session(options.id)], [options.id, options.gen ?? '', Math.round(options.ageMs), options.activityReason]);
  }

  /** The session was looked at and nothing new was seen of its use. */
  async looked(options: { id: string; gen: number }): Promise<void> {
    await this.run(scripts.touch, [keys.session(options.id)], [options.id, options.gen, '', '']);
  }

  /** Gives a session another name; nothing happens when it is absent. */
  async rename(options: { id: string; name: string }): Promise<void> {
    await this.run(scripts.rename, [keys.session(options.id)], [options.id, options.name]);
  }

  /** Takes one of `limit` places for starts in flight; freed by the move out of `creating` or `waking`. Safe to repeat. */
  async claimStartSlot(options: { id: string; rev: number; limit: number }): Promise<'taken' | 'full' | 'stale'> {
    return (await this.run(scripts.startSlot, [keys.session(options.id)], [options.id, options.rev, options.limit])) as 'taken' | 'full' | 'stale';
  }

  /** Running sessions nobody has used for `ms`, the longest idle first. */
  idleSince(ms: number, limit: number): Promise<string[]> {
    return this.due(keys.byActivity, ms, limit);
  }

  /** Sessions whose state is overdue. */
  overdue(limit: number): Promise<string[]> {
    return this.due(keys.byDeadline, 0, limit);
  }

  /** Sessions whose state says that work is under way since `ms` or longer. */
  inWork(ms: number, limit: number): Promise<string[]> {
    return this.due(keys.inWork, ms, limit);
  }

  /** Sessions whose start took its place `ms` ago or longer and that still do not run. */
  slowStarts(ms: number, limit: number): Promise<string[]> {
    return this.due(keys.startsInFlight, ms, limit);
  }

  private async due(set: string, ms: number, limit: number): Promise<string[]> {
    return (await this.run(scripts.due, [set], [Math.round(ms), limit])) as string[];
  }

  /** The ids of all running sessions: for one look after a restart, never for a sweep. */
  allRunning(): Promise<string[]> {
    return this.redis.zrange(keys.byActivity, 0, -1);
  }

  /** The ids of all records. Walks the key space: for a rebuild, where no index can be believed. */
  async allIds(): Promise<string[]> {
    const ids = new Set<string>();
    for await (const names of this.redis.scanStream({ match: `${keys.sessionPrefix}*`, count: 1_000 })) {
      for (const name of names as string[]) ids.add(name.slice(keys.sessionPrefix.length));
    }
    return [...ids];
  }

  /** When the state of a session is overdue, in ms of Redis' clock; null when it has no deadline. */
  async deadlineOf(id: string): Promise<number | null> {
    const score = await this.redis.zscore(keys.byDeadline, id);
    return score === null ? null : Number(score);
  }

  /** How many sessions are in each state. */
  async counts(): Promise<Record<SessionState, number>> {
    const hash = await this.redis.hgetall(keys.counts);
    return Object.fromEntries(sessionStates.map((state) => [state, Number(hash[state] ?? 0)])) as Record<SessionState, number>;
  }
}
