import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request, Agent } from 'undici';

const run = promisify(execFile);

/** A registry as production runs it: the same image and configuration, TLS with a CA of its own, and a login. */
export interface RealRegistry {
  /** The name of its container: others take its volume from it. */
  readonly container: string;
  /** As in image names. */
  readonly host: string;
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly login: { readonly username: string; readonly password: string };
  stop(): Promise<void>;
}

export const REAL_REGISTRY_IMAGE = 'registry:2';

const LOGIN = { username: 'vibe', password: 'test-password' };
/** Of that password, by bcrypt at its lowest cost. */
const HTPASSWD = 'vibe:$2b$04$abcdefghijklmnopqrstuuobFaEJANklW4I6zZpcLRbXjrME4Qa2m\n';
const START_LIMIT_MS = 30_000;

/**
 * Runs registry:2 in a container of this machine's Engine, with our configuration from stacks/registry.
 * @param options.nodeContainer runs it inside this node container's network, where the node's own Engine finds it at
 *   127.0.0.1:5000; else it is published on a free port of the loopback
 */
export async function startRealRegistry(options: { readonly configFile: string; readonly nodeContainer?: { readonly name: string; readonly address: string } }): Promise<RealRegistry> {
  const { configFile, nodeContainer } = options;
  const dir = await mkdtemp(join(tmpdir(), 'vibe-registry-'));
  const address = nodeContainer?.address ?? '127.0.0.1';
  const key = join(dir, 'vibe-registry-key');
  const cert = join(dir, 'vibe-registry-cert');
  await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=registry', '-addext', `subjectAltName=IP:127.0.0.1,IP:${address},DNS:registry`, '-keyout', key, '-out', cert]);
  await writeFile(join(dir, 'vibe-registry-htpasswd'), HTPASSWD);
  const name = `vibe-test-registry-${randomUUID().slice(0, 8)}`;
  const network = nodeContainer ? ['--network', `container:${nodeContainer.name}`] : ['-p', '127.0.0.1::5000'];
  const stop = async () => {
    await run('docker', ['rm', '-f', '-v', name]).catch(() => undefined);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const mounts = ['-v', `${dir}:/run/secrets:ro`, '-v', `${configFile}:/etc/docker/registry/config.yml:ro`];
    await run('docker', ['run', '-d', '--name', name, '--label', 'vibe.test=registry', ...network, ...mounts, REAL_REGISTRY_IMAGE, '/etc/docker/registry/config.yml']);
    const port = nodeContainer ? '5000' : (await run('docker', ['port', name, '5000/tcp'])).stdout.trim().split(':').at(-1);
    const ca = await readFile(cert, 'utf8');
    const url = `https://${address}:${port}`;
    await whenAnswering(url, ca);
    return { container: name, host: `127.0.0.1:${port}`, url, ca, login: LOGIN, stop };
  } catch (error) {
    const said = await run('docker', ['logs', '--tail', '20', name]).catch(() => ({ stdout: '', stderr: '' }));
    await stop();
    throw new Error(`the registry did not start: ${said.stderr}${said.stdout}`, { cause: error });
  }
}

async function whenAnswering(url: string, ca: string): Promise<void> {
  const dispatcher = new Agent({ connect: { ca } });
  const until = Date.now() + START_LIMIT_MS;
  try {
    for (;;) {
      try {
        const answer = await request(`${url}/v2/`, { dispatcher });
        await answer.body.dump();
        return;
      } catch (error) {
        if (Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  } finally {
    await dispatcher.destroy();
  }
}
