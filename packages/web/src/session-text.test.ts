import { iso, NOW, sessionWith } from '../test/session-fixture';
import { sessionLines, useWords } from './session-text';

const DAY_MS = 86_400_000;
const lines = (fields: Parameters<typeof sessionWith>[0]): string => sessionLines(sessionWith(fields), NOW).join(' ');

it('says why a session counts as used, and when it will sleep', () => {
  expect(lines({})).toMatch(/^In use: last key 3 min ago\. Sleeps in 1 h 57 min \(.+\) if not used\.$/u);
  expect(lines({ idle: { is_idle: false, reason: 'cpu' } })).toContain('a program worked 3 min ago');
  expect(lines({ idle: { is_idle: false, reason: 'opened' }, last_activity: iso(0) })).toContain('opened just now');
  expect(lines({ idle: { is_idle: false, reason: 'unmeasured' } })).toContain('could not be measured');
  expect(lines({ idle: { is_idle: true, reason: 'quiet' } })).toContain('Idle: nothing typed and no program busy for 3 min.');
  expect(lines({ sleeps_at: iso(-1) })).toContain('Due to sleep now.');
  expect(useWords(sessionWith({ idle: { is_idle: false, reason: 'not_running' } }), NOW)).toBe('');
});

it('says since when a session sleeps, how large it is and when it will be deleted', () => {
  expect(lines({ state: 'hibernated', snapshot_bytes: 148_400_000, expires_at: iso(6.9 * DAY_MS) })).toMatch(/^Asleep since .+, 148 MB stored\. Deleted in 6 days 21 h \(.+\) unless opened\.$/u);
});

it('passes the service’s reasons on as sentences', () => {
  expect(lines({ state: 'hibernated', reason: 'it could not be started: no image' })).toContain('It could not be started: no image.');
  expect(lines({ reason: 'It could not be put to sleep.', retry_after: iso(40_000) })).toContain('It could not be put to sleep. Next try in 40 s.');
});

it.each(['hibernated', 'waking', 'running', 'hibernating'] as const)('says what may be missing in a session that is %s', (state) => {
  expect(lines({ state, may_lack: 'what was done here may be missing' })).toContain('What was done here may be missing.');
});

it('never lets anybody hope for lost data', () => {
  expect(lines({ state: 'lost', reason: 'its machine died' })).toContain('Its machine died. Its data is gone and cannot be brought back.');
  expect(lines({ state: 'failed', reason: null })).toContain('It never held any data.');
});

it('says what is under way and how long it has been', () => {
  const since = { state_since: iso(-9_000) };
  expect(lines({ ...since, state: 'waking', step: 'asked' })).toBe('Finding a machine with room … 9 s');
  expect(lines({ ...since, state: 'creating' })).toBe('Under way … 9 s');
  expect(lines({ ...since, state: 'hibernating', step: 'pushing', hibernate_reason: 'idle' })).toBe('Storing the snapshot … 9 s It sleeps because nobody used it. Opening it now keeps it awake.');
  expect(lines({ ...since, state: 'hibernating', step: 'queued', hibernate_reason: 'ended', reason: 'its machine stopped it' })).toBe('Waiting in line … 9 s Its machine stopped it.');
});
