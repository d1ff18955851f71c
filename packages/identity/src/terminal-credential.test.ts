import { terminalCredential } from './terminal-credential';

const id = 'a'.repeat(26);

describe('the credential of a terminal', () => {
  it('is the same every time, and another one for each generation, session and key', () => {
    const { password } = terminalCredential('key', id, 1);
    expect(terminalCredential('key', id, 1).password).toBe(password);
    const others = [terminalCredential('key', id, 2), terminalCredential('key', 'b'.repeat(26), 1), terminalCredential('other', id, 1)];
    expect(new Set([password, ...others.map((other) => other.password)]).size).toBe(4);
  });

  it('is 43 characters that need no quoting', () => {
    expect(terminalCredential('key', id, 1).password).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it('comes as ttyd wants it: on the handshake and in the first message', () => {
    const { password, basic, authToken } = terminalCredential('key', id, 1);
    expect(Buffer.from(authToken, 'base64').toString()).toBe(`vibe:${password}`);
    expect(basic).toBe(`Basic ${authToken}`);
  });

  it('is not made for what is no session', () => {
    for (const [wrongId, gen] of [['../x', 1], [id, 0], [id, 1.5], [id.toUpperCase(), 1]] as const) expect(() => terminalCredential('key', wrongId, gen)).toThrow();
  });
});
