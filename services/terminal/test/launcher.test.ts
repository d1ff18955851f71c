import { buildTerminalImage, describeOnEngine, docker, removeWhatWasMade, until } from './engine';
import { runToItsEnd, startSession, type Session } from './session';
import { openTtyd } from './ttyd-client';

const TEST_LIMIT_MS = 180_000;

describeOnEngine('a session’s launcher', () => {
  let image: string;
  let session: Session;

  beforeAll(async () => {
    image = await buildTerminalImage();
    session = await startSession({ image });
  }, 600_000);
  afterAll(() => removeWhatWasMade(), TEST_LIMIT_MS);

  it('gives a shell that answers through ttyd’s own socket', async () => {
    const terminal = await session.open();
    terminal.enter('echo $((6 * 7))-$USER-$PWD');
    await terminal.sees(/\n42-vibe-\/home\/vibe\/workspace/);
    terminal.close();
  }, TEST_LIMIT_MS);

  it('gives the same shell again after a reconnect', async () => {
    const first = await session.open();
    first.enter('mark=kept-$((40 + 2)); echo set');
    await first.sees(/\nset/);
    first.close();
    await first.closed;
    const second = await session.open();
    second.enter('echo "[$mark]"');
    await second.sees(/\[kept-42\]/);
    second.close();
  }, TEST_LIMIT_MS);

  it('refuses a socket whose credential is wrong, and says nothing to one whose token is wrong', async () => {
    await expect(openTtyd(session.ip, session.base, 'another-password-than-ours')).rejects.toThrow();
    const silent = await openTtyd(session.ip, session.base, session.credential, 'd3Jvbmc6dG9rZW4=');
    await silent.closed;
    await expect(silent.sees(/./, 1)).rejects.toThrow();
    await expect(openTtyd(session.ip, '/ttyd/zzzzzzzzzzzzzzzzzzzzzzzz26/g1', session.credential)).rejects.toThrow();
  }, TEST_LIMIT_MS);

  it('leaves the shell no privilege and no way to one', async () => {
    const terminal = await session.open();
    terminal.enter("clear; grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status | tr -s '\\t\\n' ' '; echo end");
    const status = await terminal.sees(/Groups: Cap.* end/);
    expect(status.match(/Cap(Inh|Prm|Eff|Bnd|Amb): 0{16}/g)).toHaveLength(5);
    expect(status).toContain('NoNewPrivs: 1');
    expect(status).toContain('Seccomp: 2');
    terminal.enter("clear; unshare -rn true || echo no-$((1+1)); cat /run/secrets/ttyd || echo no-$((2+2))");
    await terminal.sees(/no-2[\s\S]*Permission denied[\s\S]*no-4/);
    terminal.close();
  }, TEST_LIMIT_MS);

  it('shows the credential in no environment, log or image setting', async () => {
    const pane = await session.tmux('display-message', '-p', '-t', 'main', '#{pane_pid}');
    const environments = await session.run(`tr '\\0' '\\n' < /proc/${pane}/environ; tr '\\0' '\\n' < /proc/1/environ`);
    expect(environments).toContain('USER=vibe');
    expect(environments).not.toContain(session.credential);
    expect(environments).not.toMatch(/VIBE_BASE|SESSION_EGRESS/);
    expect(await session.logs()).not.toContain(session.credential);
    expect(await docker('inspect', session.name)).not.toContain(session.credential);
  }, TEST_LIMIT_MS);

  it('closes every socket on SIGHUP and has the same shell for the next one', async () => {
    const before = await session.open();
    before.enter('mark=hup-$((1 + 1)); echo set');
    await before.sees(/\nset/);
    await session.signal('HUP');
    await before.closed;
    const after = await until('ttyd is back', () => session.open());
    after.enter('echo "[$mark]"');
    await after.sees(/\[hup-2\]/);
    after.close();
  }, TEST_LIMIT_MS);

  it('brings ttyd back when it dies', async () => {
    await session.run('pkill -9 ttyd');
    const terminal = await until('ttyd is back', () => session.open());
    terminal.enter('echo back-$((1 + 1))');
    await terminal.sees(/back-2/);
    terminal.close();
  }, TEST_LIMIT_MS);

  it('outlives what the user kills, and ends on the container’s SIGTERM', async () => {
    const own = await startSession({ image });
    for (const signal of ['TERM', 'KILL']) {
      await own.run(`touch ~/before; kill -${signal} 1; kill -${signal} -1`).catch(() => undefined);
      const terminal = await until('a terminal opens', () => own.open());
      terminal.enter('ls ~; echo alive-$((1 + 1))');
      await terminal.sees(/before[\s\S]*alive-2/);
      terminal.close();
    }
    await own.signal('TERM');
    expect(await docker('wait', own.name)).toBe('0');
  }, TEST_LIMIT_MS);

  it('works under an init too, where that may pass signals on', async () => {
    const own = await startSession({ image, more: ['--init'], capabilities: ['NET_ADMIN', 'SETUID', 'SETGID', 'SETPCAP', 'KILL'] });
    const terminal = await own.open();
    await own.signal('HUP');
    await terminal.closed;
    (await until('ttyd is back', () => own.open())).close();
    await own.signal('TERM');
    expect(await docker('wait', own.name)).toBe('0');
  }, TEST_LIMIT_MS);

  it.each([
    ['a wrong VIBE_BASE', { env: { VIBE_BASE: '/ttyd/x/g1' } }, /VIBE_BASE is not/],
    ['an empty secret', { secret: '' }, /no secret/],
    ['a weak secret', { secret: 'secret' }, /the secret is no password/],
    ['no right to set the rules', { capabilities: ['SETUID', 'SETGID', 'SETPCAP'] }, /isolation rules/],
    ['no right to give up all privileges', { capabilities: ['NET_ADMIN', 'SETUID', 'SETGID'] }, /setpriv/],
    ['an init that cannot pass signals on', { more: ['--init'] }, /Init false/],
    ['an allowed network that is none', { env: { SESSION_EGRESS_ALLOW: '10.0.0.0/8 } accept' } }, /SESSION_EGRESS_ALLOW: .* is not a network/],
    ['an allowed network with too many bits', { env: { SESSION_EGRESS_ALLOW: '10.20.0.0/16,10.0.0.5/8' } }, /10\.0\.0\.5\/8.*beyond its prefix/],
    ['everything allowed', { env: { SESSION_EGRESS_ALLOW: '0.0.0.0/0' } }, /wider than/],
    ['an allowed IPv6 network that is none', { env: { SESSION_EGRESS_ALLOW: 'fd00::1::/64' } }, /is not a network/],
  ])('refuses to start with %s', async (_case, options, reason) => {
    const { code, printed } = await runToItsEnd({ image, ...options });
    expect(code).not.toBe(0);
    expect(printed).toMatch(reason);
    if ('env' in options) expect(printed.trim().split('\n')).toHaveLength(1);
  }, TEST_LIMIT_MS);
});
