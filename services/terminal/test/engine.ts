import { execFile, execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LABEL = 'vibe.terminal-test';
const BUILD_LIMIT_MS = 600_000;

/** Runs the docker CLI and answers what it printed. Throws with its standard error. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { maxBuffer: 50_000_000 });
  return stdout.trim();
}

/** All that a container printed, on both streams. */
export async function logOf(container: string): Promise<string> {
  const { stdout, stderr } = await run('docker', ['logs', container]);
  return stdout + stderr;
}

/** Whether an Engine answers here; in CI one must. Read once per test file, before its tests are named. */
function engineAnswers(): boolean {
  try {
    execFileSync('docker', ['version', '--format', '{{.Server.Version}}'], { stdio: 'pipe' });
    return true;
  } catch (cause) {
    if (process.env['CI'] === 'true') throw new Error('no Docker Engine answers, and in CI one must', { cause });
    console.warn('skipped: no Docker Engine answers on this machine');
    return false;
  }
}

/** `describe` for what needs a real Engine. */
export const describeOnEngine = engineAnswers() ? describe : describe.skip;

/** Builds the image from the checkout (18 s the first time, then cached) and answers its name. Safe to call at once from several files. */
export async function buildTerminalImage(): Promise<string> {
  const image = 'vibe-terminal:test';
  const context = new URL('..', `file://${__dirname}/`).pathname;
  await run('flock', ['/tmp/vibe-terminal-test.lock', 'docker', 'build', '-q', '--network', 'host', '-t', image, context], {
    timeout: BUILD_LIMIT_MS,
    env: { ...process.env, DOCKER_BUILDKIT: '0' },
  });
  return image;
}

/** A bridge network of its own. `gateway` is this machine's address on it. */
export async function makeNetwork(name: string): Promise<{ name: string; subnet: string; gateway: string }> {
  await docker('network', 'create', '--label', LABEL, name);
  const [subnet = '', gateway = ''] = (
    await docker('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}}', name)
  ).split(' ');
  return { name, subnet, gateway };
}

/** A name that no other run of the tests uses. */
export function uniqueName(what: string): string {
  return `vibe-test-${what}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
}

export const testLabel = `${LABEL}=${process.pid}`;

/** Removes every container, network and image that this test file made. */
export async function removeWhatWasMade(networks: string[] = [], images: string[] = []): Promise<void> {
  const containers = (await docker('ps', '-aq', '--filter', `label=${testLabel}`)).split('\n').filter(Boolean);
  if (containers.length > 0) await docker('rm', '-f', ...containers);
  if (networks.length > 0) await docker('network', 'rm', ...networks);
  if (images.length > 0) await docker('rmi', '-f', ...images);
}

/** Resolves when `look` answers something other than undefined, false or an exception; rejects after the limit with what was seen last. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>, limitMs = 60_000): Promise<T> {
  const end = Date.now() + limitMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    await pause(50);
  }
  throw new Error(`not within ${limitMs} ms: ${what}`, { cause: last });
}
