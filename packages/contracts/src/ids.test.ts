import { newAttempt, newSessionId, parseSnapshotTag, parseTerminalSocket, sessionIdSchema, sessionOfRepository, snapshotTagOf, terminalSocketOf } from './ids';

describe('ids', () => {
  it('are 26 characters of the closed alphabet, never twice the same', () => {
    const ids = new Set(Array.from({ length: 1_000 }, newSessionId));
    expect(ids.size).toBe(1_000);
    for (const id of ids) expect(sessionIdSchema.safeParse(id).success).toBe(true);
  });

  it('come back from the tag and the path they were put in', () => {
    const id = newSessionId();
    const attempt = newAttempt();
    expect(parseSnapshotTag(snapshotTagOf(3, 17, attempt))).toEqual({ gen: 3, rev: 17, attempt });
    expect(parseTerminalSocket(terminalSocketOf(id, 4))).toEqual({ id, gen: 4 });
    expect(sessionOfRepository(`vibe-session-${id}`)).toBe(id);
  });

  it.each(['/ttyd/../ws', '/ttyd/abc/g1/ws', '/ttyd/ABCDEFGHIJKLMNOPQRSTUVWXYZ/g1/ws', '/ttyd/aaaaaaaaaaaaaaaaaaaaaaaaaa/g0/ws', '/ttyd/aaaaaaaaaaaaaaaaaaaaaaaaaa/g1/ws/', '/ttyd/aaaaaaaaaaaaaaaaaaaaaaaaaa/g1/%77s', '//ttyd/aaaaaaaaaaaaaaaaaaaaaaaaaa/g1/ws'])(
    'refuse the path %s',
    (path) => expect(parseTerminalSocket(path)).toBeNull(),
  );
});
