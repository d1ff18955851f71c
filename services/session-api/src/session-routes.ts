import type { Response } from 'express';
import { apiError } from './api-parts';
import type { ApiParts } from './api-parts';
import type { OperationHandlers } from './api-routes';
import { createSession } from './create-session';
import { deleteSession } from './delete-session';
import { hibernateSession } from './hibernate-session';
import type { LiveEvents } from './live-events';
import { openSession, terminalOf } from './open-session';
import { ownSession } from './own-session';
import { viewNow, viewsOf } from './session-view';

/** What a person asked of which session goes into the request's closing record. */
function noteSession(response: Response, sessionId: string): void {
  response.locals.logFields = { session_id: sessionId };
}

/** From a call to an action and back to an answer; what an action decides is in its own file. */
export function sessionHandlers(options: { parts: ApiParts; live: LiveEvents; description: object }): OperationHandlers {
  const { parts, live, description } = options;
  const { settings, store } = parts;
  return {
    describeApi({ response }) {
      response.json(description);
    },

    tellMe({ identity, response }) {
      const limits = { max_sessions: settings.MAX_SESSIONS_PER_USER, idle_timeout_minutes: settings.IDLE_TIMEOUT_MINUTES, hibernated_ttl_days: settings.HIBERNATED_TTL_DAYS };
      response.json({ user_id: identity.userId, is_admin: identity.isAdmin, limits });
    },

    followSessions({ identity, request, response }) {
      // Express answers HEAD by the GET route: that asks for the headers alone, not for a stream that nobody reads.
      if (request.method === 'HEAD') response.type('text/event-stream').end();
      else live.attach(identity.userId, response);
    },

    async listSessions({ identity, response }) {
      response.json({ sessions: await viewsOf(parts, await store.listByUser(identity.userId)) });
    },

    async createSession({ identity, body, response }) {
      const created = await createSession(parts, identity, body.name);
      if (created.outcome === 'quota_exceeded') {
        const details = { max: settings.MAX_SESSIONS_PER_USER, sessions: await viewsOf(parts, created.sessions) };
        throw apiError('quota_exceeded', `you have ${settings.MAX_SESSIONS_PER_USER} sessions, which is as many as you may have: delete one first`, { details });
      }
      const { record } = created;
      noteSession(response, record.id);
      response.status(201).location(`/api/sessions/${record.id}`).json(await viewNow(parts, record));
    },

    async getSession({ identity, id, response }) {
      response.json(await viewNow(parts, await ownSession(parts, identity, id)));
    },

    async renameSession({ identity, id, body, response }) {
      await ownSession(parts, identity, id);
      await store.rename({ id, name: body.name });
      response.json(await viewNow(parts, await ownSession(parts, identity, id)));
    },

    async deleteSession({ identity, id, response }) {
      const record = await deleteSession(parts, identity, id);
      noteSession(response, record.id);
      response.status(202).json(await viewNow(parts, record));
    },

    async openSession({ identity, id, response }) {
      const record = await openSession(parts, identity, id);
      noteSession(response, record.id);
      const session = await viewNow(parts, record);
      if (record.state === 'running') response.json({ session, terminal: terminalOf(record, settings.TTYD_KEY_FILE) });
      else response.status(202).json({ session });
    },

    async hibernateSession({ identity, id, response }) {
      const record = await hibernateSession(parts, identity, id);
      noteSession(response, record.id);
      response.status(202).json(await viewNow(parts, record));
    },
  };
}
