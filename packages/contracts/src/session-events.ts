import { z } from 'zod';
import { sessionIdSchema } from './ids';
import { sessionStates } from './session-states';

/** The Redis channel on which every change of a record is published. A hint: whoever hears it reads the record. */
export const SESSION_CHANNEL = 'session-moves';

/**
 * One change of a record. `move`: its state changed (rev went up). `progress`: same state, further along. `activity`: its
 * idle clock was set. `removed`: the record is gone.
 */
export const sessionEventSchema = z.object({
  kind: z.enum(['move', 'progress', 'activity', 'removed']),
  session_id: sessionIdSchema,
  user_id: z.string(),
  state: z.enum(sessionStates),
  rev: z.number().int(),
  gen: z.number().int(),
  node_id: z.string().optional(),
  /** How far Redis had come: its epoch (absent during a rebuild) and the moves it had counted. */
  epoch: z.string().optional(),
  moves: z.number().int().optional(),
});

export type SessionEvent = z.output<typeof sessionEventSchema>;
