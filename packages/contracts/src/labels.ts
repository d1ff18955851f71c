import { z } from 'zod';
import { sessionIdSchema } from './ids';

/** The labels on a session's service and container; a snapshot carries these and the ones of `snapshotLabel`. */
export const sessionLabel = {
  session: 'vibe.session',
  user: 'vibe.user',
  gen: 'vibe.gen',
  name: 'vibe.name',
  created: 'vibe.created',
} as const;

/** The labels a commit adds: which revision of the record took it, when its user was last active, when and of which container it was taken. */
export const snapshotLabel = {
  rev: 'vibe.rev',
  lastActivity: 'vibe.last_activity',
  taken: 'vibe.taken',
  container: 'vibe.container',
} as const;

const count = z.coerce.number().int().nonnegative();

const sessionLabelsSchema = z
  .object({
    [sessionLabel.session]: sessionIdSchema,
    [sessionLabel.user]: z.string().min(1),
    [sessionLabel.gen]: count,
    [sessionLabel.name]: z.string(),
    [sessionLabel.created]: count,
  })
  .transform((labels) => ({
    session_id: labels[sessionLabel.session],
    user_id: labels[sessionLabel.user],
    gen: labels[sessionLabel.gen],
    name: labels[sessionLabel.name],
    created_at: labels[sessionLabel.created],
  }));

const snapshotLabelsSchema = z
  .object({ [snapshotLabel.rev]: count, [snapshotLabel.lastActivity]: count, [snapshotLabel.taken]: count, [snapshotLabel.container]: z.string().min(1).optional() })
  .transform((labels) => ({
    rev: labels[snapshotLabel.rev],
    last_activity: labels[snapshotLabel.lastActivity],
    taken: labels[snapshotLabel.taken],
    ...(labels[snapshotLabel.container] === undefined ? {} : { container_id: labels[snapshotLabel.container] }),
  }));

export type SessionLabels = z.output<typeof sessionLabelsSchema>;
export type SnapshotLabels = SessionLabels & z.output<typeof snapshotLabelsSchema>;

/** What the labels of a service or container say of its session, or null when they are not ours or not whole. */
export function readSessionLabels(labels: Record<string, string>): SessionLabels | null {
  return sessionLabelsSchema.safeParse(labels).data ?? null;
}

/** What the labels of a snapshot say, or null when they are not a snapshot's. */
export function readSnapshotLabels(labels: Record<string, string>): SnapshotLabels | null {
  const session = readSessionLabels(labels);
  const snapshot = snapshotLabelsSchema.safeParse(labels).data;
  return session && snapshot ? { ...session, ...snapshot } : null;
}

/** The labels of a session's service and container, times in ms. */
export function writeSessionLabels(of: SessionLabels): Record<string, string> {
  return {
    [sessionLabel.session]: of.session_id,
    [sessionLabel.user]: of.user_id,
    [sessionLabel.gen]: String(of.gen),
    [sessionLabel.name]: of.name,
    [sessionLabel.created]: String(of.created_at),
  };
}

/** All labels a commit writes: the session's of this generation in full, and the snapshot's own. */
export function writeSnapshotLabels(of: SnapshotLabels): Record<string, string> {
  return {
    ...writeSessionLabels(of),
    [snapshotLabel.rev]: String(of.rev),
    [snapshotLabel.lastActivity]: String(of.last_activity),
    [snapshotLabel.taken]: String(of.taken),
    ...(of.container_id === undefined ? {} : { [snapshotLabel.container]: of.container_id }),
  };
}
