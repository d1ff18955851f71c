import type { ServiceParts } from '@vibe/platform';
import { closeRedis, connectRedis, runService } from '@vibe/platform';
import { Epoch, SessionStore } from '@vibe/session-store';
import type { z } from 'zod';
import { createGateway } from './gateway';
import { readWebFiles } from './pages';
import { printToken } from './print-token';
import { settingsSchema } from './settings';

async function start({ settings, logger, metrics, lifecycle }: ServiceParts<z.output<typeof settingsSchema>>): Promise<void> {
  const redis = connectRedis(settings.REDIS_URL, { purpose: 'requests', name: 'gateway', logger });
  lifecycle.onStop('redis', 2_000, () => closeRedis(redis));
  const store = new SessionStore(redis);
  const epoch = new Epoch(redis);

  const { http, fallback } = createGateway({
    sessions: { get: (id) => store.get(id), areRecordsWhole: () => epoch.isOpen() },
    checks: { redis: async () => (await redis.ping()) === 'PONG' },
    web: await readWebFiles(settings.WEB_ROOT),
    mode: settings.AUTH_MODE,
    publicHost: settings.VIBE_PUBLIC_HOST,
    authKey: settings.AUTH_KEY_FILE,
    terminalKey: settings.TTYD_KEY_FILE,
    logger,
    registry: metrics,
    stopping: lifecycle.stopping,
  });
  lifecycle.onStop('http', 4_000, () => http.close());
  lifecycle.onStop('terminal sockets', 2_000, () => fallback.closeAll());
  logger.info('listening', { port: await http.listen(settings.PORT), auth_mode: settings.AUTH_MODE, public_host: settings.VIBE_PUBLIC_HOST });
}

/** `main.cjs` is the service; `main.cjs token USER [--admin]` prints a token, alone on stdout. */
function main([command, ...args]: readonly string[]): void {
  if (command === undefined) return void runService({ service: 'gateway', schema: settingsSchema, start });
  try {
    if (command !== 'token') throw new Error(`unknown command ${JSON.stringify(command)}; there is: token USER [--admin] [--hours N]`);
    process.stdout.write(`${printToken(args, process.env)}\n`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 2;
  }
}

main(process.argv.slice(2));
