import { randomUUID } from 'node:crypto';
import { type RecordFields, type SessionState, type SessionRecord, stateTable } from '@vibe/contracts';
import type { Redis } from 'ioredis';
import { keys } from './keys';
import { runScript, script } from './script-runner';
import { adoptScript, openEpochScript } from './scripts/rebuild';
import { encodeFields } from './session-store';

const adoptLua = script(adoptScript);
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

/**
 * Whether Redis is the truth. `vibe:epoch` is absent when Redis is new or was lost; `vibe:moves` going back under one epoch
 * means that Redis was rewound.
 */
export class Epoch {
  private seen: { epoch: string; moves: number } | null = null;

  constructor(private readonly redis: Redis) {}

  /** True when the records may be believed. */
  async isOpen(): Promise<boolean> {
    return (await this.redis.exists(keys.epoch)) === 1;
  }

  /** `rewound` when this process has seen a later Redis of the same epoch; `absent` when there is no epoch. */
  async look(): Promise<'open' | 'absent' | 'rewound'> {
    const [epoch, moves] = await this.redis.mget(keys.epoch, keys.moves);
    if (!epoch) return 'absent';
    const count = Number(moves ?? 0);
    if (this.seen?.epoch === epoch && count < this.seen.moves) return 'rewound';
    this.seen = { epoch, moves: count };
    return 'open';
  }

  /** True when no move was ever made in this Redis: every report in it was written after whatever it lost. */
  async isBlank(): Promise<boolean> {
    return (await this.redis.exists(keys.moves)) === 0;
  }

  /** Closes the doors: from here on the API answers 503 until a rebuild has ended. Safe to repeat. */
  async close(): Promise<void> {
    await this.redis.del(keys.epoch);
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
