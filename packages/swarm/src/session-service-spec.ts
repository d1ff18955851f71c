import { type SessionLabels, TERMINAL_PORT, serviceNameOf, writeSessionLabels } from '@vibe/contracts';
import type { CreateServiceOptions } from 'dockerode';

const MIB = 1024 * 1024;
const NANO = 1e9;

export interface SessionServiceOptions extends SessionLabels {
  /** By digest: a tag would be asked of the registry at every start. */
  readonly image: string;
  readonly secretId: string;
  readonly secretName: string;
  /** ttyd's base path, `/ttyd/{id}/g{gen}`. */
  readonly base: string;
  readonly network: string;
  /** A Swarm constraint, or empty. */
  readonly constraint: string;
  /** The node that has its layers, when that one has room. */
  readonly wishNode?: string;
  readonly memoryLimitMib: number;
  readonly memoryReservedMib: number;
  readonly cpuLimit: number;
  readonly pidsLimit: number;
  /** Networks the session may reach besides the public internet, as CIDR. */
  readonly egressAllow: readonly string[];
}

/** What Traefik reads: exactly one path of one generation, straight to the container's ttyd. */
export function routeLabels({ session_id, gen, base, network }: Pick<SessionServiceOptions, 'session_id' | 'gen' | 'base' | 'network'>): Record<string, string> {
  const route = `s-${session_id}-g${gen}`;
  return {
    'traefik.enable': 'true',
    'traefik.swarm.network': network,
    [`traefik.http.routers.${route}.rule`]: `Path(\`${base}/ws\`)`,
    [`traefik.http.routers.${route}.entrypoints`]: 'websecure',
    [`traefik.http.routers.${route}.tls`]: 'true',
    [`traefik.http.routers.${route}.middlewares`]: 'terminal-auth@file,terminal-safe@file',
    [`traefik.http.routers.${route}.service`]: route,
    [`traefik.http.services.${route}.loadbalancer.server.port`]: String(TERMINAL_PORT),
    [`traefik.http.services.${route}.loadbalancer.serverstransport`]: 'fast@file',
  };
}

/**
 * The whole service of one generation. Every field is set each time: a snapshot carries what the last generation had.
 *
 * No restart: Swarm would replace a dead session by an empty one. SIGKILL without grace: a removal thaws a frozen container
 * for its signal, and nothing may run then. No init: the launcher ends in a process 1 that reaps and that nothing inside can
 * end, while docker-init without CAP_KILL could not pass "you will sleep" on to it. dnsrr: a virtual address costs two
 * addresses, and an IPVS entry on every node. No secret but the mounted one: a commit keeps env, args and labels for good.
 */
export function sessionServiceSpec(options: SessionServiceOptions): CreateServiceOptions {
  const name = serviceNameOf(options.session_id);
  const constraints = [options.constraint, options.wishNode === undefined ? '' : `node.id==${options.wishNode}`].filter((constraint) => constraint !== '');
  const labels = writeSessionLabels(options);
  return {
    Name: name,
    Labels: { ...labels, ...routeLabels(options) },
    TaskTemplate: {
      ContainerSpec: {
        Image: options.image,
        Hostname: 'vibe',
        Labels: labels,
        Env: [`VIBE_BASE=${options.base}`, `SESSION_EGRESS_ALLOW=${options.egressAllow.join(',')}`],
        Init: false,
        StopSignal: 'SIGKILL',
        StopGracePeriod: 0,
        CapabilityDrop: ['ALL'],
        CapabilityAdd: ['CAP_NET_ADMIN', 'CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'],
        Mounts: [],
        Secrets: [{ SecretID: options.secretId, SecretName: options.secretName, File: { Name: 'ttyd', UID: '0', GID: '0', Mode: 0o400 } }],
      },
      Resources: {
        Limits: { MemoryBytes: options.memoryLimitMib * MIB, NanoCPUs: Math.round(options.cpuLimit * NANO), Pids: options.pidsLimit },
        Reservations: { MemoryBytes: options.memoryReservedMib * MIB },
      },
      RestartPolicy: { Condition: 'none', MaxAttempts: 0 },
      Placement: { Constraints: constraints },
      Networks: [{ Target: options.network }],
      LogDriver: { Name: 'json-file', Options: { 'max-size': '1m', 'max-file': '1' } },
    },
    Mode: { Replicated: { Replicas: 1 } },
    EndpointSpec: { Mode: 'dnsrr' },
  };
}
