import { type Doorkeeper, type Identity } from '@vibe/identity';
import { parseInput, whileRedisAnswers } from '@vibe/platform';
import type { Express, Request, RequestHandler, Response } from 'express';
import { type ApiParts, apiError } from './api-parts';
import { type Operation, type OperationName, operations } from './operations';

/** One request that passed the door: who asks, for which session (empty where the path has none), with which checked body. */
export interface Call<Body = unknown> {
  readonly identity: Identity;
  readonly id: string;
  readonly body: Body;
  readonly request: Request;
  readonly response: Response;
}

type BodyOf<Name extends OperationName> = (typeof operations)[Name] extends { body: { _output: infer Body } } ? Body : undefined;

/** A handler for every operation: an API that lacks one does not compile. */
export type OperationHandlers = { readonly [Name in OperationName]: (call: Call<BodyOf<Name>>) => Promise<void> | void };

const expressPathOf = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

const nobody: Identity = { userId: '', isAdmin: false, via: 'bearer' };

async function admit(doorkeeper: Doorkeeper, operation: Operation, request: Request): Promise<Identity> {
  if (!operation.isSignedIn) return nobody;
  return operation.method === 'get' ? doorkeeper.admit(request.headers) : doorkeeper.admitFromOurPages(request.headers);
}

/**
 * Mounts every operation behind the same door, in this order: who asks, whether the body is right, whether the records can
 * be believed. A method that a path does not know is 405. Redis that does not answer becomes 503 `unavailable`.
 */
export function mountApi(app: Express, options: { handlers: OperationHandlers; doorkeeper: Doorkeeper; parts: Pick<ApiParts, 'epoch'> }): void {
  const { handlers, doorkeeper, parts } = options;
  for (const [name, operation] of Object.entries(operations as Record<OperationName, Operation>)) {
    const handle = handlers[name as OperationName] as (call: Call) => Promise<void> | void;
    const answer: RequestHandler = async (request, response) => {
      const identity = await admit(doorkeeper, operation, request);
      const body = operation.body ? parseInput(operation.body, request.body ?? {}) : undefined;
      await whileRedisAnswers(async () => {
        if (operation.needsRecords) await parts.epoch.require();
        await handle({ identity, id: String(request.params.id ?? ''), body, request, response });
      });
    };
    app[operation.method](expressPathOf(operation.path), answer);
  }
  mountMethodRefusals(app);
}

function mountMethodRefusals(app: Express): void {
  const all: readonly Operation[] = Object.values(operations);
  for (const path of new Set(all.map((operation) => operation.path))) {
    const allowed = all.filter((operation) => operation.path === path).map(({ method }) => method.toUpperCase());
    app.all(expressPathOf(path), (_request, response, next) => {
      response.set('Allow', allowed.join(', '));
      next(apiError('method_not_allowed', `this path takes ${allowed.join(', ')}`));
    });
  }
}
