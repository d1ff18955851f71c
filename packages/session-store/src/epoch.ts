import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { type RecordFields, type SessionEvent, type SessionState, type SessionRecord, stateTable } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import type { Redis } from 'ioredis';
import { keys } from './keys';
import { runScript, script } from './script-runner';
import { adoptScript, closeEpochScript, openEpochScript } from './scripts/rebuild';
import { encodeFields } from './record-fields';

const adoptLua = script(adoptScript);
const closeLua = script(closeEpochScript);
const openLua = script(openEpochScript);

export interface Adoption {
  readonly id: string;
  /** The rev of the record that this was planned from; null when there was none. */
  readonly fromRev: number | null;
  readonly userId: string;
  readonly state: Extract<SessionState, 'running' | 'hibernated'>;
  readonly createdAt: number;
  readonly lastActivityAgeMs: number;
  readonly nodes: readonly string[];
  readonly fields: RecordFields & Pick<SessionRecord, 'gen' | 'name' | 'base_image'>;
  readonly deadlineMs?: number;
}

/** How far Redis has come: the moment its epoch was opened, and the moves it counted since ever. */
export interface Moment {
  readonly epoch: string;
  readonly moves: number;
}

const REBUILT_SOON_S = 5;

/** An epoch's name begins with the time it was opened at. */
const openedAt = (epoch: string): number => Number(epoch.split('-')[0]);

const isBefore = (a: Moment, b: Moment): boolean => (a.epoch === b.epoch ? a.moves < b.moves : openedAt(a.epoch) < openedAt(b.epoch));

/**
 * Whether Redis is the truth. `vibe:epoch` is absent when Redis is new or was lost; an epoch that is older, or `vibe:moves` that
 * counts less, than what this process has seen before means that Redis was rewound.
 */
export class Epoch {
  private known: Moment | null = null;
  private heard: Moment | null = null;
  /** Epochs that this process has closed. None is ever opened again: where one is there, Redis went back to before its end. */
  private readonly closed = new Set<string>();

  /** Since when every look has found an epoch; null when the last one found none, or no Redis. */
  private openSince: number | null = null;

  /** @param now ms of a monotonic clock */
  constructor(
    private readonly redis: Redis,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** How long this process's looks have found Redis open without a break, in ms. */
  get openForMs(): number {
    return this.openSince === null ? 0 : this.now() - this.openSince;
  }

  /** True when the records may be believed. Only reads. */
  async isOpen(): Promise<boolean> {
    return (await this.look()) === 'open';
  }

  /** Closes the doors when Redis was rewound. @throws `rebuilding` while the records cannot be believed */
  async require(): Promise<void> {
    const seen = await this.look();
    if (seen !== 'open') await this.refuse(seen);
  }

  /** Nothing is decided from records that cannot be believed. @throws `rebuilding`, always */
  async refuse(seen: 'absent' | 'rewound'): Promise<never> {
    if (seen === 'rewound') await this.close();
    throw new CodedError('rebuilding', 'the list of sessions is being put together; try again in a moment', { retryable: true, retryAfterS: REBUILT_SOON_S });
  }

  /**
   * What every move is held against, in the script that makes it: the latest moment that this process has seen, or `['', 0]`, and
   * the epochs that it has closed. In a Redis that is older than that, or has no epoch, nothing is moved.
   */
  fence(): readonly (string | number)[] {
    const { epoch, moves } = this.known ?? { epoch: '', moves: 0 };
    return [epoch, moves, [...this.closed].join(',')];
  }

  /** `rewound` when this process has seen a later Redis; `absent` when there is no epoch. */
  async look(): Promise<'open' | 'absent' | 'rewound'> {
    let seen: 'open' | 'absent' | 'rewound' = 'absent';
    try {
      seen = await this.lookOnce();
    } finally {
      if (seen === 'open') this.openSince ??= this.now();
      else this.openSince = null;
    }
    return seen;
  }

  private async lookOnce(): Promise<'open' | 'absent' | 'rewound'> {
    // What is heard while the answer is on its way may be later than the answer.
    const before = this.known;
    const [epoch, moves] = await this.redis.mget(keys.epoch, keys.moves);
    if (!epoch) return 'absent';
    const now = { epoch, moves: Number(moves ?? 0) };
    if (this.closed.has(epoch) || (before && isBefore(now, before))) return 'rewound';
    this.know(now);
    return 'open';
  }

  /**
   * A change was published. The messages of one connection come in their order, and every move counts one more: one that does
   * not says that Redis was rewound, before the count has caught up. Then the doors are closed. Each message is told once.
   */
  async hear({ kind, epoch, moves }: Pick<SessionEvent, 'kind' | 'epoch' | 'moves'>): Promise<'as before' | 'rewound'> {
    if (epoch === undefined || moves === undefined) return 'as before';
    const now = { epoch, moves };
    const before = this.heard;
    this.heard = now;
    const isMove = kind === 'move' || kind === 'removed';
    const isRepeated = isMove && before?.epoch === epoch && before.moves === moves;
    if (!before || !(isRepeated || isBefore(now, before))) {
      this.know(now);
      return 'as before';
    }
    await this.close();
    return 'rewound';
  }

  /** Redis was seen at this moment. An earlier one than before changes nothing. */
  know(now: Moment): void {
    if (!this.known || isBefore(this.known, now)) this.known = now;
  }

  /** True when no move was ever made in this Redis: every report in it was written after whatever it lost. */
  async isBlank(): Promise<boolean> {
    return (await this.redis.exists(keys.moves)) === 0;
  }

  /**
   * Closes the doors: from here on the API answers 503 until a rebuild has ended, and no report from before counts in it. Safe to
   * repeat. What was seen before no longer counts: a Redis whose clock went back opens an epoch that is older by its name, and it
   * would be closed for ever. What was closed is remembered: a Redis that goes back once more, before it was rebuilt, has it again.
   */
  async close(): Promise<void> {
    const gone = (await runScript(this.redis, closeLua, [], [])) as string | null;
    for (const epoch of [gone, this.known?.epoch]) if (epoch) this.closed.add(epoch);
    this.known = null;
    this.heard = null;
  }

  /** Opens a new epoch at the end of a rebuild. Safe to repeat: the first one holds. */
  async open(): Promise<void> {
    await runScript(this.redis, openLua, [], [randomUUID()]);
  }

  /**
   * Writes the record of a session that was found running or hibernated, over the one it was planned from. Only without an
   * epoch. `stale`: that record has moved since, or one has come; plan again from what it says now.
   */
  async adopt(found: Adoption, actor: string): Promise<'adopted' | 'stale' | 'epoch'> {
    const deadline = found.deadlineMs ?? stateTable[found.state].deadlineMs;
    const fields = JSON.stringify({
      ...(JSON.parse(encodeFields(found.fields)) as object),
      user_id: found.userId,
      created_at: String(found.createdAt),
      nodes: found.nodes.join(','),
      activity_reason: 'unmeasured',
    });
    const args = [found.id, found.state, deadline === null ? '' : String(Math.round(deadline)), fields, actor, String(Math.round(found.lastActivityAgeMs)), found.fromRev === null ? '' : String(found.fromRev)];
    return (await runScript(this.redis, adoptLua, [keys.session(found.id), keys.userSessions(found.userId)], args)) as 'adopted' | 'stale' | 'epoch';
  }
}
