import { sessionWith } from '../test/session-fixture';
import { asFailure, createApiClient, signInUrl } from './api-client';

interface Seen { path: string; method: string; body: string | null }

function setUp(answer: () => Response | Promise<Response>) {
  const seen: Seen[] = [];
  const dates: (string | null)[] = [];
  const api = createApiClient({
    fetch: async (path, init) => {
      seen.push({ path: typeof path === 'string' ? path : '', method: init?.method ?? '', body: typeof init?.body === 'string' ? init.body : null });
      return answer();
    },
    clock: { now: () => 0, learn: (date) => dates.push(date) },
  });
  return { api, seen, dates };
}

const json = (status: number, body: unknown, headers = {}): Response => new Response(JSON.stringify(body), { status, headers });
const failureOf = async (answer: () => Response | Promise<Response>) => asFailure(await setUp(answer).api.open('a').catch((error: unknown) => error));

it('speaks JSON, leaves out a name that was not given, and learns the time from answers', async () => {
  const { api, seen, dates } = setUp(() => json(200, sessionWith(), { date: 'Mon, 23 Nov 2026 12:00:00 GMT' }));
  await api.create('');
  await api.create('mine');
  await api.rename('a', 'other');
  await api.open('a');
  await api.hibernate('a');
  await api.remove('a');
  expect(seen).toEqual([
    { path: '/api/sessions', method: 'POST', body: '{}' },
    { path: '/api/sessions', method: 'POST', body: '{"name":"mine"}' },
    { path: '/api/sessions/a', method: 'PATCH', body: '{"name":"other"}' },
    { path: '/api/sessions/a/open', method: 'POST', body: '{}' },
    { path: '/api/sessions/a/hibernate', method: 'POST', body: '{}' },
    { path: '/api/sessions/a', method: 'DELETE', body: null },
  ]);
  expect(dates[0]).toBe('Mon, 23 Nov 2026 12:00:00 GMT');
});

it('passes the service’s own words on, with the time to try again', async () => {
  const failure = await failureOf(() => json(503, { error: { code: 'no_capacity', message: 'full' } }, { 'retry-after': '25' }));
  expect(failure).toMatchObject({ code: 'no_capacity', message: 'full', retryAfterMs: 25_000 });
});

it('makes sense of answers that are not the service’s', async () => {
  expect(await failureOf(() => Promise.reject(new TypeError('failed to fetch')))).toMatchObject({ code: 'offline' });
  expect(await failureOf(() => new Response('<h1>Bad gateway</h1>', { status: 502 }))).toMatchObject({ code: 'unexpected', retryAfterMs: null });
  expect(await failureOf(() => new Response('', { status: 401 }))).toMatchObject({ code: 'unauthenticated' });
});

it('leads from the sign-in page back to where one was', () => {
  expect(signInUrl('/terminal/a')).toBe('/sign-in?next=%2Fterminal%2Fa');
});
