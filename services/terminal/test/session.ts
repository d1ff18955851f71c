import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { docker, logOf, testLabel, uniqueName, until } from './engine';
import { openTtyd, type TtydClient } from './ttyd-client';

/** One container of the session image, started with what the Swarm gives it. */
export interface Session {
  readonly name: string;
  readonly ip: string;
  readonly base: string;
  readonly credential: string;
  /** A terminal on it whose prompt has been seen: tmux may take keys that come before that for its own. */
  open(): Promise<TtydClient>;
  /** Runs a shell command as `vibe`, beside the session; answers its output. */
  run(command: string): Promise<string>;
  /** A tmux command on the session's server. */
  tmux(...args: string[]): Promise<string>;
  signal(name: string): Promise<void>;
  logs(): Promise<string>;
}

export interface SessionOptions {
  image: string;
  network?: string;
  gen?: number;
  env?: Record<string, string>;
  /** The secret's text; a proper one where left out. */
  secret?: string;
  capabilities?: string[];
  /** Further `docker run` options. */
  more?: string[];
}

const id = 'abcdefghijklmnopqrstuvwx26';
const serviceCapabilities = ['NET_ADMIN', 'SETUID', 'SETGID', 'SETPCAP'];

/**
 * Starts a container with what a session's service gives it (packages/swarm has the specification). Its secret is a file
 * on this machine only until the container has it.
 */
async function runContainer(options: SessionOptions, name: string): Promise<{ base: string; credential: string }> {
  const { image, network = 'bridge', gen = 1, env = {}, more = [], capabilities = serviceCapabilities } = options;
  const credential = options.secret ?? randomBytes(32).toString('base64url');
  const base = `/ttyd/${id}/g${gen}`;
  const variables = Object.entries({ VIBE_BASE: base, SESSION_EGRESS_ALLOW: '', ...env });
  const directory = await mkdtemp(join(tmpdir(), 'vibe-secret-'));
  try {
    const secret = join(directory, 'ttyd');
    await writeFile(secret, credential, { mode: 0o400 });
    const args = [
      ...['--name', name, '--hostname', id, '--label', testLabel, '--network', network, '--stop-signal', 'SIGKILL'],
      ...['--pids-limit', '512', '--memory', '2g', '--cpus', '1', '--cap-drop=ALL', ...capabilities.map((cap) => `--cap-add=${cap}`)],
      ...['-v', `${secret}:/run/secrets/ttyd:ro`, ...variables.flatMap(([key, value]) => ['-e', `${key}=${value}`]), ...more],
    ];
    await docker('run', '-d', ...args, image);
  } finally {
    await rm(directory, { recursive: true });
  }
  return { base, credential };
}

/** Starts a session and resolves when its ttyd listens. Rejects with its log when it ends before. */
export async function startSession(options: SessionOptions): Promise<Session> {
  const name = uniqueName('session');
  const { base, credential } = await runContainer(options, name);
  const ip = await docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name);
  const run = (command: string) => docker('exec', '-u', 'vibe', '-e', 'TMUX_TMPDIR=/run/vibe', '-e', 'LANG=C.UTF-8', name, 'sh', '-c', command);
  const session: Session = {
    name,
    ip,
    base,
    credential,
    open: async () => {
      const terminal = await openTtyd(ip, base, credential);
      await terminal.sees(/\$ /);
      return terminal;
    },
    run,
    tmux: (...tmuxArgs) => docker('exec', '-u', 'vibe', '-e', 'TMUX_TMPDIR=/run/vibe', name, 'tmux', '-u', ...tmuxArgs),
    signal: async (signal) => void (await docker('kill', '-s', signal, name)),
    logs: () => logOf(name),
  };
  await untilListening(name);
  return session;
}

/** Resolves when port 7681 is in LISTEN inside the container (state 0A, port in hex): what the agent looks for. */
export async function untilListening(name: string): Promise<void> {
  const listens = async () => (await docker('exec', name, 'cat', '/proc/net/tcp')).includes(':1E01 00000000:0000 0A');
  await until('ttyd listens', listens, 60_000).catch(async (cause: unknown) => {
    throw new Error(`${name} has no ttyd: ${await logOf(name)}`, { cause });
  });
}

/** Runs a session that is expected to refuse its start: answers its exit code and all that it printed. */
export async function runToItsEnd(options: SessionOptions): Promise<{ code: number; printed: string }> {
  const name = uniqueName('refused');
  await runContainer(options, name);
  const code = Number(await docker('wait', name));
  return { code, printed: await logOf(name) };
}
