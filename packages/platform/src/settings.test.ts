import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { SettingsError, choiceSetting, listSetting, maybeEmptySetting, numberSetting, parseSettings, secretFileSetting, serviceSettings, textSetting } from './settings';

const schema = z.object({
  ...serviceSettings,
  IDLE_TIMEOUT_MINUTES: numberSetting({ default: 120, min: 0.01 }),
  AUTH_MODE: choiceSetting(['dev', 'token']),
  HOST: textSetting({ default: 'localhost', pattern: /^[a-z]+$/, wanted: 'must be a host name' }),
  CONSTRAINT: maybeEmptySetting('node.role==worker'),
  ALLOW: listSetting({ pattern: /^\d+\/\d+$/, wanted: 'must be N/N' }),
});

/** The problems that parsing names. */
function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseSettings(schema, env);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
  }
  throw new Error('the settings were taken');
}

describe('settings', () => {
  it('take their defaults when absent or empty', () => {
    const expected = { PORT: 3000, LOG_LEVEL: 'info', VIBE_FAILPOINTS: '', IDLE_TIMEOUT_MINUTES: 120, AUTH_MODE: 'dev', HOST: 'localhost', CONSTRAINT: 'node.role==worker', ALLOW: [] };
    expect(parseSettings(schema, { AUTH_MODE: 'dev' })).toEqual(expected);
    expect(parseSettings(schema, { AUTH_MODE: 'dev', PORT: '', LOG_LEVEL: '', IDLE_TIMEOUT_MINUTES: '', HOST: '', ALLOW: '' })).toEqual(expected);
  });

  it('keep an empty value where empty means something', () => {
    expect(parseSettings(schema, { AUTH_MODE: 'dev', CONSTRAINT: '' }).CONSTRAINT).toBe('');
  });

  it('take fractions, lists and whole numbers', () => {
    const settings = parseSettings(schema, { AUTH_MODE: 'token', IDLE_TIMEOUT_MINUTES: '0.5', PORT: '80', ALLOW: '1/2, 3/4,' });
    expect(settings).toMatchObject({ IDLE_TIMEOUT_MINUTES: 0.5, PORT: 80, ALLOW: ['1/2', '3/4'] });
  });

  it('are refused with every problem named, not only the first', () => {
    const problems = problemsOf({ PORT: '3000x', IDLE_TIMEOUT_MINUTES: '-1', HOST: 'a b', ALLOW: '1/2,zzz' });
    expect(problems).toEqual([
      'PORT: must be a whole number from 0 to 65535',
      'IDLE_TIMEOUT_MINUTES: must be a number from 0.01',
      'AUTH_MODE: must be one of dev, token',
      'HOST: must be a host name',
      'ALLOW.1: must be N/N',
    ]);
  });

  it.each(['NaN', 'Infinity', '0x10', '1e3', ' ', '12,5'])('refuse the number %s', (text) => {
    expect(problemsOf({ AUTH_MODE: 'dev', IDLE_TIMEOUT_MINUTES: text })).toHaveLength(1);
  });

  it('read a secret from the file they name, and say when they cannot, without its content', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vibe-settings-'));
    try {
      writeFileSync(join(folder, 'key'), 'top-secret\n');
      writeFileSync(join(folder, 'empty'), '\n');
      const secrets = z.object({ A: secretFileSetting(join(folder, 'key')), B: secretFileSetting('/unused') });
      expect(parseSettings(secrets, { B: join(folder, 'key') })).toEqual({ A: 'top-secret', B: 'top-secret' });
      expect(() => parseSettings(secrets, { A: join(folder, 'empty'), B: join(folder, 'none') })).toThrow(/A: the file .*empty is empty\n {2}B: cannot read the file .*none \(ENOENT\)/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
