import { isLegalMove, sessionStates, stateTable } from './session-states';

describe('the table of states', () => {
  it('leads from every state to deletion', () => {
    for (const state of sessionStates) {
      const seen = new Set([state]);
      for (const from of seen) for (const to of stateTable[from].next) seen.add(to);
      expect(seen).toContain('deleting');
    }
  });

  it('gives every working state a deadline', () => {
    for (const state of sessionStates) if (stateTable[state].isWork) expect(stateTable[state].deadlineMs).toBeGreaterThan(0);
  });

  it('lets a deadline only make legal moves', () => {
    for (const state of sessionStates) {
      const to = stateTable[state].onDeadline;
      if (to !== null) expect(isLegalMove(state, to)).toBe(true);
    }
  });

  it('never leads back from lost or failed to a session with data', () => {
    expect(stateTable.lost.next).toEqual(['deleting']);
    expect(stateTable.failed.next).toEqual(['deleting']);
  });

  it('has one way into hibernated from a container: the commit point', () => {
    expect(sessionStates.filter((from) => isLegalMove(from, 'hibernated'))).toEqual(['hibernating', 'waking']);
  });
});
