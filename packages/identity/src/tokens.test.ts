import { createHmac, generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { createTokens } from './tokens';

const key = 'a'.repeat(64);
const now = 1_800_000_000;
const tokens = createTokens({ key, nowS: () => now });
const good = tokens.sign({ userId: 'ada', roles: ['admin'] }, 60);
const goodHeader = jwt.decode(good, { complete: true })?.header as jwt.JwtHeader;
const goodClaims = jwt.decode(good) as jwt.JwtPayload;

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A token as an attacker, or a careless version of ours, might make it: well signed, with some parts changed. */
function forge(changes: { header?: object; claims?: object; key?: string }): string {
  const body = `${encode({ ...goodHeader, ...changes.header })}.${encode({ ...goodClaims, ...changes.claims })}`;
  return `${body}.${createHmac('sha256', changes.key ?? key).update(body).digest('base64url')}`;
}

describe('a token', () => {
  it('says whose it is and what they may', () => {
    expect(tokens.verify(good)).toEqual({ userId: 'ada', roles: ['admin'], leftS: 60 });
    expect(tokens.verify(tokens.sign({ userId: 'bob@example.org', roles: [] }, 60))).toEqual({ userId: 'bob@example.org', roles: [], leftS: 60 });
    expect(tokens.verify(forge({}))).toEqual({ userId: 'ada', roles: ['admin'], leftS: 60 });
  });

  it('is refused once it has expired', () => {
    const at = (nowS: number) => createTokens({ key, nowS: () => nowS }).verify(good);
    expect(at(now + 59)).not.toBeNull();
    expect(at(now + 66)).toBeNull();
  });

  it.each([
    ['not yet valid', { claims: { nbf: now + 60 } }],
    ['without an end', { claims: { exp: undefined } }],
    ['without a beginning', { claims: { nbf: undefined } }],
    ['from another issuer', { claims: { iss: 'other' } }],
    ['for another audience', { claims: { aud: 'other' } }],
    ['for several audiences', { claims: { aud: ['vibeswarm', 'other'] } }],
    ['without a subject', { claims: { sub: undefined } }],
    ['whose subject is no user id', { claims: { sub: 'a:b*' } }],
    ['that names no key', { header: { kid: undefined } }],
    ['that names a foreign key', { header: { kid: '0123456789abcdef' } }],
    ['that names a property of every object', { header: { kid: '__proto__' } }],
    ['signed with another key', { key: 'b'.repeat(64) }],
    ['that claims HS512', { header: { alg: 'HS512' } }],
    ['that claims RS256', { header: { alg: 'RS256' } }],
    ['that claims no signature', { header: { alg: 'none' } }],
  ])('%s is refused', (_what, changes) => {
    expect(tokens.verify(forge(changes))).toBeNull();
  });

  it('without a signature is refused, whatever it claims', () => {
    for (const alg of ['none', 'None', 'NONE', 'HS256']) expect(tokens.verify(`${encode({ ...goodHeader, alg })}.${encode(goodClaims)}.`)).toBeNull();
  });

  it('that is really signed with RS256 or HS512 is refused', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(tokens.verify(jwt.sign(goodClaims, privateKey, { algorithm: 'RS256', keyid: goodHeader.kid ?? '' }))).toBeNull();
    expect(tokens.verify(jwt.sign(goodClaims, key, { algorithm: 'HS512', keyid: goodHeader.kid ?? '' }))).toBeNull();
  });

  it('changed in any one character of its claims or signature is refused', () => {
    const [header, claims, signature] = good.split('.') as [string, string, string];
    const swap = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
    for (let at = 0; at < claims.length; at += 7) expect(tokens.verify([header, swap(claims, at), signature].join('.'))).toBeNull();
    for (let at = 0; at < signature.length - 1; at += 7) expect(tokens.verify([header, claims, swap(signature, at)].join('.'))).toBeNull();
  });

  it.each(['', '.', '..', 'x.y.z', 'null', `${'a'.repeat(5_000)}.b.c`, '{}', good.slice(0, -1).slice(0, 40)])('that is none is refused: %.30s', (text) => {
    expect(tokens.verify(text)).toBeNull();
  });

  it('gives nothing for a role that nobody knows', () => {
    expect(tokens.verify(forge({ claims: { roles: ['root', 'admin '] } }))).toEqual({ userId: 'ada', roles: [], leftS: 60 });
  });

  it('is not made for a name that is no user id', () => {
    for (const userId of ['', 'a b', '../x', 'a'.repeat(65), 'a:b', '-a']) expect(() => tokens.sign({ userId, roles: [] }, 60)).toThrow(expect.objectContaining({ code: 'bad_request' }) as Error);
  });

  it('stays good while the key is being changed, until the old one is taken away', () => {
    const newKey = 'c'.repeat(64);
    const during = createTokens({ key: `${newKey}\n${key}\n`, nowS: () => now });
    expect(during.verify(good)).not.toBeNull();
    const after = createTokens({ key: newKey, nowS: () => now });
    expect(after.verify(good)).toBeNull();
    expect(after.verify(during.sign({ userId: 'ada', roles: [] }, 60))).not.toBeNull();
  });

  it('is not signed with a key that can be guessed', () => {
    expect(() => createTokens({ key: 'short' })).toThrow('at least 32');
    expect(() => createTokens({ key: ' \n' })).toThrow('at least 32');
  });
});
