import { terminalCredential } from '@vibe/identity';
import type { FrontDoor } from './front-door';
import { OURS, TERMINAL_KEY, ask, cookieOf, openFrontDoor, runningSession, socketOf, tokenOf } from './front-door';

describe("Traefik's question whether a terminal may be opened", () => {
  let door: FrontDoor;
  beforeAll(async () => void (door = await openFrontDoor()));
  afterAll(() => door.close());

  const session = runningSession({ gen: 3 });
  beforeEach(() => {
    door.sessions.records.clear();
    door.sessions.fault = undefined;
    door.sessions.areWhole = true;
    door.sessions.add(session);
  });

  const question = (headers: Record<string, string>, path = socketOf(session), method = 'GET') =>
    ask(door.port, '/auth/terminal', { headers: { 'x-forwarded-for': '1.2.3.4', 'x-forwarded-uri': path, 'x-forwarded-method': method, ...headers } });
  const asAda = { cookie: cookieOf('ada'), origin: OURS };

  it("is answered to the owner with the terminal's credential", async () => {
    const answer = await question(asAda);
    expect([answer.status, answer.headers.authorization, answer.body]).toEqual([200, terminalCredential(TERMINAL_KEY, session.id, 3).basic, '']);
    expect((await question({ authorization: `Bearer ${tokenOf('ada')}` })).status).toBe(200);
  });

  it.each([
    ['nobody', {}, 401],
    ['somebody who names the owner in a header', { origin: OURS, 'x-forwarded-user': 'ada', x_forwarded_user: 'ada' }, 401],
    ['somebody with a made-up cookie', { origin: OURS, cookie: '__Host-vibe=ada' }, 401],
    ["another site, with the owner's cookie", { cookie: cookieOf('ada'), origin: 'https://evil.example' }, 403],
    ['a sandboxed page', { cookie: cookieOf('ada'), origin: 'null' }, 403],
    ['a cookie without Origin', { cookie: cookieOf('ada') }, 403],
    ['another user', { cookie: cookieOf('eve'), origin: OURS }, 404],
    ['another user who claims to be the owner', { cookie: cookieOf('eve'), origin: OURS, 'x-forwarded-user': 'ada' }, 404],
  ])('is refused to %s', async (_who, headers, status) => {
    const answer = await question(headers);
    expect([answer.status, answer.headers.authorization]).toEqual([status, undefined]);
  });

  it.each(['creating', 'hibernating', 'hibernated', 'waking', 'failed', 'lost', 'deleting'])('is refused while the session is %s', async (state) => {
    door.sessions.add({ ...session, state: state as typeof session.state });
    expect((await question(asAda)).status).toBe(404);
  });

  it('is answered alike for a session that is absent, of another generation, or of another user', async () => {
    const theirs = door.sessions.add(runningSession({ user_id: 'eve' }));
    const answers = await Promise.all([question(asAda, socketOf(runningSession())), question(asAda, socketOf(session, 2)), question(asAda, socketOf(session, 4)), question(asAda, socketOf(theirs))]);
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(404);
  });

  const base = `/ttyd/${session.id}/g3`;
  it.each([
    `${base}/ws/`,
    `${base}/ws?arg=1`,
    `${base}/token`,
    `${base}/`,
    `${base}/../g3/ws`,
    `/x/..${base}/ws`,
    `/${base}/ws`,
    `${base}//ws`,
    `${base}/%77s`,
    `/ttyd%2f${session.id}/g3/ws`,
    `/ttyd/${session.id.toUpperCase()}/g3/ws`,
    `/ttyd/${session.id}/g03/ws`,
    `/ttyd/${session.id};x/g3/ws`,
    `/TTYD/${session.id}/g3/ws`,
    `https://vibe.localhost${base}/ws`,
    `/ttyd/${'a'.repeat(4_000)}/g3/ws`,
    '',
  ])('is refused for the path %.80s', async (path) => expect((await question(asAda, path)).status).toBe(404));

  it.each(['POST', 'HEAD', 'get', ''])('is refused for the method "%s"', async (method) => expect((await question(asAda, socketOf(session), method)).status).toBe(404));

  it('is refused without the headers that Traefik sets', async () => {
    expect((await ask(door.port, '/auth/terminal', { headers: asAda })).status).toBe(404);
  });

  it('is put off while the records are being rebuilt, or Redis is away', async () => {
    door.sessions.records.clear();
    door.sessions.areWhole = false;
    const rebuilding = await question(asAda);
    expect([rebuilding.status, rebuilding.headers['retry-after'], rebuilding.body]).toEqual([503, '5', expect.stringContaining('"rebuilding"')]);
    door.sessions.fault = new Error('Connection is closed.');
    const away = await question(asAda);
    expect([away.status, away.body]).toEqual([503, expect.stringContaining('"unavailable"')]);
  });
});
