import { z } from 'zod';
import { digestSchema, sessionIdSchema } from './ids';

/** How often an agent reports, and how long a report counts, in ms. */
export const REPORT_EVERY_MS = 10_000;
export const REPORT_EXPIRES_MS = 35_000;

/**
 * How long a process must have seen Redis open without a break before it acts on what only Redis says. One that has just started does not
 * know that Redis went back; those that do look as often as agents report, and would have closed it by then.
 */
export const REST_MS = 1.5 * REPORT_EVERY_MS;

/** One container of a session as its node's Engine shows it. */
export const containerReportSchema = z.object({
  container_id: z.string(),
  session_id: sessionIdSchema,
  user_id: z.string(),
  name: z.string(),
  created_at: z.number(),
  gen: z.number().int(),
  service_id: z.string().nullable(),
  task_name: z.string(),
  state: z.enum(['created', 'running', 'paused', 'exited', 'other']),
  is_listening: z.boolean(),
});
export type ContainerReport = z.output<typeof containerReportSchema>;

/** One snapshot in a node's image store. A cache: never a witness of data. `age_ms` is how long ago it was committed, by this node's clock. */
export const imageReportSchema = z.object({
  image_id: z.string(),
  session_id: sessionIdSchema,
  gen: z.number().int(),
  digest: digestSchema.nullable(),
  refs: z.array(z.string()),
  age_ms: z.number().nonnegative(),
});
export type ImageReport = z.output<typeof imageReportSchema>;

/** What an agent says of its node every 10 s (`node:{node_id}`, expires). Machines send ages, never timestamps. */
export const nodeReportSchema = z.object({
  node_id: z.string(),
  hostname: z.string(),
  is_manager: z.boolean(),
  memory_bytes: z.number(),
  disk_total_bytes: z.number(),
  disk_free_bytes: z.number(),
  has_base_image: z.boolean(),
  problems: z.array(z.string()),
  containers: z.array(containerReportSchema),
  images: z.array(imageReportSchema),
});
export type NodeReport = z.output<typeof nodeReportSchema>;

/** One session service as the manager shows it. */
export const serviceReportSchema = z.object({
  service_id: z.string(),
  session_id: sessionIdSchema,
  user_id: z.string(),
  name: z.string(),
  created_at: z.number(),
  gen: z.number().int(),
  image: z.string(),
});
export type ServiceReport = z.output<typeof serviceReportSchema>;

/**
 * What a manager's agent saw of the Swarm (`swarm:view`, expires). It was seen at `seen_at` or later, in ms of Redis' clock: a session that
 * moved after that may be where the view does not know of. An agent of before this field was there does not say when: then it counts as old.
 */
export const swarmViewSchema = z.object({
  seen_at: z.number().int().nonnegative().default(0),
  nodes: z.array(z.object({ node_id: z.string(), hostname: z.string(), role: z.enum(['manager', 'worker']), state: z.string(), availability: z.string() })),
  services: z.array(serviceReportSchema),
  secrets: z.array(z.object({ secret_id: z.string(), session_id: sessionIdSchema, gen: z.number().int() })),
});
export type SwarmView = z.output<typeof swarmViewSchema>;
