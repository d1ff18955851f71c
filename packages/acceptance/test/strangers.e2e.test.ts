import { ApiClient, type Answer, type TerminalAddress } from '../src/api-client';
import { connectByLabelRoute } from '../src/routes-to-a-terminal';
import { SocketRefused, TerminalClient, type ConnectOptions } from '../src/terminal-client';
import { useLab } from './lab-fixture';

const ABSENT_ID = 'bbbbbbbbbbbbbbbbbbbbbbbbbb';

describe('somebody else', () => {
  const fixture = useLab();

  /** The status a socket is refused with; fails when it is opened. */
  async function refusalOf(address: TerminalAddress, options: ConnectOptions): Promise<number> {
    try {
      const terminal = await TerminalClient.connect(fixture.installation, address, options);
      terminal.close();
    } catch (error) {
      if (error instanceof SocketRefused) return error.status;
      throw error;
    }
    throw new Error('the socket was opened');
  }

  it("gets the same 404 for a session that is not theirs as for one that is not there, on every call", async () => {
    const owner = await fixture.signIn('owner');
    const stranger = await fixture.signIn('stranger');
    const { id } = await owner.create('private');
    const seen = (answer: Answer): string => JSON.stringify([answer.status, answer.body]).replaceAll(id, 'ID').replaceAll(ABSENT_ID, 'ID');
    const calls = [
      ['GET', '', {}],
      ['PATCH', '', { json: { name: 'stolen' } }],
      ['POST', '/open', { json: {} }],
      ['POST', '/hibernate', { json: {} }],
      ['DELETE', '', {}],
    ] as const;
    for (const [method, path, options] of calls) {
      const notTheirs = await stranger.api.send(method, `/api/sessions/${id}${path}`, options);
      const absent = await stranger.api.send(method, `/api/sessions/${ABSENT_ID}${path}`, options);
      expect(notTheirs.status).toBe(404);
      expect(seen(notTheirs)).toBe(seen(absent));
    }
    expect(await stranger.api.list()).toEqual([]);
    expect(stranger.events.sightingsOf(id)).toEqual([]);
    expect(await owner.api.get(id)).toMatchObject({ name: 'private', state: 'running' });
  });

  it('is refused at the socket, by the fallback and by the label route, even with the right ttyd token', async () => {
    const owner = await fixture.signIn('owner');
    const stranger = await fixture.signIn('stranger');
    const { id } = await owner.create();
    const { terminal: address } = await owner.api.open(id);
    if (!address) throw new Error('no terminal');
    const nobodyAndStranger = async (): Promise<void> => {
      expect([401, 403, 404]).toContain(await refusalOf(address, { token: stranger.token }));
      expect([401, 403]).toContain(await refusalOf(address, { token: null }));
      expect([401, 403]).toContain(await refusalOf(address, { token: null, headers: { 'X-Forwarded-User': owner.userId, X_Forwarded_User: owner.userId, Authorization: `Basic ${address.auth_token}` } }));
    };
    await nobodyAndStranger();
    // Again when Traefik knows the session itself.
    (await connectByLabelRoute(owner, id)).close();
    await nobodyAndStranger();
  });

  it("cannot act from a foreign page: a wrong Origin is refused on sockets and on every call that changes something (T5)", async () => {
    const owner = await fixture.signIn('owner');
    const { id } = await owner.create();
    const { terminal: address } = await owner.api.open(id);
    if (!address) throw new Error('no terminal');
    for (const origin of ['https://evil.example', 'null', `${fixture.installation.url.origin}.evil.example`, fixture.installation.url.origin.replace('https:', 'http:')]) {
      expect(await refusalOf(address, { token: owner.token, headers: { origin } })).toBe(403);
      for (const [method, path] of [['POST', `/api/sessions`], ['POST', `/api/sessions/${id}/hibernate`], ['DELETE', `/api/sessions/${id}`]] as const) {
        const answer = await owner.api.send(method, path, { headers: { origin }, ...(method === 'POST' ? { json: {} } : {}) });
        expect([method, path, answer.status]).toEqual([method, path, 403]);
      }
    }
    const own = await TerminalClient.connect(fixture.installation, address, { token: owner.token, headers: { origin: fixture.installation.url.origin } });
    own.close();
    expect(await owner.api.get(id)).toMatchObject({ state: 'running' });
  });

  it('is nobody without a token, with a spoilt one, or with a header that names a user (T8, T9)', async () => {
    const owner = await fixture.signIn('owner');
    const [head = '', body = '', signature = ''] = owner.token.split('.');
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
    const spoilt = [null, 'nonsense', `${head}.${body}.`, `${none}.${body}.`, `${none}.${body}.${signature}`, `${head}.${body}.${signature.slice(0, -2)}AA`];
    for (const token of spoilt) {
      const api = new ApiClient(fixture.installation, token);
      const answer = await api.send('GET', '/api/sessions', { headers: { 'X-Forwarded-User': owner.userId, 'X-Auth-User': owner.userId, Remote_User: owner.userId } });
      expect(answer.status).toBe(401);
      await api.close();
    }
  });
});
