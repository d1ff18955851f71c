import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import { z } from 'zod';
import { CodedError } from './errors';
import { parseInput } from './http-errors';
import { createHttpServer } from './http-server';
import type { HttpServer } from './http-server';
import { silentLogger } from './logging';
import { createMetrics } from './metrics';

const statusOf = { bad_request: 400, not_found: 404, payload_too_large: 413, unsupported_media_type: 415, internal: 500, unavailable: 503 };

describe('an HTTP server', () => {
  const stop = new AbortController();
  let http: HttpServer;
  let origin: string;
  let isRedisThere = true;
  let isHeld: () => void = () => {};
  const held = new Promise<void>((resolve) => (isHeld = resolve));

  const routes = (app: Express): void => {
    app.post('/things/:id', (request, response) => {
      response.json(parseInput(z.strictObject({ name: z.string().optional() }), request.body ?? {}));
    });
    app.get('/away', () => {
      throw new CodedError('unavailable', 'come back', { retryAfterS: 1.5, details: { when: 'soon' } });
    });
    app.get('/bug', async () => Promise.reject(new Error('password=1234')));
    app.get('/strange', () => {
      throw new CodedError('toString', 'not in the map');
    });
    app.get('/slow', (_request, response) => {
      isHeld();
      setImmediate(() => response.json({ slow: true }));
    });
  };

  beforeAll(async () => {
    http = createHttpServer({
      logger: silentLogger,
      registry: createMetrics({ service: 'test', isProcessMeasured: false }),
      stopping: stop.signal,
      checks: { redis: async () => isRedisThere },
      statusOf,
      routes,
    });
    origin = `http://127.0.0.1:${await http.listen(0)}`;
  });
  afterAll(() => http.close());

  const post = (body: string, type: string) => fetch(`${origin}/things/1`, { method: 'POST', body, headers: { 'Content-Type': type } });

  it('takes JSON', async () => {
    const response = await post('{"name":"a"}', 'application/json; charset=utf-8');
    expect([response.status, await response.json()]).toEqual([200, { name: 'a' }]);
    expect((await fetch(`${origin}/things/1`, { method: 'POST' })).status).toBe(200);
  });

  it.each([
    ['{"name":', 'application/json', 400, 'bad_request'],
    ['"text"', 'application/json', 400, 'bad_request'],
    ['{"name":"a","more":1}', 'application/json', 400, 'bad_request'],
    ['{"name":"a"}', 'text/plain', 415, 'unsupported_media_type'],
    ['name=a', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['{"name":"a"}', 'application/json; charset=latin1', 415, 'unsupported_media_type'],
    [JSON.stringify({ name: 'a'.repeat(20_000) }), 'application/json', 413, 'payload_too_large'],
  ])('refuses the body %.25s as %s', async (body, type, status, code) => {
    const response = await post(body, type);
    expect([response.status, await response.json()]).toEqual([status, { error: expect.objectContaining({ code }) as unknown }]);
  });

  it('names every problem of a wrong body', async () => {
    expect(await (await post('{"name":1}', 'application/json')).json()).toMatchObject({ error: { details: [{ path: 'name' }] } });
  });

  it('answers a coded error with its status, details and when to come back', async () => {
    const response = await fetch(`${origin}/away`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await response.json()).toEqual({ error: { code: 'unavailable', message: 'come back', details: { when: 'soon' } } });
  });

  it.each(['/bug', '/strange'])('tells nothing of an error it does not know (%s)', async (path) => {
    const response = await fetch(origin + path);
    expect([response.status, await response.json()]).toEqual([500, { error: { code: 'internal', message: 'something went wrong on our side' } }]);
  });

  it.each(['/none', '/AWAY', '/away/', '/things/%E0%A4%A'])('has nothing at %s', async (path) => {
    const response = await fetch(origin + path);
    expect([400, 404]).toContain(response.status);
    expect(await response.json()).toHaveProperty('error.code');
  });

  it('sends headers that let no page make anything of its answers', async () => {
    const { headers } = await fetch(`${origin}/none`);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('counts by route template, never by what the path held', async () => {
    await post('{}', 'application/json');
    const text = await (await fetch(`${origin}/metrics`)).text();
    expect(text).toContain('route="/things/:id",method="POST",status="200"');
    expect(text).not.toContain('/things/1');
    expect(text).toContain('service="test"');
  });

  it('shows its probes to the house and not through the edge', async () => {
    expect((await fetch(`${origin}/live`)).status).toBe(200);
    for (const path of ['/live', '/ready', '/metrics']) expect((await fetch(origin + path, { headers: { 'X-Forwarded-For': '1.2.3.4' } })).status).toBe(404);
  });

  it('refuses a port that is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, resolve));
    const other = createHttpServer({ logger: silentLogger, registry: createMetrics({ service: 'x', isProcessMeasured: false }), stopping: stop.signal, checks: {}, statusOf, routes });
    await expect(other.listen((taken.address() as AddressInfo).port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await new Promise((resolve) => taken.close(resolve));
  });

  it('is ready while all it needs answers, alive whatever happens, and not ready once it stops', async () => {
    expect((await fetch(`${origin}/ready`)).status).toBe(200);
    isRedisThere = false;
    expect([(await fetch(`${origin}/ready`)).status, (await fetch(`${origin}/live`)).status]).toEqual([503, 200]);
    isRedisThere = true;
    stop.abort();
    const stopping = await fetch(`${origin}/ready`);
    expect([stopping.status, await stopping.json()]).toEqual([503, { is_ready: false, is_stopping: true, checks: { redis: true } }]);
  });

  it('lets a request under way end when it is closed', async () => {
    const slow = fetch(`${origin}/slow`);
    await held;
    await Promise.all([http.close(), slow.then(async (response) => expect(await response.json()).toEqual({ slow: true }))]);
    await expect(fetch(`${origin}/live`)).rejects.toThrow();
  });
});
