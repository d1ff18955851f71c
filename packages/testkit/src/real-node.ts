import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A machine with an Engine of its own, as a container of this machine's Engine; a Swarm of one. */
export interface RealNode {
  /** The name of its container. */
  readonly name: string;
  /** Its address, as this machine reaches it. */
  readonly address: string;
  /** Its Engine's socket, as this machine sees it. Only root can. */
  readonly socketPath: string;
  /** Runs `docker …` on it; resolves with what it printed. */
  docker(args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Made by scripts/lab and scripts/test from scripts/images/lab-node. */
export const LAB_NODE_IMAGE = 'vibe-lab-node:latest';

const START_LIMIT_MS = 60_000;

/** What such a machine needs, short of `--privileged`, which not every machine can give. */
const RIGHTS = ['--cap-add', 'ALL', '--cap-drop', 'SYS_RESOURCE', '--security-opt', 'seccomp=unconfined', '--security-opt', 'apparmor=unconfined', '--security-opt', 'systempaths=unconfined', '--device-cgroup-rule', 'a *:* rwm', '--cgroupns', 'host'];
const MOUNTS = ['-v', '/sys/fs/cgroup:/sys/fs/cgroup:rw', '-v', '/dev:/dev'];

function pipe(from: readonly string[], to: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const source = spawn(from[0] ?? '', from.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
    const sink = spawn(to[0] ?? '', to.slice(1), { stdio: [source.stdout, 'ignore', 'inherit'] });
    source.once('error', reject);
    sink.once('error', reject);
    sink.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${to.join(' ')} ended with ${code}`))));
  });
}

/** Starts such a machine, makes it a Swarm of one with our overlay network, and lays `images` of this machine into it. */
export async function startRealNode(options: { readonly images: readonly string[] }): Promise<RealNode> {
  const name = `vibe-test-node-${randomUUID().slice(0, 8)}`;
  const stop = async () => {
    await run('docker', ['rm', '-f', '-v', name]).catch(() => undefined);
    // Its Engine made control groups on this machine (see images/lab-node/engine); they are empty now.
    await run('find', ['/sys/fs/cgroup', '-depth', '-path', `*/vibe-lab-nodes/${name}*`, '-type', 'd', '-exec', 'rmdir', '{}', '+']).catch(() => undefined);
  };
  const docker = async (args: readonly string[]): Promise<string> => (await run('docker', ['exec', name, 'docker', ...args], { maxBuffer: 16 * 1024 * 1024 })).stdout;
  try {
    await run('docker', ['run', '-d', '--name', name, '--hostname', name, '--label', 'vibe.test=node', ...RIGHTS, ...MOUNTS, LAB_NODE_IMAGE]);
    const inspected = await run('docker', ['inspect', '-f', '{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name]);
    const [pid = '', address = ''] = inspected.stdout.trim().split(' ');
    const until = Date.now() + START_LIMIT_MS;
    while (!(await docker(['version']).then(() => true, () => false))) {
      if (Date.now() > until) throw new Error(`the Engine of ${name} does not answer: docker logs ${name}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await docker(['swarm', 'init', '--advertise-addr', address]);
    await docker(['network', 'create', '-d', 'overlay', '--attachable', '--subnet', '10.128.0.0/16', 'vibe-overlay']);
    for (const image of options.images) await pipe(['docker', 'save', image], ['docker', 'exec', '-i', name, 'docker', 'load', '-q']);
    return { name, address, socketPath: `/proc/${pid}/root/run/docker.sock`, docker, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
