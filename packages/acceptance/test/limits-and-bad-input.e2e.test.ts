import type { ApiErrorBody, Session } from '../src/api-client';
import { Person } from '../src/person';
import { useLab } from './lab-fixture';

const UNKNOWN_ID = 'aaaaaaaaaaaaaaaaaaaaaaaaaa';

describe('what a user may have', () => {
  const fixture = useLab();

  it('ends at the quota: the next session is refused with the list of those that are there', async () => {
    const person = await fixture.signIn('quota');
    const { limits } = await person.api.must<{ limits: { max_sessions: number } }>([200], 'GET', '/api/me');
    const made: Session[] = [];
    for (let n = 1; n <= limits.max_sessions; n++) made.push(await person.api.create(`number ${n}`));
    const refused = await person.api.send<ApiErrorBody>('POST', '/api/sessions', { json: {} });
    expect(refused.status).toBe(409);
    expect(refused.body.error.code).toBe('quota_exceeded');
    const { max, sessions } = refused.body.error.details as { max: number; sessions: Session[] };
    expect(max).toBe(limits.max_sessions);
    expect(sessions.map(({ id }) => id).sort()).toEqual(made.map(({ id }) => id).sort());
    expect(await person.api.list()).toHaveLength(limits.max_sessions);
    await Promise.all(made.map(({ id }) => person.events.untilState(id, 'running')));
  });

  it('holds against many calls at once (T18)', async () => {
    const person = await fixture.signIn('flood');
    const { limits } = await person.api.must<{ limits: { max_sessions: number } }>([200], 'GET', '/api/me');
    const answers = await Promise.all(Array.from({ length: 30 }, () => person.api.send('POST', '/api/sessions', { json: {} })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(limits.max_sessions);
    expect(answers.filter(({ status }) => status !== 201 && status !== 409 && status !== 429)).toEqual([]);
    const mine = await person.api.list();
    expect(mine).toHaveLength(limits.max_sessions);
    await Promise.all(mine.map(({ id }) => person.events.untilState(id, 'running')));
  });
});

describe('bad input gets one clear error and changes nothing', () => {
  const fixture = useLab();
  let person: Person;
  beforeAll(async () => {
    person = await Person.signIn(await fixture.lab.installation(), 'bad-input');
  });
  afterAll(() => person.leave());

  const json = { 'content-type': 'application/json' };
  it.each([
    ['bad JSON', 'POST', '/api/sessions', { raw: '{"name": ', headers: json }, 400],
    ['JSON that is no object', 'POST', '/api/sessions', { raw: '[]', headers: json }, 400],
    ['an unknown field', 'POST', '/api/sessions', { json: { name: 'a', image: 'evil' } }, 400],
    ['a name that is no text', 'POST', '/api/sessions', { json: { name: 7 } }, 400],
    ['an empty name', 'POST', '/api/sessions', { json: { name: '  ' } }, 400],
    ['a name of two lines', 'POST', '/api/sessions', { json: { name: 'a\nb' } }, 400],
    ['a name without end', 'POST', '/api/sessions', { json: { name: 'a'.repeat(61) } }, 400],
    ['a body without end', 'POST', '/api/sessions', { json: { name: 'a'.repeat(2_000_000) } }, 413],
    ['text/plain', 'POST', '/api/sessions', { raw: '{"name":"a"}', headers: { 'content-type': 'text/plain' } }, 415],
    ['a form', 'POST', '/api/sessions', { raw: 'name=a', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415],
    ['an unknown id', 'GET', `/api/sessions/${UNKNOWN_ID}`, {}, 404],
    ['an id that is none', 'GET', '/api/sessions/..%2f..%2fetc', {}, [400, 404]],
    ['an id in upper case', 'DELETE', `/api/sessions/${UNKNOWN_ID.toUpperCase()}`, {}, [400, 404]],
    ['opening an unknown id', 'POST', `/api/sessions/${UNKNOWN_ID}/open`, { json: {} }, 404],
    ['a call that is not there', 'GET', '/api/nothing', {}, 404],
    ['a method that is not there', 'PUT', '/api/sessions', { json: {} }, [404, 405]],
  ] as const)('%s', async (_what, method, path, options, status) => {
    const answer = await person.api.send<ApiErrorBody>(method, path, options);
    expect([status].flat()).toContain(answer.status);
    // Traefik itself refuses encoded slashes; every answer of ours is an error with a code and a sentence.
    if (typeof answer.body === 'object') expect(answer.body.error).toMatchObject({ code: expect.any(String) as string, message: expect.any(String) as string });
    else expect(path).toContain('%2f');
    expect(await person.api.list()).toEqual([]);
  });

  it('a name that is refused leaves the old one', async () => {
    const { id } = await person.create('good');
    const answer = await person.api.send('PATCH', `/api/sessions/${id}`, { json: { name: 'x', user_id: 'somebody' } });
    expect(answer.status).toBe(400);
    expect((await person.api.get(id)).name).toBe('good');
  });
});
