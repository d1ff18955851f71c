import type { ApiError, ApiSession, ErrorCode, Me, OpenAnswer } from '@vibe/contracts';
import type { ServerClock } from './server-clock';

/** `offline`: no answer at all. `unexpected`: an answer that is not the API's (a proxy's page, for example). */
export type FailureCode = ErrorCode | 'offline' | 'unexpected';

/** A call that did not do what was asked, in words a person can read. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  constructor(
    readonly code: FailureCode,
    message: string,
    readonly retryAfterMs: number | null = null,
    readonly details: unknown = undefined,
  ) {
    super(message);
  }
}

/** One function a call of the API. All reject with `ApiFailure` and nothing else. */
export interface ApiClient {
  me(): Promise<Me>;
  create(name: string): Promise<ApiSession>;
  rename(id: string, name: string): Promise<ApiSession>;
  open(id: string): Promise<OpenAnswer>;
  hibernate(id: string): Promise<ApiSession>;
  remove(id: string): Promise<void>;
}

/** `fetch` is the browser's; every answer's date teaches `clock`. */
export function createApiClient({ fetch, clock }: { fetch: typeof globalThis.fetch; clock: ServerClock }): ApiClient {
  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    let answer: Response;
    try {
      answer = await fetch(`/api${path}`, { method, headers, body: body === undefined ? null : JSON.stringify(body), credentials: 'same-origin', cache: 'no-store' });
    } catch {
      throw new ApiFailure('offline', 'Vibeswarm does not answer. Is this machine online?');
    }
    clock.learn(answer.headers.get('date'));
    const json: unknown = await answer.json().catch(() => null);
    if (answer.ok) return json;
    throw failureOf(answer, json);
  }
  const session = (id: string): string => `/sessions/${encodeURIComponent(id)}`;
  return {
    me: async () => (await call('GET', '/me')) as Me,
    create: async (name) => (await call('POST', '/sessions', name === '' ? {} : { name })) as ApiSession,
    rename: async (id, name) => (await call('PATCH', session(id), { name })) as ApiSession,
    open: async (id) => (await call('POST', `${session(id)}/open`, {})) as OpenAnswer,
    hibernate: async (id) => (await call('POST', `${session(id)}/hibernate`, {})) as ApiSession,
    remove: async (id) => {
      await call('DELETE', session(id));
    },
  };
}

function failureOf(answer: Response, json: unknown): ApiFailure {
  const seconds = Number(answer.headers.get('retry-after') ?? NaN);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : null;
  if (isApiError(json)) return new ApiFailure(json.error.code, json.error.message, retryAfterMs, json.error.details);
  if (answer.status === 401) return new ApiFailure('unauthenticated', 'You are signed out.');
  if (answer.status === 404) return new ApiFailure('not_found', 'There is no such session.');
  return new ApiFailure('unexpected', `Vibeswarm answered with an error (${String(answer.status)}).`, retryAfterMs);
}

function isApiError(json: unknown): json is ApiError {
  if (typeof json !== 'object' || json === null || !('error' in json)) return false;
  const { error } = json;
  return typeof error === 'object' && error !== null && 'code' in error && 'message' in error && typeof error.message === 'string';
}

/** Any error as a failure that can be shown. */
export function asFailure(error: unknown): ApiFailure {
  return error instanceof ApiFailure ? error : new ApiFailure('unexpected', error instanceof Error ? error.message : String(error));
}

/** Where the sign-in page is; it leads back to `path` afterwards. */
export function signInUrl(path: string): string {
  return `/sign-in?next=${encodeURIComponent(path)}`;
}
