import { numberSetting, redisUrlSetting, secretFileSetting, serviceSettings, textSetting } from '@vibe/platform';
import { z } from 'zod';

const registryLogin = secretFileSetting('/run/secrets/vibe-registry-login').transform((text, context) => {
  const login = z.object({ username: z.string().min(1), password: z.string().min(1) }).safeParse(tryJson(text));
  if (login.success) return login.data;
  context.addIssue({ code: 'custom', message: 'the file must hold {"username": …, "password": …}' });
  return z.NEVER;
});

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What an operator can set for the reaper. */
export const settingsSchema = z.object({
  ...serviceSettings,
  REDIS_URL: redisUrlSetting,
  REGISTRY_URL: textSetting({ default: 'registry:5000' }),
  REGISTRY_LOGIN_FILE: registryLogin,
  REGISTRY_CA_FILE: secretFileSetting('/etc/vibe/registry-ca.crt'),
  BASE_IMAGE: textSetting({ default: 'registry:5000/vibe-terminal:latest' }),
  IDLE_TIMEOUT_MINUTES: numberSetting({ default: 120, min: 0.05 }),
  HIBERNATED_TTL_DAYS: numberSetting({ default: 7, min: 0.00001 }),
  HIBERNATIONS_PER_NODE: numberSetting({ default: 2, min: 1, isInteger: true }),
});

export type Settings = z.output<typeof settingsSchema>;

export const idleTimeoutMs = (settings: Pick<Settings, 'IDLE_TIMEOUT_MINUTES'>): number => settings.IDLE_TIMEOUT_MINUTES * 60_000;
export const hibernatedTtlMs = (settings: Pick<Settings, 'HIBERNATED_TTL_DAYS'>): number => settings.HIBERNATED_TTL_DAYS * 86_400_000;

/** How often the idle sweep runs, and how often agents look at the idle clock, in ms. */
export const idleEveryMs = (settings: Pick<Settings, 'IDLE_TIMEOUT_MINUTES'>): number => Math.round(Math.min(60_000, idleTimeoutMs(settings) / 4));
