import { ID, iso, NOW, sessionWith } from '../test/session-fixture';
import { ApiFailure } from './api-client';
import { advance, isLive, newVisit, RETRY_MS, socketWish, type Visit, type VisitInput } from './visit';

const asleep = sessionWith({ state: 'hibernated', generation: 1 });
const waking = sessionWith({ state: 'waking', generation: 2, state_since: iso(0) });
const awake = sessionWith({ state: 'running', generation: 2, state_since: iso(1_000) });
const freezing = sessionWith({ state: 'hibernating', generation: 2, state_since: iso(2_000) });
const terminal = { path: `/ttyd/${ID}/g2/ws`, authToken: 'token', generation: 2 };
const arrived = { type: 'arrived' } as const;
const left = { type: 'left' } as const;
const pressed = { type: 'pressed' } as const;
const ready: VisitInput = { type: 'ready', session: awake, terminal };
const noRoom: VisitInput = { type: 'refused', failure: new ApiFailure('no_capacity', 'every machine is full') };
const changed = (session: typeof awake): VisitInput => ({ type: 'changed', session });
const coming = (session: typeof awake): VisitInput => ({ type: 'coming', session });

/** Plays inputs one after the other; `opens` counts the calls of `open`. */
function play(inputs: readonly VisitInput[], from: Visit = newVisit, now = NOW): { visit: Visit; opens: number } {
  let visit = from;
  let opens = 0;
  for (const input of inputs) {
    const next = advance(visit, input, now);
    visit = next.visit;
    if (next.mustOpen) opens += 1;
  }
  return { visit, opens };
}

describe('a visit', () => {
  it('opens once when the page is loaded in front of the person', () => {
    expect(play([arrived]).opens).toBe(1);
    expect(play([arrived, changed(asleep), coming(waking), changed(waking)]).opens).toBe(1);
  });

  it('opens nothing while the page was never seen, whatever happens', () => {
    const { visit, opens } = play([changed(asleep), changed(waking), changed(awake), changed(freezing), { type: 'retry_due' }]);
    expect(opens).toBe(0);
    expect(isLive(visit)).toBe(false);
  });

  it('tells of every return to a running terminal, and keeps the terminal', () => {
    const { visit, opens } = play([arrived, ready, left, arrived]);
    expect(opens).toBe(2);
    expect(isLive(visit)).toBe(true);
  });

  it('does not ask twice while one answer is awaited', () => {
    expect(play([arrived, pressed, pressed, arrived]).opens).toBe(1);
  });

  it('fetches the terminal when the wake it asked for is done', () => {
    const { visit, opens } = play([arrived, coming(waking), changed(awake), ready]);
    expect(opens).toBe(2);
    expect(isLive(visit)).toBe(true);
  });

  it('waits for the person when the wake is done unseen', () => {
    const hidden = play([arrived, coming(waking), left, changed(awake)]);
    expect(hidden.opens).toBe(1);
    expect(play([arrived], hidden.visit).opens).toBe(1);
  });

  it('does not follow a session that somebody else woke, until a key is pressed', () => {
    const before = play([arrived, ready, changed({ ...asleep, generation: 2 })]).visit;
    const woken = play([changed({ ...awake, generation: 3 })], before);
    expect(woken.opens).toBe(0);
    expect(socketWish(woken.visit)).toBe('drop');
    expect(play([pressed], woken.visit).opens).toBe(1);
  });

  it('leaves a session asleep that fell asleep under the eyes of the person', () => {
    const { visit, opens } = play([arrived, ready, changed(freezing), changed({ ...asleep, generation: 2 }), { type: 'retry_due' }]);
    expect(opens).toBe(1);
    expect(visit.retryAt).toBeNull();
    expect(play([pressed], visit).opens).toBe(1);
  });

  it('takes a key as a wish to stay awake, and goes on with the same shell when the sleep was stopped', () => {
    const frozen = play([arrived, ready, changed(freezing)]).visit;
    expect(socketWish(frozen)).toBe('hold');
    const { visit, opens } = play([pressed, changed({ ...awake, state_since: iso(3_000) })], frozen);
    expect(opens).toBe(1);
    expect(isLive(visit)).toBe(true);
  });

  it('ignores keys for the page while a terminal is there, and while the wake is under way', () => {
    expect(play([arrived, ready, pressed, pressed]).opens).toBe(1);
    expect(play([arrived, coming(waking), pressed, pressed]).opens).toBe(1);
  });

  it('does not bring back by itself what the person put to sleep', () => {
    const { opens } = play([arrived, ready, { type: 'put_to_sleep', session: freezing }, changed(freezing), changed({ ...asleep, generation: 2 })]);
    expect(opens).toBe(1);
  });
});

