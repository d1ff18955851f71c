import { errorStatus } from '@vibe/contracts';
import type { AuthMode } from '@vibe/identity';
import { createDoorkeeper, createTokens } from '@vibe/identity';
import type { HttpServer, Logger, ReadinessChecks, Registry } from '@vibe/platform';
import { createHttpServer } from '@vibe/platform';
import { errorPages } from './error-pages';
import type { FallbackOptions } from './fallback-proxy';
import { FallbackProxy } from './fallback-proxy';
import { forwardAuthRoute } from './forward-auth';
import { iconRoute } from './icon';
import type { WebFiles } from './pages';
import { pageRoutes } from './pages';
import { signInRoutes } from './sign-in';
import type { SessionReader } from './terminal-access';
import { createTerminalAccess } from './terminal-access';

export interface GatewayOptions {
  readonly sessions: SessionReader;
  readonly checks: ReadinessChecks;
  readonly web: WebFiles;
  readonly mode: AuthMode;
  readonly publicHost: string;
  readonly authKey: string;
  readonly terminalKey: string;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly stopping: AbortSignal;
  /** How the fallback reaches a container, where it is not the overlay's own way. */
  readonly terminals?: Pick<FallbackOptions, 'lookup' | 'port' | 'handshakeLimitMs'>;
}

/** The front door, put together from its parts; listens when told to. */
export function createGateway(options: GatewayOptions): { http: HttpServer; fallback: FallbackProxy } {
  const { logger, registry, stopping, checks, publicHost, mode } = options;
  const tokens = createTokens({ key: options.authKey });
  const doorkeeper = createDoorkeeper({ tokens, publicHost });
  const access = createTerminalAccess({ doorkeeper, sessions: options.sessions, terminalKey: options.terminalKey });
  const fallback = new FallbackProxy({ access, logger, registry, stopping, ...options.terminals });
  const http = createHttpServer({
    logger,
    registry,
    stopping,
    checks,
    statusOf: errorStatus,
    // Only the sign-in forms have a body, and read it themselves.
    bodies: [],
    routes(app) {
      forwardAuthRoute(app, { access });
      iconRoute(app);
      signInRoutes(app, { mode, doorkeeper, tokens });
      pageRoutes(app, { web: options.web, doorkeeper, publicHost });
      errorPages(app);
    },
  });
  http.server.on('upgrade', (request, socket, head) => fallback.handleUpgrade(request, socket, head));
  return { http, fallback };
}
