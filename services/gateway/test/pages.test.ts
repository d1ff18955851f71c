import { newSessionId } from '@vibe/contracts';
import { readWebFiles } from '../src/pages';
import type { FrontDoor } from './front-door';
import { ask, cookieOf, openFrontDoor } from './front-door';

describe('the pages', () => {
  const id = newSessionId();
  const signedIn = { headers: { cookie: cookieOf('ada') } };
  let door: FrontDoor;
  beforeAll(async () => void (door = await openFrontDoor()));
  afterAll(() => door.close());

  it('are the list and the terminal, under a strict policy', async () => {
    const list = await ask(door.port, '/terminal/', signedIn);
    const terminal = await ask(door.port, `/terminal/${id}`, signedIn);
    expect([list.status, list.body, terminal.status, terminal.body]).toEqual([200, '<title>list</title>', 200, '<title>terminal</title>']);
    for (const page of [list, terminal]) {
      expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src 'self'; script-src 'self';/);
      expect(page.headers['cache-control']).toBe('no-store');
    }
    expect(list.headers['content-security-policy']).not.toContain('unsafe');
    expect(terminal.headers['content-security-policy']).toContain('wss://vibe.localhost');
  });

  it.each([
    ['/', '/terminal/'],
    ['/terminal', '/terminal/'],
    [`/ttyd/${id}`, `/terminal/${id}`],
    [`/ttyd/${id}/`, `/terminal/${id}`],
  ])('%s leads to %s', async (from, to) => {
    const answer = await ask(door.port, from, signedIn);
    expect([answer.status, answer.headers.location]).toEqual([302, to]);
  });

  it('lead somebody who is not signed in to the sign-in page, and from there back', async () => {
    const answers = await Promise.all(['/terminal/', `/terminal/${id}`].map((path) => ask(door.port, path)));
    expect(answers.map(({ status, headers }) => [status, headers.location])).toEqual([
      [302, '/sign-in?next=%2Fterminal%2F'],
      [302, `/sign-in?next=%2Fterminal%2F${id}`],
    ]);
  });

  it.each([
    '/terminal/abc',
    `/terminal/${id}/`,
    `/terminal/${id}/x`,
    `/terminal/${id.toUpperCase()}`,
    `/Terminal/${id}`,
    `/ttyd/${id}/g1/ws`,
    `/ttyd/${id}/g1/`,
    `/ttyd/${id}/../../etc/passwd`,
    '/ttyd/../terminal/',
    '//evil.example',
    '//evil.example/terminal/',
    '/terminal/%2e%2e/x',
    '/terminal/assets/',
    '/terminal/assets/../pages.test.ts.x',
    '/terminal/assets/..%2f..%2fpackage.json',
    '/terminal/assets/%2e%2e/package.json',
    '/terminal/assets/.hidden',
    '/terminal/%00',
    '/metrics.txt',
  ])('have nothing at %s', async (path) => {
    const answer = await ask(door.port, path, signedIn);
    expect([answer.status, answer.headers.location]).toEqual([404, undefined]);
  });

  it('refuse a path that is no text', async () => expect((await ask(door.port, '/terminal/%ff', signedIn)).status).toBe(400));

  it('say so to a person on a page, and to a program in JSON', async () => {
    const page = await ask(door.port, '/nowhere', { headers: { accept: 'text/html,*/*' } });
    expect([page.status, page.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    const json = await ask(door.port, '/nowhere');
    expect(JSON.parse(json.body)).toMatchObject({ error: { code: 'not_found' } });
  });

  it('have an icon in their tab, signed in or not', async () => {
    for (const path of ['/icon.svg', '/favicon.ico']) {
      const icon = await ask(door.port, path);
      expect([icon.status, icon.headers['content-type']]).toEqual([200, 'image/svg+xml; charset=utf-8']);
    }
    expect((await ask(door.port, '/sign-in')).body).toContain('<link rel="icon" href="/icon.svg"');
  });

  it('bring files that are named after their content, to be kept for good', async () => {
    const file = await ask(door.port, '/terminal/assets/pages.test.ts');
    expect([file.status, file.headers['cache-control'], file.headers['x-content-type-options']]).toEqual([200, 'public, max-age=31536000, immutable', 'nosniff']);
  });

  it('must be there when the gateway starts', async () => {
    await expect(readWebFiles('/nowhere')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
