import { applyAuthRules, authSettings, terminalKeySettings } from '@vibe/identity';
import { redisUrlSetting, serviceSettings, textSetting } from '@vibe/platform';
import { z } from 'zod';

export const settingsSchema = z
  .object({
    ...serviceSettings,
    ...authSettings,
    ...terminalKeySettings,
    REDIS_URL: redisUrlSetting,
    /** Where the built pages are: index.html, terminal.html, assets/. */
    WEB_ROOT: textSetting({ default: '/app/web' }),
  })
  .transform(applyAuthRules);
