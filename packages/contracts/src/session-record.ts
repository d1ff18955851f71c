import { z } from 'zod';
import { digestSchema, sessionIdSchema, userIdSchema } from './ids';
import { sessionStates, stateTable } from './session-states';

const time = z.coerce.number().int().nonnegative();
const optionalText = z.string().min(1).optional();

/** The parts of the work a person may be told about while they wait. */
export const workSteps = ['queued', 'asked', 'starting', 'saving', 'freezing', 'committing', 'pushing', 'proving', 'erasing'] as const;

/** Why a session counted as active when it was last looked at. */
export const activityReasons = ['opened', 'input', 'cpu', 'unmeasured'] as const;
export type ActivityReason = (typeof activityReasons)[number];

/**
 * Why a session is put to sleep. `idle`: nobody used it. `asked`: its user asked. `ended`: its container ended while it fell asleep or was
 * frozen, so that it can only be saved and woken, not thawed.
 */
export const hibernateReasons = ['idle', 'asked', 'ended'] as const;

/**
 * One session as Redis keeps it (`session:{id}`, a hash of strings). Times are ms of Redis' clock. A field that does not
 * apply is absent. `nodes` are the nodes that ever held this session's data since it was made; `missing_since` is the
 * first of consecutive looks on which the registry itself said that the snapshot is not there. `failures` counts attempts to sleep or
 * wake that failed in a row; `retry_after` is when the next one makes sense. `frozen_container` is a container that was frozen and
 * has not been thawed since: should it end, its layer still holds all there is. `may_lack` says what may be missing in it since a
 * rebuild; every move keeps it until the next snapshot.
 */
export const sessionRecordSchema = z.object({
  id: sessionIdSchema,
  user_id: userIdSchema,
  name: z.string(),
  state: z.enum(sessionStates),
  rev: z.coerce.number().int().positive(),
  gen: z.coerce.number().int().positive(),
  created_at: time,
  last_activity: time,
  activity_reason: z.enum(activityReasons).default('opened'),
  looked_at: time.optional(),
  state_since: time,
  step: z.enum(workSteps).optional(),
  hibernate_reason: z.enum(hibernateReasons).optional(),
  node_id: optionalText,
  wish_node: optionalText,
  nodes: z.string().default('').transform((list) => list.split(',').filter((node) => node !== '')),
  service_id: optionalText,
  task_name: optionalText,
  container_id: optionalText,
  frozen_container: optionalText,
  base_image: z.string().min(1),
  snapshot_digest: digestSchema.optional(),
  snapshot_bytes: z.coerce.number().int().nonnegative().optional(),
  snapshot_rev: z.coerce.number().int().optional(),
  missing_since: time.optional(),
  retry_after: time.optional(),
  failures: z.coerce.number().int().nonnegative().default(0),
  reason: optionalText,
  may_lack: optionalText,
});

export type SessionRecord = z.output<typeof sessionRecordSchema>;

/** The fields a move may write besides state, rev and times. `null` removes the field. */
export type RecordFields = {
  [K in Exclude<keyof SessionRecord, 'id' | 'user_id' | 'state' | 'rev' | 'created_at' | 'state_since' | 'nodes'>]?: SessionRecord[K] | null;
};

/**
 * What a move back to `running` writes when whoever makes it has not seen the container: the sleep is over, and should the container
 * have ended by now, frozen or still in line, the note says that it can be saved. Its agent takes the note back when it sees it run.
 */
export const leavesSleep = ({ container_id }: Pick<SessionRecord, 'container_id'>): RecordFields => ({ hibernate_reason: null, frozen_container: container_id ?? null });

/** What a move writes that leaves the record without a container: it names none any more, nor its service, nor where the next one is wished for. */
export const leavesContainer = { service_id: null, container_id: null, task_name: null, wish_node: null } as const satisfies RecordFields;

/** True when this container is the record's own, or may become it: a start that has not said yet which one is its. Pure. */
export function mayOwnContainer(record: SessionRecord, container: { readonly container_id: string; readonly gen: number }): boolean {
  if (!stateTable[record.state].holdsContainer) return false;
  return record.container_id === undefined ? record.gen === container.gen : record.container_id === container.container_id;
}
