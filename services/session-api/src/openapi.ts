import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig, zodToOpenAPIRegistry } from '@asteasolutions/zod-to-openapi';
import { SIGN_IN_COOKIE } from '@vibe/identity';
import { errorSchema, errorStatus, openAnswerSchema, sessionListSchema, sessionIdSchema, sessionSchema } from '@vibe/contracts';
import { z } from 'zod';
import { type Operation, operations } from './operations';

/** Names under which the description shares its schemas. */
const shared = { Session: sessionSchema, SessionList: sessionListSchema, OpenAnswer: openAnswerSchema, Error: errorSchema };

function responsesOf(operation: Operation): RouteConfig['responses'] {
  const answers = Object.entries(operation.answers).map(([status, { description, schema, mediaType }]) => {
    const content = schema || mediaType ? { [mediaType ?? 'application/json']: { schema: schema ?? z.unknown() } } : undefined;
    return [status, content ? { description, content } : { description }] as const;
  });
  const statuses = [...new Set(operation.errors.map((code) => errorStatus[code]))];
  const errors = statuses.map((status) => {
    const codes = operation.errors.filter((code) => errorStatus[code] === status);
    return [String(status), { description: codes.map((code) => `\`${code}\``).join(', '), content: { 'application/json': { schema: errorSchema } } }] as const;
  });
  return Object.fromEntries([...answers, ...errors]);
}

/** The OpenAPI 3.1 description of the API, from the same schemas and the same list of operations that the router uses. */
export function describeApi(version: string): object {
  for (const [refId, schema] of Object.entries(shared)) zodToOpenAPIRegistry.add(schema, { _internal: { refId } });
  const registry = new OpenAPIRegistry();
  const bearer = registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  const cookie = registry.registerComponent('securitySchemes', 'cookie', { type: 'apiKey', in: 'cookie', name: SIGN_IN_COOKIE });
  for (const [operationId, operation] of Object.entries(operations as Record<string, Operation>)) {
    registry.registerPath({
      operationId,
      method: operation.method,
      path: operation.path,
      summary: operation.summary,
      security: operation.isSignedIn ? [{ [bearer.name]: [] }, { [cookie.name]: [] }] : [],
      request: {
        ...(operation.path.includes('{id}') ? { params: z.object({ id: sessionIdSchema }) } : {}),
        ...(operation.body ? { body: { content: { 'application/json': { schema: operation.body } } } } : {}),
      },
      responses: responsesOf(operation),
    });
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: { title: 'Vibeswarm', version, description: 'Browser terminals that sleep and come back. Errors are `{"error": {"code", "message", "details"}}`.' },
    servers: [{ url: '/' }],
  });
}
