import { SIGN_IN_COOKIE, signInCookie, signOutCookie } from './cookies';
import { createDoorkeeper } from './doorkeeper';
import { createTokens } from './tokens';

const tokens = createTokens({ key: 'k'.repeat(64) });
const doorkeeper = createDoorkeeper({ tokens, publicHost: 'vibe.example.org' });
const token = tokens.sign({ userId: 'ada', roles: [] }, 60);
const adminToken = tokens.sign({ userId: 'root', roles: ['admin'] }, 60);
const cookie = `other=1; ${SIGN_IN_COOKIE}=${token}`;
const bearer = `Bearer ${adminToken}`;
const ours = 'https://vibe.example.org';

describe('the doorkeeper', () => {
  it('knows a person by cookie or bearer token', async () => {
    expect(await doorkeeper.identify({ cookie })).toEqual({ userId: 'ada', isAdmin: false, via: 'cookie' });
    expect(await doorkeeper.identify({ authorization: bearer })).toEqual({ userId: 'root', isAdmin: true, via: 'bearer' });
    expect(await doorkeeper.identify({ authorization: bearer.replace('Bearer', 'bearer'), cookie })).toMatchObject({ userId: 'root', via: 'bearer' });
  });

  it.each([
    ['nothing', {}],
    ['X-Forwarded-User', { 'x-forwarded-user': 'ada' }],
    ['its other spellings', { x_forwarded_user: 'ada', 'x-auth-user': 'ada', 'remote-user': 'ada', 'x-vibe-user': 'ada' }],
    ['Basic', { authorization: `Basic ${Buffer.from('ada:x').toString('base64')}` }],
    ['a name for a cookie', { cookie: `${SIGN_IN_COOKIE}=ada` }],
    ['a cookie without the prefix', { cookie: `vibe=${token}; __host-vibe=${token}` }],
    ['a token in another header', { 'x-authorization': `Bearer ${token}`, 'proxy-authorization': `Bearer ${token}` }],
  ])('knows nobody by %s', async (_what, headers) => {
    expect(await doorkeeper.identify(headers)).toBeNull();
    await expect(doorkeeper.admit(headers)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('does not change its mind for a header that names somebody else', async () => {
    expect(await doorkeeper.identify({ cookie, 'x-forwarded-user': 'root', x_forwarded_user: 'root', connection: 'cookie, x-forwarded-user' })).toMatchObject({ userId: 'ada' });
  });

  it('does not let a cookie make a wrong bearer token good', async () => {
    expect(await doorkeeper.identify({ cookie, authorization: 'Bearer wrong' })).toBeNull();
  });

  it('keeps to the cookie when the browser sends Basic beside it', async () => {
    expect(await doorkeeper.identify({ cookie, authorization: 'Basic eDp5' })).toMatchObject({ userId: 'ada' });
  });

  it('lets our own pages change things, and scripts with a token', async () => {
    await expect(doorkeeper.admitFromOurPages({ cookie, origin: ours })).resolves.toMatchObject({ userId: 'ada' });
    await expect(doorkeeper.admitFromOurPages({ authorization: bearer })).resolves.toMatchObject({ userId: 'root' });
    await expect(doorkeeper.admitFromOurPages({ authorization: bearer, origin: ours })).resolves.toMatchObject({ userId: 'root' });
  });

  it.each([
    undefined,
    'null',
    '',
    'http://vibe.example.org',
    'https://vibe.example.org:444',
    'https://vibe.example.org/',
    'https://VIBE.example.org',
    'https://vibe.example.org.evil.com',
    'https://evil-vibe.example.org',
    'https://sub.vibe.example.org',
    'https://vibe.example.org, https://evil.com',
    ['https://vibe.example.org', 'https://evil.com'],
  ])('lets a cookie change nothing from the Origin %p', async (origin) => {
    await expect(doorkeeper.admitFromOurPages({ cookie, ...(origin === undefined ? {} : { origin }) })).rejects.toMatchObject({ code: 'forbidden_origin' });
    expect(() => doorkeeper.requireOurOrigin(origin === undefined ? {} : { origin })).toThrow(expect.objectContaining({ code: 'forbidden_origin' }) as Error);
  });

  it('refuses a foreign Origin for a bearer token too', async () => {
    for (const origin of ['null', 'https://evil.com']) await expect(doorkeeper.admitFromOurPages({ authorization: bearer, origin })).rejects.toMatchObject({ code: 'forbidden_origin' });
  });

  it('asks who somebody is before where they come from', async () => {
    await expect(doorkeeper.admitFromOurPages({ origin: 'https://evil.com' })).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe('the sign-in cookie', () => {
  it('stays with our origin, away from scripts and plain HTTP', () => {
    expect(signInCookie('abc', 60)).toBe('__Host-vibe=abc; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax');
  });

  it('is taken back when one signs out', () => {
    expect(signOutCookie()).toBe('__Host-vibe=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax');
  });
});
