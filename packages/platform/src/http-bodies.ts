import express from 'express';
import type { Request, RequestHandler } from 'express';
import { CodedError } from './errors';

/** True when the request announces a body, be it empty chunks. */
function hasBody(request: Request): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** The media type alone, without parameters, in lower case. */
function mediaTypeOf(request: Request): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function onlyOf(mediaType: string): RequestHandler {
  return (request, _response, next) => {
    if (!hasBody(request) || mediaTypeOf(request) === mediaType) return next();
    next(new CodedError('unsupported_media_type', `the body must be ${mediaType}`));
  };
}

/**
 * Bodies are JSON objects or arrays, uncompressed, and say so: a form of another site can send text/plain, never
 * application/json without asking first. `request.body` is undefined where there is none.
 */
export function jsonBodies(options: { limitBytes?: number } = {}): RequestHandler[] {
  return [onlyOf('application/json'), express.json({ limit: options.limitBytes ?? 16_384, inflate: false, strict: true, type: 'application/json' })];
}

/** For a page's own form. The route checks the Origin itself: a form is exactly what another site can send. */
export function formBodies(options: { limitBytes?: number } = {}): RequestHandler[] {
  const type = 'application/x-www-form-urlencoded';
  return [onlyOf(type), express.urlencoded({ limit: options.limitBytes ?? 8_192, extended: false, inflate: false, parameterLimit: 20, type })];
}
