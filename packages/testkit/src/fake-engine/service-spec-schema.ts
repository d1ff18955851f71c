import { z } from 'zod';

const labels = z.record(z.string(), z.string());

/** The parts of a service that the fake acts on. What it does not know it refuses. */
export const specSchema = z.strictObject({
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
export type ServiceSpec = z.output<typeof specSchema>;
