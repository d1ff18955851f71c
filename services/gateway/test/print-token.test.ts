import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTokens } from '@vibe/identity';
import { printToken } from '../src/print-token';

describe('the command that prints a token', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vibe-token-'));
  const env = { AUTH_KEY_FILE: join(folder, 'key') };
  const tokens = createTokens({ key: 'k'.repeat(64) });
  beforeAll(() => writeFileSync(env.AUTH_KEY_FILE, 'k'.repeat(64)));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('prints one for a user, good for a day', () => {
    expect(tokens.verify(printToken(['ada'], env))).toMatchObject({ userId: 'ada', roles: [] });
    expect(tokens.verify(printToken(['ada'], env))?.leftS).toBeGreaterThan(86_000);
  });

  it('prints one for an administrator, or for longer, when told to', () => {
    expect(tokens.verify(printToken(['--admin', 'root', '--hours', '48'], env))).toMatchObject({ userId: 'root', roles: ['admin'] });
    expect(tokens.verify(printToken(['root', '--hours=48'], env))?.leftS).toBeGreaterThan(172_000);
  });

  it.each([
    [[], 'usage: token USER'],
    [['ada', 'bob'], 'usage: token USER'],
    [['a b'], '"a b": a user id has'],
    [['ada', '--root'], "Unknown option '--root'"],
    [['ada', '--hours', '0'], '--hours must be a whole number from 1 to 720'],
    [['ada', '--hours', 'x'], '--hours must be a whole number'],
  ])('refuses %j with one clear sentence', (args, sentence) => {
    expect(() => printToken(args, env)).toThrow(sentence);
  });

  it('says so when there is no key', () => {
    expect(() => printToken(['ada'], { AUTH_KEY_FILE: join(folder, 'none') })).toThrow('AUTH_KEY_FILE: cannot read the file');
  });
});
