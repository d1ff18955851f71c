import type { ErrorRequestHandler, Response } from 'express';
import type { z } from 'zod';
import { CodedError } from './errors';
import type { Logger } from './logging';

/** The codes that the server itself answers with; every service's map has them. */
export type ServerCode = 'bad_request' | 'not_found' | 'payload_too_large' | 'unsupported_media_type' | 'internal';

/** The one map from error code to HTTP status. */
export type StatusMap = Readonly<Record<ServerCode, number>>;

/** What body-parser calls its errors, and what they are called here. */
const bodyErrors: Readonly<Record<string, readonly [ServerCode, string]>> = {
  'entity.parse.failed': ['bad_request', 'the body is not valid JSON'],
  'entity.verify.failed': ['bad_request', 'the body is not valid'],
  'request.size.invalid': ['bad_request', 'the body is shorter or longer than announced'],
  'parameters.too.many': ['bad_request', 'the body has too many fields'],
  'entity.too.large': ['payload_too_large', 'the body is too large'],
  'encoding.unsupported': ['unsupported_media_type', 'the body must not be compressed'],
  'charset.unsupported': ['unsupported_media_type', 'the body must be UTF-8'],
};

function asCoded(error: unknown): CodedError | null {
  if (error instanceof CodedError) return error;
  if (error instanceof URIError) return new CodedError('bad_request', 'the path is not valid', { cause: error });
  const type = typeof error === 'object' && error !== null && 'type' in error ? error.type : undefined;
  const known = typeof type === 'string' ? bodyErrors[type] : undefined;
  return known ? new CodedError(known[0], known[1], { cause: error }) : null;
}

/** Writes `{"error": {code, message, details?}}` with the status of the code. */
export function sendError(response: Response, status: number, error: CodedError): void {
  response.locals.errorCode = error.code;
  if (error.retryAfterS !== undefined) response.setHeader('Retry-After', String(Math.ceil(error.retryAfterS)));
  response.status(status).json({ error: { code: error.code, message: error.message, ...(error.details === undefined ? {} : { details: error.details }) } });
}

/**
 * The last middleware: a coded error gets its status, everything else is a 500 that tells nothing of what happened. A code
 * that the map does not know is a mistake of ours and answered like an unknown error.
 */
export function errorMiddleware(options: { logger: Logger; statusOf: StatusMap }): ErrorRequestHandler {
  const statuses: Readonly<Record<string, number>> = options.statusOf;
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    const coded = asCoded(error);
    const status = coded && Object.hasOwn(statuses, coded.code) ? statuses[coded.code] : undefined;
    if (coded && status !== undefined) {
      // A dependency that is away has its own line in the log; one a request would bury it.
      if (status >= 500 && !coded.retryable) options.logger.warn('request failed', { method: request.method, path: request.path, error: coded });
      return sendError(response, status, coded);
    }
    options.logger.error('request failed unexpectedly', { method: request.method, path: request.path, error });
    sendError(response, statuses.internal as number, new CodedError('internal', 'something went wrong on our side'));
  };
}

/** Parses what came in (a body, parameters); throws `bad_request` with the list of problems. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), problem: issue.message }));
  throw new CodedError('bad_request', 'the request is not valid', { details: problems });
}
