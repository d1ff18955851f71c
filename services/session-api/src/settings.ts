import { applyAuthRules, authSettings, terminalKeySettings } from '@vibe/identity';
import { maybeEmptySetting, numberSetting, redisUrlSetting, serviceSettings, textSetting } from '@vibe/platform';
import { z } from 'zod';

/** What an operator can set for the API; the README's table says what each means. */
export const settingsSchema = z
  .object({
    ...serviceSettings,
    ...authSettings,
    ...terminalKeySettings,
    REDIS_URL: redisUrlSetting,
    BASE_IMAGE: textSetting({ default: 'registry:5000/vibe-terminal:latest' }),
    MAX_SESSIONS_PER_USER: numberSetting({ default: 3, min: 1, isInteger: true }),
    IDLE_TIMEOUT_MINUTES: numberSetting({ default: 120, min: 0.05 }),
    HIBERNATED_TTL_DAYS: numberSetting({ default: 7, min: 0.00001 }),
    SESSION_CONSTRAINT: maybeEmptySetting('node.role==worker'),
    SESSION_MEMORY_RESERVED_MIB: numberSetting({ default: 512, min: 1 }),
    SESSIONS_PER_NODE_MAX: numberSetting({ default: 300, min: 1, isInteger: true }),
  })
  .transform(applyAuthRules);

export type Settings = z.output<typeof settingsSchema>;