describe('a wake that fails', () => {
  it('is tried again after 5, 10, 20 … s, and not before the time the service named', () => {
    let { visit } = play([arrived, noRoom]);
    expect(visit.retryAt).toBe(NOW + 5_000);
    visit = play([{ type: 'retry_due' }, noRoom], visit, NOW + 5_000).visit;
    expect(visit.retryAt).toBe(NOW + 15_000);
    const late: VisitInput = { type: 'refused', failure: new ApiFailure('no_capacity', 'full', 60_000) };
    visit = play([{ type: 'retry_due' }, late], visit, NOW + 15_000).visit;
    expect(visit.retryAt).toBe(NOW + 75_000);
  });

  it('is tried again when the session fell back asleep, at the time it names', () => {
    const { visit } = play([arrived, coming(waking), changed(waking), changed({ ...asleep, generation: 2, reason: 'no image', retry_after: iso(9_000) })]);
    expect(visit.retryAt).toBe(NOW + 9_000);
    expect(play([{ type: 'retry_due' }], visit, NOW + 9_000).opens).toBe(1);
  });

  it('is not tried again when the service itself starts it anew', () => {
    const { visit } = play([arrived, coming(waking), changed({ ...asleep, generation: 2 }), changed({ ...waking, generation: 3 })]);
    expect(visit.retryAt).toBeNull();
  });

  it('is never tried again while nobody looks, and at once when the person returns', () => {
    const { visit } = play([arrived, noRoom, left]);
    expect(play([{ type: 'retry_due' }], visit, NOW + 60_000).opens).toBe(0);
    expect(play([arrived], visit, NOW + 60_000).opens).toBe(1);
  });

  it('is given up after a while, until a key is pressed', () => {
    let visit = play([arrived]).visit;
    for (let n = 0; n < RETRY_MS.length; n += 1) {
      visit = play([noRoom], visit).visit;
      const due = visit.retryAt ?? NaN;
      visit = play([{ type: 'retry_due' }], visit, due).visit;
      expect(visit.isAsking).toBe(true);
    }
    visit = play([noRoom], visit).visit;
    expect(visit).toMatchObject({ retryAt: null, isWanted: false });
    expect(play([pressed], visit).opens).toBe(1);
  });

  it('is not repeated when the answer can never be another one', () => {
    const { visit } = play([arrived, { type: 'refused', failure: new ApiFailure('gone', 'its machine died') }]);
    expect(visit).toMatchObject({ retryAt: null, isWanted: false });
  });
});

describe('the end', () => {
  it('comes with a session that is not there, and nothing is opened after it', () => {
    const { visit } = play([arrived, { type: 'refused', failure: new ApiFailure('not_found', 'no such session') }]);
    expect(visit.end).toBe('gone');
    expect(play([pressed, left, arrived], visit).opens).toBe(0);
  });

  it('comes with the removal of the session and with signing out', () => {
    expect(play([arrived, ready, { type: 'removed' }]).visit.end).toBe('gone');
    const out = play([arrived, ready, { type: 'signed_out' }]).visit;
    expect(out.end).toBe('signed_out');
    expect(socketWish(out)).toBe('drop');
  });

  it('is taken back when the session is on the list again', () => {
    expect(play([arrived, ready, { type: 'removed' }, changed(awake)]).visit.end).toBeNull();
  });

  it('opens nothing that is known to be lost', () => {
    const lost = play([changed(sessionWith({ state: 'lost' }))]).visit;
    expect(play([arrived, pressed], lost).opens).toBe(0);
  });
});

it('an answer that arrives after a later event does not turn time back', () => {
  const { visit } = play([arrived, changed(awake), coming(waking)]);
  expect(visit.session?.state).toBe('running');
  expect(visit.retryAt).not.toBeNull();
});
