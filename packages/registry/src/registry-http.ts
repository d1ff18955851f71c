import { CodedError } from '@vibe/platform';
import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';

export interface RegistryConnection {
  /** `https://registry:5000` */
  readonly url: string;
  /** PEM of the authority that signed its certificate; absent for plain HTTP or a public one. */
  readonly ca?: string;
  readonly login?: { readonly username: string; readonly password: string };
}

const ANSWER_LIMIT_MS = 10_000;
const CONNECTIONS_MAX = 4;
const SILENCE_LIMIT_MS = 30_000;

/** Codes by which the registry itself says that a thing is not there. A 404 without one may be anybody's. */
const notFoundCodes = new Set(['MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'BLOB_UNKNOWN']);
const errorsSchema = z.object({ errors: z.array(z.object({ code: z.string() })).min(1) });

/** A pool of connections. `prove` makes one of its own, so that nothing of the push answers for it. */
export function connectTo(connection: RegistryConnection): Agent {
  return new Agent({
    connections: CONNECTIONS_MAX,
    connect: { timeout: ANSWER_LIMIT_MS, ...(connection.ca === undefined ? {} : { ca: connection.ca }) },
    headersTimeout: ANSWER_LIMIT_MS,
    bodyTimeout: SILENCE_LIMIT_MS,
  });
}

export interface Ask {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  readonly path: string;
  readonly accept?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * One request. Answers below 300 are returned; the rest becomes a CodedError: `registry_not_found` only when the registry
 * itself says so, `registry_unreachable` when nobody answered or answers 5xx (retryable), else `registry_error`.
 */
export async function ask(connection: RegistryConnection, dispatcher: Dispatcher, { method = 'GET', path, accept = [], signal }: Ask): Promise<Dispatcher.ResponseData> {
  const headers: Record<string, string> = {};
  if (accept.length > 0) headers['accept'] = accept.join(', ');
  if (connection.login) headers['authorization'] = `Basic ${Buffer.from(`${connection.login.username}:${connection.login.password}`).toString('base64')}`;
  let answer: Dispatcher.ResponseData;
  try {
    answer = await request(`${connection.url}${path}`, { method, headers, dispatcher, ...(signal ? { signal } : {}) });
  } catch (error) {
    signal?.throwIfAborted();
    throw new CodedError('registry_unreachable', 'the registry does not answer', { cause: error, retryable: true });
  }
  if (answer.statusCode < 300) return answer;
  const text = await answer.body.text().catch(() => '');
  throw refusal(method, path, answer, text);
}

function refusal(method: string, path: string, answer: Dispatcher.ResponseData, text: string): CodedError {
  const details = { method, path, status: answer.statusCode };
  if (answer.statusCode >= 500 || answer.statusCode === 429) return new CodedError('registry_unreachable', `the registry answers ${answer.statusCode}`, { details, retryable: true });
  // An answer to HEAD has no body: the header that every distribution registry sends says who speaks.
  const isItself = method === 'HEAD' ? answer.headers['docker-distribution-api-version'] === 'registry/2.0' : notFoundCodes.has(firstCode(text) ?? '');
  if (answer.statusCode === 404 && isItself) return new CodedError('registry_not_found', 'the registry does not have it', { details });
  return new CodedError('registry_error', `the registry answers ${answer.statusCode}`, { details });
}

function firstCode(text: string): string | null {
  try {
    return errorsSchema.parse(JSON.parse(text)).errors[0]?.code ?? null;
  } catch {
    return null;
  }
}

/** The body as text. */
export async function readText(answer: Dispatcher.ResponseData, signal?: AbortSignal): Promise<string> {
  try {
    return await answer.body.text();
  } catch (error) {
    signal?.throwIfAborted();
    throw new CodedError('registry_unreachable', 'the registry broke off its answer', { cause: error, retryable: true });
  }
}

/** A JSON answer of this shape; anything else is no answer of a registry. */
export function readAs<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new CodedError('registry_error', 'the registry answers with something that is none of its answers', { cause: error });
  }
}
