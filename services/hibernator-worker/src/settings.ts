import { terminalKeySettings } from '@vibe/identity';
import { listSetting, maybeEmptySetting, numberSetting, redisUrlSetting, serviceSettings, textSetting } from '@vibe/platform';
import { registrySettings } from '@vibe/registry';
import { z } from 'zod';

/** What an operator can set for the agent; docs in the README's table. */
export const settingsSchema = z.object({
  ...serviceSettings,
  REDIS_URL: redisUrlSetting,
  DOCKER_SOCKET: textSetting({ default: '/var/run/docker.sock' }),
  HOST_PROC: textSetting({ default: '/host/proc' }),
  ...registrySettings,
  REGISTRY_SERVICE: textSetting({ default: 'vibe-state_registry' }),
  ...terminalKeySettings,
  BASE_IMAGE: textSetting({ default: 'registry:5000/vibe-terminal:latest' }),
  OVERLAY_NETWORK: textSetting({ default: 'vibe-overlay' }),
  SESSION_CONSTRAINT: maybeEmptySetting('node.role==worker'),
  SESSION_MEMORY_LIMIT_MIB: numberSetting({ default: 2048, min: 64 }),
  SESSION_MEMORY_RESERVED_MIB: numberSetting({ default: 512, min: 1 }),
  SESSION_CPU_LIMIT: numberSetting({ default: 1, min: 0.05 }),
  SESSION_PIDS_LIMIT: numberSetting({ default: 512, min: 32, isInteger: true }),
  SESSION_EGRESS_ALLOW: listSetting({ pattern: /^[0-9a-fA-F.:]+\/\d{1,3}$/, wanted: 'must be a comma-separated list of networks such as 10.1.0.0/16' }),
  STARTS_IN_FLIGHT_PER_NODE: numberSetting({ default: 4, min: 1, isInteger: true }),
  HIBERNATIONS_PER_NODE: numberSetting({ default: 2, min: 1, isInteger: true }),
  IDLE_TIMEOUT_MINUTES: numberSetting({ default: 120, min: 0.05 }),
  IDLE_CPU_PERCENT: numberSetting({ default: 5, min: 0.1 }),
  HIBERNATED_TTL_DAYS: numberSetting({ default: 7, min: 0.00001 }),
});

export type Settings = z.output<typeof settingsSchema>;
