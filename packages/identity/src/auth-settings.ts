import { choiceSetting, secretFileSetting, textSetting } from '@vibe/platform';
import { z } from 'zod';
import { isLocalHost, isPublicHost } from './public-host';

export const authModes = ['dev', 'token'] as const;
export type AuthMode = (typeof authModes)[number];

/** The settings of the sign-in seam: spread them into a service's schema and end that with `.transform(applyAuthRules)`. */
export const authSettings = {
  AUTH_MODE: choiceSetting([...authModes, 'unset'], 'unset'),
  VIBE_PUBLIC_HOST: textSetting({ default: 'localhost' }).refine(isPublicHost, 'must be host or host:port, without https:// and path'),
  AUTH_KEY_FILE: secretFileSetting('/run/secrets/vibe-auth-key').refine((key) => key.length >= 32, 'the key has at least 32 characters'),
};

/** The master key of all terminal credentials, for whoever hands one out or checks one. */
export const terminalKeySettings = {
  TTYD_KEY_FILE: secretFileSetting('/run/secrets/vibe-ttyd-key').refine((key) => key.length >= 32, 'the key has at least 32 characters'),
};

/**
 * Decides how people sign in: `dev` (pick a name, no proof) only where nobody but this machine reaches us, refused
 * elsewhere; when nothing is set, `dev` on a local host and `token` on any other.
 */
export function applyAuthRules<Settings extends { AUTH_MODE: AuthMode | 'unset'; VIBE_PUBLIC_HOST: string }>(
  settings: Settings,
  context: z.RefinementCtx,
): Omit<Settings, 'AUTH_MODE'> & { AUTH_MODE: AuthMode } {
  const isLocal = isLocalHost(settings.VIBE_PUBLIC_HOST);
  if (settings.AUTH_MODE === 'dev' && !isLocal) {
    context.addIssue({
      code: 'custom',
      path: ['AUTH_MODE'],
      message: `dev lets anybody in under any name, and VIBE_PUBLIC_HOST=${settings.VIBE_PUBLIC_HOST} is not this machine alone: set AUTH_MODE=token`,
    });
    return z.NEVER;
  }
  const mode = settings.AUTH_MODE === 'unset' ? (isLocal ? 'dev' : 'token') : settings.AUTH_MODE;
  return { ...settings, AUTH_MODE: mode };
}
