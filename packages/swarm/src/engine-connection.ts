import { Agent } from 'node:http';
import { inspect } from 'node:util';
import { CodedError } from '@vibe/platform';
import Docker from 'dockerode';
import { z } from 'zod';

/** Where an Engine listens, and what it needs to know of our registry. */
export type EngineAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** Who we are to the registry. Never logged, never in a spec: it travels in a header of its own. */
export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

export type EngineOptions = EngineAddress & {
  /** The registry's `host:port` as in image names. */
  readonly registryUrl?: string;
  readonly registryLogin?: RegistryLogin;
  /** How long an answer may take, in ms; commit, push and pull have a limit of their own. */
  readonly callLimitMs?: number;
};

/** What a call may be given by its caller. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The Engine API we write for, and the oldest one that has all we need (one-shot stats, capabilities of services: Engine 20.10). */
const API_WANTED = [1, 44] as const;
const API_OLDEST = [1, 41] as const;

const CALL_LIMIT_MS = 30_000;

const versionSchema = z.object({ ApiVersion: z.string(), MinAPIVersion: z.string().optional(), Version: z.string() });

type ApiVersion = readonly [number, number];

function parseApiVersion(text: string): ApiVersion {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  return [major, minor];
}

const isBelow = (a: ApiVersion, b: ApiVersion): boolean => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

/** The status an Engine answered an error with, or null when it did not answer at all. */
export function engineStatus(error: unknown): number | null {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : null;
}

/** True for an error of ours that stands for this HTTP status of the Engine. */
export function isEngineStatus(error: unknown, ...statuses: number[]): boolean {
  const details = error instanceof CodedError ? (error.details as { status?: unknown } | undefined) : undefined;
  return typeof details?.status === 'number' && statuses.includes(details.status);
}

function spell(what: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const status = engineStatus(error);
  const said = error instanceof Error ? error.message.trim() : String(error);
  if (status !== null) {
    return new CodedError('engine_error', `the Engine refused to ${what}: ${said}`, { details: { status }, cause: error, retryable: status >= 500 });
  }
  return new CodedError('engine_unreachable', `the Engine could not be asked to ${what}: ${said}`, { cause: error, retryable: true });
}

/**
 * docker-modem spells all of its options out for each call, whether anybody reads its debug log or not. An agent spelled out is
 * every request under way: 160 calls at once took seconds of CPU.
 */
class TerseAgent extends Agent {
  [inspect.custom](): string {
    return 'Agent';
  }
}

/**
 * One Engine, by dockerode, at one API version. Every call has a limit and takes an AbortSignal: docker-modem itself waits
 * for ever when an answer is cut off in its middle.
 *
 * Errors are CodedErrors: `engine_unreachable` (nobody answered; retryable), `engine_timeout` (retryable), `engine_error` (it
 * answered with `details.status`; retryable from 500 on). An aborted call throws the signal's reason.
 */
export class EngineConnection {
  private constructor(
    readonly docker: Docker,
    /** As in a path: `v1.44`. */
    readonly apiVersion: string,
    /** What goes into X-Registry-Auth. Empty without a login. */
    readonly registryAuth: Docker.AuthConfigObject,
    private readonly callLimitMs: number,
  ) {}

  /**
   * Finds out what the Engine speaks and pins the highest version that both know.
   * @throws engine_unreachable, engine_too_old (below API 1.41), engine_too_new (it no longer speaks 1.44)
   */
  static async open(options: EngineOptions, call: CallOptions = {}): Promise<EngineConnection> {
    // `host: undefined` keeps docker-modem from reading DOCKER_HOST. No kept connections: none of them can be stale after a
    // restart of the Engine, and none keeps the process alive.
    const agent = new TerseAgent({ keepAlive: false });
    const where = 'socketPath' in options ? { socketPath: options.socketPath, host: undefined } : { host: options.host, port: options.port };
    const make = (version: string | undefined) => new Docker({ ...where, protocol: 'http', agent, version } as unknown as Docker.DockerOptions);

    const { registryLogin, registryUrl, callLimitMs = CALL_LIMIT_MS } = options;
    const asked = new EngineConnection(make(undefined), '', {}, callLimitMs);
    const said = versionSchema.parse(await asked.call('say its version', (abortSignal) => (asked.docker.version as (options: object) => Promise<unknown>).call(asked.docker, { abortSignal }), call));
    const highest = parseApiVersion(said.ApiVersion);
    if (isBelow(highest, API_OLDEST)) {
      throw new CodedError('engine_too_old', `the Engine ${said.Version} speaks API ${said.ApiVersion}; at least ${API_OLDEST.join('.')} (Engine 20.10) is needed`);
    }
    if (said.MinAPIVersion !== undefined && isBelow(API_WANTED, parseApiVersion(said.MinAPIVersion))) {
      throw new CodedError('engine_too_new', `the Engine ${said.Version} no longer speaks API ${API_WANTED.join('.')}`);
    }
    const version = `v${(isBelow(highest, API_WANTED) ? highest : API_WANTED).join('.')}`;
    return new EngineConnection(make(version), version, registryLogin ? { ...registryLogin, serveraddress: registryUrl ?? '' } : {}, callLimitMs);
  }

  /** Runs one call: `what` completes "could not be asked to …". `limitMs: null` for one that lives as long as its signal. */
  async call<T>(what: string, work: (abortSignal: AbortSignal) => Promise<T>, options: CallOptions & { limitMs?: number | null } = {}): Promise<T> {
    const { signal, limitMs = this.callLimitMs } = options;
    signal?.throwIfAborted();
    const ours = new AbortController();
    const late = new CodedError('engine_timeout', `the Engine did not ${what} within ${limitMs} ms`, { retryable: true });
    const timer = limitMs === null ? undefined : setTimeout(() => ours.abort(late), limitMs);
    const onAbort = () => ours.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([
        work(ours.signal),
        new Promise<never>((_, reject) => ours.signal.addEventListener('abort', () => reject(ours.signal.reason as Error), { once: true })),
      ]);
    } catch (error) {
      if (ours.signal.aborted) throw ours.signal.reason;
      throw spell(what, error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

/** dockerode takes an AbortSignal everywhere; its types leave it out here and there. */
export function withSignal<T extends object>(abortSignal: AbortSignal, options?: T): T {
  return { ...options, abortSignal } as unknown as T;
}

/** For `.catch`: an error of this status becomes a value, everything else is thrown on. */
export function onStatus<T>(status: number, value: T): (error: unknown) => T {
  return (error) => {
    if (isEngineStatus(error, status)) return value;
    throw error;
  };
}
