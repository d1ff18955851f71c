import { sessionStates } from '@vibe/contracts/session-states';
import { iso, sessionWith } from '../test/session-fixture';
import { placesTaken, withAnswer, withoutSession, withSession } from './session-list';

const first = sessionWith({ id: 'a', created_at: iso(-2_000) });
const second = sessionWith({ id: 'b', created_at: iso(-1_000) });

it('keeps the oldest first, whatever comes in which order', () => {
  const list = withSession(withSession([], second), first);
  expect(list.map((one) => one.id)).toEqual(['a', 'b']);
  expect(withSession(list, { ...first, name: 'other' }).map((one) => one.name)).toEqual(['other', second.name]);
  expect(withoutSession(list, 'a').map((one) => one.id)).toEqual(['b']);
});

it('leaves an answer aside that is older than what is known', () => {
  const known = sessionWith({ generation: 2, state_since: iso(0) });
  expect(withAnswer(null, known)).toBe(known);
  expect(withAnswer(known, sessionWith({ generation: 1, state_since: iso(5) }))).toBe(known);
  expect(withAnswer(known, sessionWith({ generation: 2, state_since: iso(-5) }))).toBe(known);
  expect(withAnswer(known, sessionWith({ generation: 2, state_since: iso(0), name: 'other' })).name).toBe('other');
  expect(withAnswer(known, sessionWith({ generation: 3, state_since: iso(-5) })).generation).toBe(3);
});

it('counts the places that sessions take up', () => {
  expect(placesTaken(sessionStates.map((state) => sessionWith({ id: state, state })))).toBe(5);
});
