import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSettings } from '@vibe/platform';
import { z } from 'zod';
import { applyAuthRules, authSettings } from './auth-settings';
import { isLocalHost, originOf } from './public-host';

describe('the way to sign in', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vibe-auth-'));
  const keyFile = join(folder, 'key');
  const schema = z.object(authSettings).transform(applyAuthRules);
  const modeOf = (env: Record<string, string>) => parseSettings(schema, { AUTH_KEY_FILE: keyFile, ...env }).AUTH_MODE;
  beforeAll(() => writeFileSync(keyFile, 'a'.repeat(64)));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is dev on a local host and token elsewhere, when nothing is set', () => {
    expect(modeOf({})).toBe('dev');
    expect(modeOf({ VIBE_PUBLIC_HOST: 'localhost:8443' })).toBe('dev');
    expect(modeOf({ VIBE_PUBLIC_HOST: 'vibe.example.org' })).toBe('token');
    expect(modeOf({ AUTH_MODE: 'token' })).toBe('token');
  });

  it.each(['vibe.example.org', '10.0.0.5', '0.0.0.0', 'localhost.example.org', 'notlocalhost', '128.0.0.1', '127.0.0.1.example.org', '[::]', '[2001:db8::1]', 'localhost@evil.com', 'manager'])(
    'is never dev on %s',
    (host) => expect(() => modeOf({ AUTH_MODE: 'dev', VIBE_PUBLIC_HOST: host })).toThrow(/AUTH_MODE: dev lets anybody in|VIBE_PUBLIC_HOST: must be host/),
  );

  it.each(['https://localhost', 'localhost/', 'local host', 'localhost:99999', 'user@localhost', 'localhost?x', 'localhost#x', 'localhost\\x'])('needs a public host, not %s', (host) => {
    expect(() => modeOf({ VIBE_PUBLIC_HOST: host })).toThrow('VIBE_PUBLIC_HOST: must be host or host:port');
  });

  it('needs a key', () => {
    expect(() => modeOf({ AUTH_KEY_FILE: join(folder, 'none') })).toThrow('AUTH_KEY_FILE: cannot read');
    writeFileSync(join(folder, 'short'), 'abc');
    expect(() => modeOf({ AUTH_KEY_FILE: join(folder, 'short') })).toThrow('AUTH_KEY_FILE: the key has at least 32 characters');
  });
});

describe('the public host', () => {
  it.each(['localhost', 'LOCALHOST:443', 'a.localhost', '127.0.0.1', '127.1.2.3:8443', '[::1]:8443'])('%s is this machine alone', (host) => expect(isLocalHost(host)).toBe(true));

  it('gives the Origin as browsers write it', () => {
    expect([originOf('Vibe.Example.org:443'), originOf('localhost:8443'), originOf('[::1]')]).toEqual(['https://vibe.example.org', 'https://localhost:8443', 'https://[::1]']);
  });
});
