/**
 * The life of a session as one table: which moves are legal, how long a state may last, and what happens then.
 * Code asks this table; nobody compares states in scattered conditions.
 */
export const sessionStates = ['creating', 'running', 'hibernating', 'hibernated', 'waking', 'failed', 'lost', 'deleting'] as const;

export type SessionState = (typeof sessionStates)[number];

export interface StateRule {
  /** The states a move may lead to. */
  readonly next: readonly SessionState[];
  /** How long work in this state may take without progress, in ms; null = no limit of its own (idle clock, TTL). */
  readonly deadlineMs: number | null;
  /** Where the deadline moves the session; null = it stays, its jobs are added again and an alarm is raised. */
  readonly onDeadline: SessionState | null;
  /** True where a job should be under way: the reaper adds a lost job again. */
  readonly isWork: boolean;
  /** True where the session uses up one of its user's places. */
  readonly countsInQuota: boolean;
  /** True where the session has, or is about to have, a container on some node. */
  readonly holdsContainer: boolean;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const stateTable: Readonly<Record<SessionState, StateRule>> = {
  creating: { next: ['running', 'failed', 'deleting'], deadlineMs: 60 * SECOND, onDeadline: 'failed', isWork: true, countsInQuota: true, holdsContainer: true },
  running: { next: ['hibernating', 'lost', 'deleting'], deadlineMs: null, onDeadline: null, isWork: false, countsInQuota: true, holdsContainer: true },
  hibernating: { next: ['hibernated', 'running', 'lost', 'deleting'], deadlineMs: 15 * MINUTE, onDeadline: 'running', isWork: true, countsInQuota: true, holdsContainer: true },
  hibernated: { next: ['waking', 'deleting'], deadlineMs: null, onDeadline: 'deleting', isWork: false, countsInQuota: true, holdsContainer: false },
  waking: { next: ['running', 'hibernated', 'lost', 'deleting'], deadlineMs: 120 * SECOND, onDeadline: 'hibernated', isWork: true, countsInQuota: true, holdsContainer: true },
  failed: { next: ['deleting'], deadlineMs: 1 * HOUR, onDeadline: 'deleting', isWork: false, countsInQuota: false, holdsContainer: false },
  lost: { next: ['deleting'], deadlineMs: 24 * HOUR, onDeadline: 'deleting', isWork: false, countsInQuota: false, holdsContainer: false },
  deleting: { next: [], deadlineMs: 10 * MINUTE, onDeadline: null, isWork: true, countsInQuota: false, holdsContainer: false },
};

/**
 * How long a claim may wait for a worker to take its job, in ms. The deadline of the table starts only when work starts,
 * so that a long line is not mistaken for a broken start.
 */
export const WAIT_IN_LINE_MS = 15 * MINUTE;

/** True when the table allows the move. */
export function isLegalMove(from: SessionState, to: SessionState): boolean {
  return stateTable[from].next.includes(to);
}
