import { z } from 'zod';

const labels = z.record(z.string(), z.string());

/** A session's service: every field that we set, each time. What the fake does not know it refuses. */
export const sessionSpecSchema = z.strictObject({
  Name: z.string().min(1),
  Labels: labels,
  TaskTemplate: z.strictObject({
    ContainerSpec: z.strictObject({
      Image: z.string().min(1),
      Labels: labels,
      Hostname: z.string(),
      Env: z.array(z.string()),
      Init: z.boolean(),
      StopSignal: z.string(),
      StopGracePeriod: z.number(),
      CapabilityDrop: z.array(z.string()),
      CapabilityAdd: z.array(z.string()),
      Mounts: z.array(z.never()),
      Secrets: z.array(z.strictObject({ SecretID: z.string(), SecretName: z.string(), File: z.strictObject({ Name: z.string(), UID: z.string(), GID: z.string(), Mode: z.number() }) })),
    }),
    Resources: z.strictObject({
      Limits: z.strictObject({ MemoryBytes: z.number(), NanoCPUs: z.number(), Pids: z.number() }),
      Reservations: z.strictObject({ MemoryBytes: z.number() }),
    }),
    RestartPolicy: z.strictObject({ Condition: z.enum(['none', 'any', 'on-failure']), MaxAttempts: z.number().optional() }),
    Placement: z.strictObject({ Constraints: z.array(z.string()) }),
    Networks: z.array(z.strictObject({ Target: z.string() })),
    LogDriver: z.strictObject({ Name: z.string(), Options: labels }),
  }),
  Mode: z.strictObject({ Replicated: z.strictObject({ Replicas: z.literal(1) }) }),
  EndpointSpec: z.strictObject({ Mode: z.enum(['dnsrr', 'vip']) }),
});

const file = z.strictObject({ Name: z.string(), UID: z.string(), GID: z.string(), Mode: z.number() });

/** Any other service: what a stack file makes of the registry, and the one-shot beside it. */
export const otherSpecSchema = z.strictObject({
  Name: z.string().min(1),
  Labels: labels.default({}),
  TaskTemplate: z.strictObject({
    ContainerSpec: z.strictObject({
      Image: z.string().min(1),
      Labels: labels.default({}),
      Command: z.array(z.string()).optional(),
      Env: z.array(z.string()).default([]),
      User: z.string().optional(),
      ReadOnly: z.boolean().optional(),
      Init: z.boolean().optional(),
      StopSignal: z.string().default('SIGTERM'),
      StopGracePeriod: z.number().optional(),
      CapabilityDrop: z.array(z.string()).optional(),
      Mounts: z.array(z.strictObject({ Type: z.enum(['volume']), Source: z.string(), Target: z.string(), VolumeOptions: z.strictObject({ NoCopy: z.boolean() }).optional() })).default([]),
      Configs: z.array(z.strictObject({ ConfigID: z.string(), ConfigName: z.string(), File: file })).optional(),
      Secrets: z.array(z.strictObject({ SecretID: z.string(), SecretName: z.string(), File: file })).default([]),
    }),
    Resources: z.strictObject({ Limits: z.strictObject({ MemoryBytes: z.number(), NanoCPUs: z.number(), Pids: z.number() }).optional(), Reservations: z.strictObject({ MemoryBytes: z.number() }).default({ MemoryBytes: 0 }) }).default({ Reservations: { MemoryBytes: 0 } }),
    RestartPolicy: z.strictObject({ Condition: z.enum(['none', 'any', 'on-failure']), MaxAttempts: z.number().optional(), Delay: z.number().optional() }),
    Placement: z.strictObject({ Constraints: z.array(z.string()) }),
    LogDriver: z.strictObject({ Name: z.string(), Options: labels }).optional(),
  }),
  Mode: z.strictObject({ Replicated: z.strictObject({ Replicas: z.union([z.literal(0), z.literal(1)]) }) }),
  EndpointSpec: z.strictObject({ Mode: z.enum(['dnsrr', 'vip']) }).optional(),
});

export type ServiceSpec = z.output<typeof sessionSpecSchema> | z.output<typeof otherSpecSchema>;

const nameOf = z.looseObject({ Name: z.string() });

/** Reads a service as it was sent, by the schema of its kind. */
export function readSpec(body: unknown): { success: true; data: ServiceSpec } | { success: false; error: z.ZodError } {
  const isSession = nameOf.safeParse(body).data?.Name.startsWith('session-') ?? true;
  return (isSession ? sessionSpecSchema : otherSpecSchema).safeParse(body);
}
