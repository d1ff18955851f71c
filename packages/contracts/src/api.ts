import { z } from 'zod';
import { activityReasons, hibernateReasons, workSteps } from './session-record';
import { sessionStates } from './session-states';

/** A name as a person may give it: one line, no control characters. */
export const sessionNameSchema = z
  .string()
  .trim()
  .min(1, 'a name needs at least one character')
  .max(60, 'a name has at most 60 characters')
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'a name is one line without control characters');

export const createSessionBody = z.strictObject({ name: sessionNameSchema.optional() });
export const renameSessionBody = z.strictObject({ name: sessionNameSchema });
export const emptyBody = z.strictObject({});

const timestamp = z.iso.datetime();

/**
 * A session as the API shows it. `sleeps_at` is set while it runs (when the idle clock ends), `expires_at` while something
 * will delete it (asleep, failed, lost). `idle.reason`: what was last seen of its use. `may_lack`: what may be missing in it, one
 * sentence.
 */
export const sessionSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(sessionStates),
  generation: z.number().int(),
  created_at: timestamp,
  last_activity: timestamp,
  state_since: timestamp,
  sleeps_at: timestamp.nullable(),
  expires_at: timestamp.nullable(),
  idle: z.object({ is_idle: z.boolean(), reason: z.enum([...activityReasons, 'quiet', 'not_running']) }),
  step: z.enum(workSteps).nullable(),
  hibernate_reason: z.enum(hibernateReasons).nullable(),
  retry_after: timestamp.nullable(),
  reason: z.string().nullable(),
  may_lack: z.string().nullable(),
  snapshot_bytes: z.number().int().nullable(),
  terminal_url: z.string(),
});
export type ApiSession = z.output<typeof sessionSchema>;

export const sessionListSchema = z.object({ sessions: z.array(sessionSchema) });

/** Where a running session's terminal is: the socket's path, and ttyd's own token for the first message. */
export const terminalSchema = z.object({ path: z.string(), auth_token: z.string() });
export const openAnswerSchema = z.object({ session: sessionSchema, terminal: terminalSchema.optional() });
export type OpenAnswer = z.output<typeof openAnswerSchema>;

/** Every error code of the API and its HTTP status: the one exhaustive map. */
export const errorStatus = {
  bad_request: 400,
  unauthenticated: 401,
  forbidden_origin: 403,
  not_found: 404,
  method_not_allowed: 405,
  quota_exceeded: 409,
  wrong_state: 409,
  gone: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  internal: 500,
  bad_gateway: 502,
  no_capacity: 503,
  rebuilding: 503,
  unavailable: 503,
} as const;
export type ErrorCode = keyof typeof errorStatus;

/** `details` of `quota_exceeded` is `{max, sessions}`, of `bad_request` a list of problems. */
export const errorSchema = z.object({ error: z.object({ code: z.enum(Object.keys(errorStatus) as [ErrorCode, ...ErrorCode[]]), message: z.string(), details: z.unknown().optional() }) });
export type ApiError = z.output<typeof errorSchema>;

/**
 * Live events (`GET /api/sessions/events`): `sessions` once after connecting (all of one's own), then `session` for every
 * change and `removed` when a record is gone. Data is JSON of these shapes.
 */
export const liveEvents = {
  sessions: sessionListSchema,
  session: z.object({ session: sessionSchema }),
  removed: z.object({ id: z.string() }),
} as const;

/** Who is signed in (`GET /api/me`) and what one may have. */
export const meSchema = z.object({ user_id: z.string(), is_admin: z.boolean(), limits: z.object({ max_sessions: z.number().int(), idle_timeout_minutes: z.number(), hibernated_ttl_days: z.number() }) });
export type Me = z.output<typeof meSchema>;
