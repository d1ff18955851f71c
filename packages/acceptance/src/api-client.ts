import { Agent, fetch } from 'undici';
import type { Installation } from './installation';

export type SessionState = 'creating' | 'running' | 'hibernating' | 'hibernated' | 'waking' | 'failed' | 'lost' | 'deleting';

/** A session as the API's description promises it. */
export interface Session {
  readonly id: string;
  readonly name: string;
  readonly state: SessionState;
  readonly generation: number;
  readonly created_at: string;
  readonly last_activity: string;
  readonly state_since: string;
  readonly sleeps_at: string | null;
  readonly expires_at: string | null;
  readonly idle: { readonly is_idle: boolean; readonly reason: string };
  readonly step: string | null;
  readonly hibernate_reason: string | null;
  readonly retry_after: string | null;
  readonly reason: string | null;
  readonly snapshot_bytes: number | null;
  readonly terminal_url: string;
}

/** Where a running session's terminal is, and ttyd's token for the first message. */
export interface TerminalAddress {
  readonly path: string;
  readonly auth_token: string;
}

export interface Opened {
  readonly session: Session;
  readonly terminal?: TerminalAddress;
}

export interface ApiErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly details?: unknown };
}

export interface Answer<Body = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** The API answered something else than the caller's step needs. */
export class UnexpectedAnswer extends Error {
  constructor(
    readonly call: string,
    readonly answer: Answer,
  ) {
    super(`${call} was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
    this.name = 'UnexpectedAnswer';
  }
}

export interface SendOptions {
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it stands, for bodies that are wrong on purpose. */
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type HttpMethod = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

/** The REST API as one user's script calls it. */
export class ApiClient {
  readonly #agent: Agent;

  constructor(
    private readonly installation: Installation,
    private readonly token: string | null,
  ) {
    this.#agent = new Agent({ connect: { ...installation.tls } });
  }

  /** One call, whatever its answer. The body is parsed when it is JSON, else it is the text. */
  async send<Body = unknown>(method: HttpMethod, path: string, options: SendOptions = {}): Promise<Answer<Body>> {
    const body = options.raw ?? (options.json === undefined ? undefined : JSON.stringify(options.json));
    const headers = {
      ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
      ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    };
    const response = await fetch(new URL(path, this.installation.url), {
      method,
      headers,
      dispatcher: this.#agent,
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    return { status: response.status, headers: response.headers as unknown as Headers, body: (isJson && text !== '' ? JSON.parse(text) : text) as Body };
  }

  /** One call that must end with one of these statuses. Throws UnexpectedAnswer. */
  async must<Body>(statuses: readonly number[], method: HttpMethod, path: string, options: SendOptions = {}): Promise<Body> {
    const answer = await this.send<Body>(method, path, options);
    if (!statuses.includes(answer.status)) throw new UnexpectedAnswer(`${method} ${path}`, answer);
    return answer.body;
  }

  create(name?: string): Promise<Session> {
    return this.must([201], 'POST', '/api/sessions', { json: name === undefined ? {} : { name } });
  }

  async list(): Promise<readonly Session[]> {
    return (await this.must<{ sessions: readonly Session[] }>([200], 'GET', '/api/sessions')).sessions;
  }

  get(id: string): Promise<Session> {
    return this.must([200], 'GET', `/api/sessions/${id}`);
  }

  rename(id: string, name: string): Promise<Session> {
    return this.must([200], 'PATCH', `/api/sessions/${id}`, { json: { name } });
  }

  /** 200 with the terminal's address, or 202 when it is on its way. */
  open(id: string): Promise<Opened> {
    return this.must([200, 202], 'POST', `/api/sessions/${id}/open`, { json: {} });
  }

  hibernate(id: string): Promise<Session> {
    return this.must([202], 'POST', `/api/sessions/${id}/hibernate`, { json: {} });
  }

  delete(id: string): Promise<unknown> {
    return this.must([202, 404], 'DELETE', `/api/sessions/${id}`);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
