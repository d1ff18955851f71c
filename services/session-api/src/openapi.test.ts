import { describeApi } from './openapi';
import { operations } from './operations';

describe('the description of the API', () => {
  const document = describeApi('1.0.0') as { paths: Record<string, Record<string, { operationId: string; responses: object; requestBody?: object }>>; components: { schemas: object } };

  it.each(Object.entries(operations))('has %s with all its answers', (name, operation) => {
    const described = document.paths[operation.path]?.[operation.method];
    expect(described?.operationId).toBe(name);
    expect(Object.keys(described?.responses ?? {})).toEqual(expect.arrayContaining(Object.keys(operation.answers)));
    expect(described?.requestBody !== undefined).toBe('body' in operation);
  });

  it('has nothing else', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    expect(described.sort()).toEqual(Object.values(operations).map(({ method, path }) => `${method} ${path}`).sort());
  });

  it('shares its schemas by name and refuses unknown fields', () => {
    expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(['Session', 'SessionList', 'OpenAnswer', 'Error']));
    expect(JSON.stringify(document.paths['/api/sessions']?.post)).toContain('"additionalProperties":false');
  });
});
