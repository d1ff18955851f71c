import { SIGN_IN_COOKIE } from '@vibe/identity';
import type { FrontDoor } from './front-door';
import { OURS, ask, cookieOf, openFrontDoor, postForm, tokenOf } from './front-door';

const id = 'a'.repeat(26);

describe('signing in by picking a name', () => {
  let door: FrontDoor;
  beforeAll(async () => void (door = await openFrontDoor({ mode: 'dev' })));
  afterAll(() => door.close());

  it('shows a page that needs no script and lets none run', async () => {
    const page = await ask(door.port, `/sign-in?next=/terminal/${id}`);
    expect(page.status).toBe(200);
    expect(page.body).toContain('name="user"');
    expect(page.body).toContain(`value="/terminal/${id}"`);
    expect(page.body).not.toContain('<script');
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none';.*frame-ancestors 'none'.*style-src 'sha256-/);
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
  });

  it('signs in under the name and leads back to where one came from', async () => {
    const answer = await postForm(door.port, '/sign-in', { user: ' ada ', next: `/terminal/${id}` });
    expect([answer.status, answer.headers.location]).toEqual([303, `/terminal/${id}`]);
    const cookie = answer.headers['set-cookie']?.[0] ?? '';
    expect(cookie).toMatch(/^__Host-vibe=[\w.-]+; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    const page = await ask(door.port, '/terminal/', { headers: { cookie: cookie.split(';')[0] ?? '' } });
    expect([page.status, page.body]).toEqual([200, '<title>list</title>']);
  });

  it.each(['', ' ', 'a b', '../x', '<script>alert(1)</script>', 'a'.repeat(65), 'a:b'])('refuses the name "%s" with the reason, and shows it again harmlessly', async (user) => {
    const answer = await postForm(door.port, '/sign-in', { user, next: '' });
    expect([answer.status, answer.headers['set-cookie']]).toEqual([401, undefined]);
    expect(answer.body).toContain('role="alert"');
    expect(answer.body).not.toContain('<script');
  });

  it.each([['https://evil.example'], ['null'], [undefined]])('refuses a form that comes from %s', async (origin) => {
    const answer = await postForm(door.port, '/sign-in', { user: 'eve' }, origin === undefined ? {} : { origin });
    expect([answer.status, answer.headers['set-cookie']]).toEqual([403, undefined]);
  });

  it('tells a person what is wrong on a page of its own', async () => {
    const answer = await postForm(door.port, '/sign-in', { user: 'eve' }, { origin: 'https://127.0.0.1', accept: 'text/html' });
    expect([answer.status, answer.headers['content-type']]).toEqual([403, 'text/html; charset=utf-8']);
    expect(answer.body).toContain('https://vibe.localhost');
  });

  it.each(['https://evil.example', '//evil.example', '/\\evil.example', '/terminal/../../x', '/terminal/abc', `/terminal/${id}?x`, '/sign-out', 'javascript:alert(1)'])('never leads to %s', async (next) => {
    expect((await postForm(door.port, '/sign-in', { user: 'ada', next })).headers.location).toBe('/terminal/');
    expect((await ask(door.port, `/sign-in?next=${encodeURIComponent(next)}`, { headers: { cookie: cookieOf('ada') } })).headers.location).toBe('/terminal/');
  });

  it('takes no JSON, no text and nothing long', async () => {
    const headers = { origin: OURS, 'content-type': 'application/json' };
    expect((await ask(door.port, '/sign-in', { method: 'POST', body: '{"user":"ada"}', headers })).status).toBe(415);
    expect((await postForm(door.port, '/sign-in', { user: 'a'.repeat(20_000) })).status).toBe(413);
  });

  it('signs out, by a form of our own pages only', async () => {
    const out = await postForm(door.port, '/sign-out', {});
    expect([out.status, out.headers.location, out.headers['set-cookie']]).toEqual([303, '/sign-in', [`${SIGN_IN_COOKIE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax`]]);
    expect((await postForm(door.port, '/sign-out', {}, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await ask(door.port, '/sign-out')).status).toBe(404);
  });
});

describe('signing in by token', () => {
  let door: FrontDoor;
  beforeAll(async () => void (door = await openFrontDoor({ mode: 'token' })));
  afterAll(() => door.close());

  it('takes a token that is ours, for as long as the token lasts', async () => {
    const token = tokenOf('ada');
    const answer = await postForm(door.port, '/sign-in', { token: `${token}\n` });
    expect(answer.status).toBe(303);
    const [, maxAge] = /^__Host-vibe=[^;]+; Max-Age=(\d+);/.exec(answer.headers['set-cookie']?.[0] ?? '') ?? [];
    expect(Number(maxAge)).toBeLessThanOrEqual(60);
    expect(answer.headers['set-cookie']?.[0]).toContain(token);
  });

  it('refuses any other, and never shows it again', async () => {
    for (const token of ['', 'ada', `${tokenOf('ada')}x`]) {
      const answer = await postForm(door.port, '/sign-in', { token });
      expect([answer.status, answer.headers['set-cookie']]).toEqual([401, undefined]);
      if (token !== '') expect(answer.body).not.toContain(`"${token}"`);
    }
  });

  it('lets nobody pick a name', async () => {
    expect((await postForm(door.port, '/sign-in', { user: 'ada' })).status).toBe(401);
    expect((await ask(door.port, '/sign-in')).body).not.toContain('name="user"');
  });
});
