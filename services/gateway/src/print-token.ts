import { parseArgs } from 'node:util';
import { userIdSchema } from '@vibe/contracts';
import { authSettings, createTokens } from '@vibe/identity';
import type { Environment } from '@vibe/platform';
import { numberSetting, parseSettings } from '@vibe/platform';
import { z } from 'zod';

const USAGE = 'usage: token USER [--admin] [--hours N]';
const hours = numberSetting({ default: 24, min: 1, max: 720, isInteger: true });

/**
 * A signed token for USER, for scripts and for the sign-in page: good for 24 hours unless told (720 at most). Throws with
 * one clear sentence when the arguments or the key are wrong.
 */
export function printToken(args: readonly string[], env: Environment): string {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { admin: { type: 'boolean', default: false }, hours: { type: 'string' } } });
  const [user, ...more] = positionals;
  if (user === undefined || more.length > 0) throw new Error(USAGE);
  const userId = userIdSchema.safeParse(user);
  if (!userId.success) throw new Error(`${JSON.stringify(user)}: ${userId.error.issues[0]?.message ?? 'not a user id'}`);
  const lifeH = hours.safeParse(values.hours);
  if (!lifeH.success) throw new Error(`--hours ${lifeH.error.issues[0]?.message ?? 'is wrong'}`);
  const settings = parseSettings(z.object({ AUTH_KEY_FILE: authSettings.AUTH_KEY_FILE }), env);
  return createTokens({ key: settings.AUTH_KEY_FILE }).sign({ userId: userId.data, roles: values.admin ? ['admin'] : [] }, lifeH.data * 3600);
}
