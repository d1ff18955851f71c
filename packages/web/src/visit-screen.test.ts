import { iso, NOW, sessionWith } from '../test/session-fixture';
import { ApiFailure } from './api-client';
import type { SocketStatus } from './ttyd-client';
import { newVisit, type Visit } from './visit';
import { screenOf, type Screen } from './visit-screen';

const terminal = { path: '/ttyd/a/g2/ws', authToken: 't', generation: 2 };
const live: Visit = { ...newVisit, isVisible: true, session: sessionWith(), terminal };

function see(visit: Visit, socket: SocketStatus = { kind: 'closed' }): Extract<Screen, { kind: 'card' }> | null {
  const screen = screenOf({ visit, socket, trail: null, now: NOW });
  return screen.kind === 'card' ? screen : null;
}

it('nothing lies over a terminal that can be typed in', () => {
  expect(see(live, { kind: 'open' })).toBeNull();
});

it('a broken connection says that keys do not arrive, over the last picture', () => {
  const card = see(live, { kind: 'waiting', attempt: 2, until: NOW + 1_500 });
  expect(card).toMatchObject({ name: 'reconnecting', isGlass: true });
  expect(card?.lines.join(' ')).toContain('Nothing typed now reaches it. Trying again in 2 s.');
  expect(see(live, { kind: 'connecting', attempt: 0 })).toMatchObject({ name: 'connecting' });
});

it('a session that falls asleep says why and how to stop it', () => {
  const session = sessionWith({ state: 'hibernating', hibernate_reason: 'idle' });
  expect(see({ ...live, session })).toMatchObject({ name: 'sleeping', lines: ['Because nobody used it.'], hint: 'Press a key or click to stay awake', isGlass: true });
  expect(see({ ...live, session, isAsking: true })).toMatchObject({ name: 'sleeping', title: 'Staying awake', hint: '' });
});

it('a session whose machine stopped it offers no staying awake, and says when it opens', () => {
  const session = sessionWith({ state: 'hibernating', hibernate_reason: 'ended', reason: 'all of it is being saved' });
  expect(see({ ...live, session })).toMatchObject({ name: 'sleeping', title: 'Being saved', lines: ['All of it is being saved.'], hint: 'Press a key or click to open it as soon as that is done' });
  expect(see({ ...live, session, isWanted: true })).toMatchObject({ title: 'Being saved', hint: 'It opens again by itself as soon as that is done' });
});

it('a sleeping session says since when, what is stored, when it goes, and how to wake it', () => {
  const session = sessionWith({ state: 'hibernated', snapshot_bytes: 2_000_000, hibernate_reason: 'idle', expires_at: iso(86_400_000) });
  const card = see({ ...newVisit, session });
  expect(card).toMatchObject({ name: 'asleep', hint: 'Press a key or click to wake it' });
  expect(card?.lines.join(' ')).toMatch(/^Since .+, because nobody used it\. 2\.0 MB are stored\. Deleted in 1 day \(.+\) unless opened\.$/u);
});

it('a wake that is between two machines still is a wake', () => {
  const session = sessionWith({ state: 'hibernated' });
  expect(see({ ...newVisit, session, isWanted: true, retryAt: NOW + 5_000 })).toMatchObject({ name: 'waking' });
  expect(see({ ...newVisit, session: { ...session, reason: 'no image' }, isWanted: true, retryAt: NOW + 4_100 })).toMatchObject({ name: 'retrying', lines: ['No image.', 'Trying again in 5 s, while you look at this page.'] });
});

it('a wake of which something may be missing says so, and does not promise that all is as it was left', () => {
  const session = sessionWith({ state: 'waking', may_lack: 'what was done here may be missing' });
  const lines = see({ ...newVisit, session })?.lines.join(' ');
  expect(lines).toContain('What was done here may be missing.');
  expect(lines).not.toContain('as you left them');
  expect(see({ ...newVisit, session: sessionWith({ state: 'waking' }) })?.lines.join(' ')).toContain('as you left them');
  for (const isWanted of [false, true]) expect(see({ ...newVisit, isWanted, session: { ...session, state: 'hibernated' } })?.lines).toContain('What was done here may be missing.');
});

it('a session that somebody else woke waits for a key', () => {
  expect(see({ ...live, terminal: { ...terminal, generation: 1 } })).toMatchObject({ name: 'elsewhere', hint: 'Press a key or click to go on here' });
});

it('an answer that no repeat can change is shown as it is', () => {
  expect(see({ ...newVisit, failure: new ApiFailure('gone', 'its machine died') })).toMatchObject({ name: 'refused', lines: ['Its machine died.'] });
});

it.each([['lost', 'Its data is gone and cannot be brought back.'], ['failed', 'It never held any data. Delete it and start a new one.'], ['deleting', 'Its data is erased from every machine. This cannot be stopped.']] as const)('a session that is %s says so plainly', (state, words) => {
  const card = see({ ...newVisit, session: sessionWith({ state }) });
  expect(card).toMatchObject({ name: state, way: 'sessions', hint: '' });
  expect(card?.lines).toContain(words);
});

it('a session that is gone, and a person who is signed out, are shown the way', () => {
  expect(see({ ...live, end: 'gone' })).toMatchObject({ name: 'gone', way: 'sessions' });
  expect(see({ ...live, end: 'signed_out' })).toMatchObject({ name: 'signed_out', way: 'sign_in' });
});
