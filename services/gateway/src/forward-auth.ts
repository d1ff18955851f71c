import { headerOf } from '@vibe/identity';
import type { Express } from 'express';
import type { TerminalAccess } from './terminal-access';

/**
 * Traefik asks here before it opens a socket by a session's own labels. The answer's `Authorization` replaces the client's
 * on the request to the container. The credential goes to nobody but those who pass, whoever asks.
 */
export function forwardAuthRoute(app: Express, options: { access: TerminalAccess }): void {
  app.get('/auth/terminal', async (request, response) => {
    const terminal = await options.access({
      headers: request.headers,
      method: headerOf(request.headers, 'x-forwarded-method'),
      path: headerOf(request.headers, 'x-forwarded-uri'),
    });
    response.locals.logFields = { user_id: terminal.userId, session_id: terminal.id, gen: terminal.gen };
    response.setHeader('Authorization', terminal.credential.basic);
    response.status(200).end();
  });
}
