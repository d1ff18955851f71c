import { numberSetting, redisUrlSetting, serviceSettings, textSetting } from '@vibe/platform';
import { registrySettings } from '@vibe/registry';
import { z } from 'zod';

/** What an operator can set for the reaper. */
export const settingsSchema = z.object({
  ...serviceSettings,
  REDIS_URL: redisUrlSetting,
  ...registrySettings,
  BASE_IMAGE: textSetting({ default: 'registry:5000/vibe-terminal:latest' }),
  IDLE_TIMEOUT_MINUTES: numberSetting({ default: 120, min: 0.05 }),
  HIBERNATED_TTL_DAYS: numberSetting({ default: 7, min: 0.00001 }),
  HIBERNATIONS_PER_NODE: numberSetting({ default: 2, min: 1, isInteger: true }),
  /** How long after one collection of the registry the next begins; 0 for never. */
  REGISTRY_COLLECT_HOURS: numberSetting({ default: 24, min: 0 }),
});

export type Settings = z.output<typeof settingsSchema>;

export const idleTimeoutMs = (settings: Pick<Settings, 'IDLE_TIMEOUT_MINUTES'>): number => settings.IDLE_TIMEOUT_MINUTES * 60_000;
export const hibernatedTtlMs = (settings: Pick<Settings, 'HIBERNATED_TTL_DAYS'>): number => settings.HIBERNATED_TTL_DAYS * 86_400_000;

/** How often the idle sweep runs, and how often agents look at the idle clock, in ms. */
export const idleEveryMs = (settings: Pick<Settings, 'IDLE_TIMEOUT_MINUTES'>): number => Math.round(Math.min(60_000, idleTimeoutMs(settings) / 4));
