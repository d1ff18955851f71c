import type { Registry } from 'prom-client';
import type { z } from 'zod';
import { armFailpoints, armedFailpoints } from './failpoint';
import { Lifecycle } from './lifecycle';
import type { LogLevel, Logger } from './logging';
import { createLogger } from './logging';
import { createMetrics } from './metrics';
import type { Environment } from './settings';
import { parseSettings } from './settings';

/** What a service needs of the process it runs in; `process` itself fits. */
export interface Host {
  readonly env: Environment;
  on(event: string, listener: (argument: unknown) => void): unknown;
  exit(code: number): void;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

export interface ServiceParts<Settings> {
  readonly settings: Settings;
  readonly logger: Logger;
  /** What `/metrics` tells. */
  readonly metrics: Registry;
  readonly lifecycle: Lifecycle;
}

interface ServiceDefinition<Schema extends z.ZodType> {
  readonly service: string;
  readonly schema: Schema;
  /** Opens everything, registering with the lifecycle how to close each part as soon as it is open. */
  readonly start: (parts: ServiceParts<z.output<Schema>>) => Promise<void>;
}

/**
 * One life of a service: settings or exit, start, run until SIGTERM or SIGINT, orderly stop. A second signal exits at once;
 * a failed start runs the same stop steps; an uncaught exception ends the process, and Swarm starts it again.
 */
export async function runService<Schema extends z.ZodType<{ LOG_LEVEL: LogLevel; VIBE_FAILPOINTS: string }>>(
  definition: ServiceDefinition<Schema>,
  host: Host = process,
): Promise<void> {
  let settings: z.output<Schema>;
  try {
    settings = parseSettings(definition.schema, host.env);
    armFailpoints(settings.VIBE_FAILPOINTS);
  } catch (error) {
    host.stderr.write(`${definition.service}: ${(error as Error).message}\n`);
    return host.exit(1);
  }

  const logger = createLogger({ service: definition.service, level: settings.LOG_LEVEL, stream: host.stdout });
  const lifecycle = new Lifecycle(logger);
  const endBy = (fault: string) => (error: unknown) => {
    logger.error(fault, { error });
    host.exit(1);
  };
  host.on('uncaughtException', endBy('uncaught exception'));
  host.on('unhandledRejection', endBy('unhandled rejection'));

  const stopAndExit = async (code: number): Promise<void> => {
    const isClean = await lifecycle.stop();
    logger.info('stopped', { is_clean: isClean });
    host.exit(isClean ? code : 1);
  };
  const onSignal = (signal: unknown): void => {
    if (lifecycle.stopping.aborted) return host.exit(1);
    logger.info('stopping', { signal });
    void stopAndExit(0);
  };
  host.on('SIGTERM', onSignal);
  host.on('SIGINT', onSignal);

  if (armedFailpoints().length > 0) logger.warn('failpoints are armed', { failpoints: armedFailpoints() });
  try {
    await definition.start({ settings, logger, metrics: createMetrics({ service: definition.service }), lifecycle });
    logger.info('started');
  } catch (error) {
    // A signal that came in the middle of the start has its own stop under way.
    if (lifecycle.stopping.aborted) return;
    logger.error('start failed', { error });
    await stopAndExit(1);
  }
}
