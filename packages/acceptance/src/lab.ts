import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { installationAt, type Installation } from './installation';

export const REPOSITORY_ROOT = join(__dirname, '..', '..', '..');

/** A command on a lab node ended with an error. */
export class LabCommandFailed extends Error {
  constructor(
    command: string,
    readonly exitCode: number | string | undefined,
    readonly stderr: string,
  ) {
    super(`"${command}" failed (${String(exitCode)}): ${stderr.trim().split('\n').slice(-5).join(' | ')}`);
    this.name = 'LabCommandFailed';
  }
}

const ADDRESS_AMONG_SESSIONS = '{{(index .NetworkSettings.Networks "vibe-overlay").IPAddress}}';

export interface LabNode {
  readonly id: string;
  readonly hostname: string;
  readonly role: 'manager' | 'worker';
  readonly availability: string;
}

/** One session's container as the Engine of its node shows it. */
export interface SessionContainer {
  readonly node: string;
  readonly containerId: string;
  readonly name: string;
  readonly generation: number;
  /** running, paused, exited … */
  readonly state: string;
}

/** The lab on this machine, through its own script: what an operator can do on the nodes. */
export class Lab {
  constructor(private readonly script = join(REPOSITORY_ROOT, 'scripts', 'lab')) {}

  /** The lab's address and tokens. Throws, naming the cure, when no lab runs. */
  async installation(): Promise<Installation> {
    const url = await this.#run(['url']).catch((cause: unknown) => {
      throw new Error('no lab runs: ./scripts/lab up --workers 2 (or ./scripts/test, which does it all)', { cause });
    });
    return installationAt({ url, tokenCommand: `'${join(REPOSITORY_ROOT, 'scripts', 'token')}' --lab` });
  }

  /** Runs a program on a node and returns its output, trimmed. Throws LabCommandFailed. */
  exec(node: string, ...argv: string[]): Promise<string> {
    return this.#run(['exec', node, ...argv]);
  }

  /** Starts a program on a node with pipes to it; the caller ends it. */
  start(node: string, ...argv: string[]): ChildProcessWithoutNullStreams {
    return spawn(this.script, ['exec', node, ...argv]);
  }

  /** Runs a shell script on a node; `args` are its $1 …. */
  shell(node: string, script: string, ...args: string[]): Promise<string> {
    return this.exec(node, 'bash', '-euc', script, 'lab', ...args);
  }

  async nodes(): Promise<readonly LabNode[]> {
    const lines = await this.exec('manager', 'docker', 'node', 'ls', '--format', '{{.ID}} {{.Hostname}} {{.ManagerStatus}}|{{.Availability}}');
    return lines.split('\n').map((line) => {
      const [names = '', availability = ''] = line.split('|');
      const [id = '', hostname = '', manages = ''] = names.split(' ');
      return { id, hostname, role: manages === '' ? 'worker' : 'manager', availability: availability.toLowerCase() };
    });
  }

  /** Does work while nothing new is placed on a node; what runs there goes on. */
  async withoutNewcomers<T>(node: string, work: () => Promise<T>): Promise<T> {
    const say = (availability: string): Promise<string> => this.exec('manager', 'docker', 'node', 'update', '--availability', availability, node);
    await say('pause');
    try {
      return await work();
    } finally {
      await say('active');
    }
  }

  /** Every container that carries the session's label, on all nodes, ended ones too. */
  async containersOf(sessionId: string): Promise<readonly SessionContainer[]> {
    const format = '{{.ID}} {{.Names}} {{.Label "vibe.gen"}} {{.State}}';
    const perNode = await Promise.all(
      (await this.nodes()).map(async ({ hostname }) => {
        const lines = await this.exec(hostname, 'docker', 'ps', '--all', '--no-trunc', '--filter', `label=vibe.session=${sessionId}`, '--format', format);
        return lines.split('\n').filter((line) => line !== '').map((line): SessionContainer => {
          const [containerId = '', name = '', generation = '0', state = ''] = line.split(' ');
          return { node: hostname, containerId, name, generation: Number(generation), state };
        });
      }),
    );
    return perNode.flat();
  }

  /**
   * The one living container of a session. Throws when there is none or more than one. One that an earlier generation left
   * behind frozen does not live: nothing in it runs again, it only waits for its removal.
   */
  async containerOf(sessionId: string): Promise<SessionContainer> {
    const all = await this.containersOf(sessionId);
    const latest = Math.max(...all.map(({ generation }) => generation));
    const living = all.filter(({ state, generation }) => state === 'running' || (state === 'paused' && generation === latest));
    const [only] = living;
    if (only === undefined || living.length > 1) throw new Error(`session ${sessionId} has ${living.length} living containers: ${JSON.stringify(living)}`);
    return only;
  }

  /** Snapshots of a session on every node, as `node image-id`. */
  async snapshotsOnNodes(sessionId: string): Promise<readonly string[]> {
    const perNode = await Promise.all(
      (await this.nodes()).map(async ({ hostname }) => {
        const ids = await this.exec(hostname, 'docker', 'images', '--all', '--quiet', '--filter', `label=vibe.session=${sessionId}`);
        return ids.split('\n').filter((id) => id !== '').map((id) => `${hostname} ${id}`);
      }),
    );
    return perNode.flat();
  }

  /** Names of the Swarm services and secrets that hold the session's id. */
  async servicesAndSecretsOf(sessionId: string): Promise<readonly string[]> {
    const names = await this.shell('manager', 'docker service ls --format "service {{.Name}}"; docker secret ls --format "secret {{.Name}}"');
    return names.split('\n').filter((name) => name.includes(sessionId));
  }

  /** Runs a program in the container of one of our own services (`vibe-state_redis` …) on a node. */
  async execInService(node: string, service: string, ...argv: string[]): Promise<string> {
    const script = 'name=$1; shift; docker exec "$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$name" | head -n1)" "$@"';
    return this.shell(node, script, service, ...argv);
  }

  /** The tags the registry keeps of a session's snapshots, as they lie on its disk. */
  async tagsInRegistry(repository: string): Promise<readonly string[]> {
    const tags = `/var/lib/registry/docker/registry/v2/repositories/${repository}/_manifests/tags`;
    const names = await this.execInService('manager', 'vibe-state_registry', 'sh', '-c', `ls ${tags} 2>/dev/null || true`);
    return names.split('\n').filter((name) => name !== '');
  }

  /** A session container's address on the network of the sessions, and the one on its node's way out. */
  async addressesOf({ node, containerId }: SessionContainer): Promise<{ readonly overlay: string; readonly bridge: string }> {
    const overlay = await this.exec(node, 'docker', 'inspect', '--format', ADDRESS_AMONG_SESSIONS, containerId);
    const bridges = '{{range .Containers}}{{.Name}} {{.IPv4Address}}\n{{end}}';
    const script = 'box=$(docker inspect --format "{{.NetworkSettings.SandboxID}}" "$1"); docker network inspect docker_gwbridge --format "$2" | grep "gateway_${box:0:12} "';
    const [, bridge = ''] = /gateway_\S+ ([\d.]+)/.exec(await this.shell(node, script, containerId, bridges)) ?? [];
    return { overlay, bridge };
  }

  /** The address that one of our own services on the manager has on the network of the sessions. */
  serviceAddress(service: string): Promise<string> {
    const script = 'docker inspect --format "$2" "$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$1" | head -n1)"';
    return this.shell('manager', script, service, ADDRESS_AMONG_SESSIONS);
  }

  /** Every IPv4 address of every node and of every container on the manager: all that a session must not reach. */
  async everyAddress(): Promise<readonly string[]> {
    const ofNode = 'ip -4 -o address show | tr -s " " | cut -d " " -f4 | cut -d/ -f1';
    const ofContainers = 'docker ps --quiet | xargs -r docker inspect --format "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}" | tr " " "\\n"';
    const [onNodes, inContainers] = await Promise.all([
      Promise.all((await this.nodes()).map(({ hostname }) => this.shell(hostname, ofNode))),
      this.shell('manager', ofContainers),
    ]);
    const all = [...onNodes, inContainers].flatMap((lines) => lines.split('\n'));
    return [...new Set(all)].filter((address) => address !== '' && !address.startsWith('127.'));
  }

  #run(argv: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile(this.script, argv, { timeout: 180_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
        if (error) reject(new LabCommandFailed(['lab', ...argv].join(' '), error.code ?? error.signal ?? undefined, stderr));
        else resolve(stdout.trim());
      });
    });
  }
}
