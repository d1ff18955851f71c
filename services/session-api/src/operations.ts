import { type ErrorCode, createSessionBody, emptyBody, liveEvents, meSchema, openAnswerSchema, renameSessionBody, sessionListSchema, sessionSchema } from '@vibe/contracts';
import type { z } from 'zod';

/** One call of the API as its description and its router need it. */
export interface Operation {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** As OpenAPI writes it: `/api/sessions/{id}`. */
  readonly path: string;
  readonly summary: string;
  /** False for what anybody may ask. */
  readonly isSignedIn: boolean;
  /** True where the records must be believable: 503 `rebuilding` else. */
  readonly needsRecords: boolean;
  /** What the body may be; absent and `{}` mean the same. */
  readonly body?: z.ZodType;
  readonly answers: Readonly<Record<number, { readonly description: string; readonly schema?: z.ZodType; readonly mediaType?: string }>>;
  readonly errors: readonly ErrorCode[];
}

const ofRecords = { isSignedIn: true, needsRecords: true } as const;
const always = ['unauthenticated', 'rebuilding', 'unavailable', 'internal'] as const;
const changing = ['bad_request', 'forbidden_origin', 'payload_too_large', 'unsupported_media_type'] as const;

/** Every call, once: the router mounts them in this order, the description tells them. */
export const operations = {
  describeApi: {
    method: 'get',
    path: '/api/openapi.json',
    summary: 'This description',
    isSignedIn: false,
    needsRecords: false,
    answers: { 200: { description: 'OpenAPI 3.1', mediaType: 'application/json' } },
    errors: ['internal'],
  },
  tellMe: {
    method: 'get',
    path: '/api/me',
    summary: 'Who is signed in, and what one may have',
    isSignedIn: true,
    needsRecords: false,
    answers: { 200: { description: 'The one who asks', schema: meSchema } },
    errors: ['unauthenticated', 'internal'],
  },
  followSessions: {
    ...ofRecords,
    method: 'get',
    path: '/api/sessions/events',
    summary: "Live events: `sessions` (all of one's own) first, then `session` for every change and `removed` when one is gone",
    answers: { 200: { description: 'Server-sent events; the data of `session` is shown', schema: liveEvents.session, mediaType: 'text/event-stream' } },
    errors: always,
  },
  listSessions: {
    ...ofRecords,
    method: 'get',
    path: '/api/sessions',
    summary: "One's own sessions, the oldest first",
    answers: { 200: { description: 'The sessions', schema: sessionListSchema } },
    errors: always,
  },
  createSession: {
    ...ofRecords,
    method: 'post',
    path: '/api/sessions',
    summary: 'Make a new session',
    body: createSessionBody,
    answers: { 201: { description: 'It is being created; `Location` says where it is', schema: sessionSchema } },
    errors: [...always, ...changing, 'quota_exceeded', 'no_capacity'],
  },
  getSession: {
    ...ofRecords,
    method: 'get',
    path: '/api/sessions/{id}',
    summary: 'One session',
    answers: { 200: { description: 'The session', schema: sessionSchema } },
    errors: [...always, 'not_found'],
  },
  renameSession: {
    ...ofRecords,
    method: 'patch',
    path: '/api/sessions/{id}',
    summary: 'Give a session another name',
    body: renameSessionBody,
    answers: { 200: { description: 'The session under its new name', schema: sessionSchema } },
    errors: [...always, ...changing, 'not_found'],
  },
  deleteSession: {
    ...ofRecords,
    method: 'delete',
    path: '/api/sessions/{id}',
    summary: 'Delete a session and everything in it, for good; repeating it is fine',
    body: emptyBody,
    answers: { 202: { description: 'It is being deleted', schema: sessionSchema } },
    errors: [...always, ...changing, 'not_found'],
  },
  openSession: {
    ...ofRecords,
    method: 'post',
    path: '/api/sessions/{id}/open',
    summary: 'Want the terminal: counts as use, wakes a session that sleeps, keeps one that is falling asleep awake',
    body: emptyBody,
    answers: {
      200: { description: 'It runs; `terminal` says where', schema: openAnswerSchema },
      202: { description: 'It is on its way; the live events tell the rest', schema: openAnswerSchema },
    },
    errors: [...always, ...changing, 'not_found', 'gone', 'no_capacity'],
  },
  hibernateSession: {
    ...ofRecords,
    method: 'post',
    path: '/api/sessions/{id}/hibernate',
    summary: 'Put a running session to sleep; repeating it is fine',
    body: emptyBody,
    answers: { 202: { description: 'It is falling asleep, or sleeps', schema: sessionSchema } },
    errors: [...always, ...changing, 'not_found', 'wrong_state'],
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;
