import type { SessionRecord } from '@vibe/contracts';
import type { Identity } from '@vibe/identity';
import { connectRedis, silentLogger, whenReady } from '@vibe/platform';
import type { RegistryClient } from '@vibe/registry';
import type { ApiParts } from '@vibe/session-api/api-parts';
import { type QuotaExceeded, createSession } from '@vibe/session-api/create-session';
import { deleteSession } from '@vibe/session-api/delete-session';
import { hibernateSession } from '@vibe/session-api/hibernate-session';
import { createJobRequests } from '@vibe/session-api/job-requests';
import { openSession } from '@vibe/session-api/open-session';
import { Epoch, NodeReports, SessionStore, SnapshotCare, subscribeToSessions } from '@vibe/session-store';
import type { Engine } from '@vibe/swarm';
import { GatedProcess } from './gate';
import { apiSettings } from './installation';
import type { JobLine } from './job-line';
import type { Weakening } from './weakenings';

const identityOf = (userId: string): Identity => ({ userId, isAdmin: false, via: 'bearer' });

/** One replica of session-api behind its HTTP: what a user's calls do, every call to the outside gated. */
export class ApiProcess {
  private constructor(
    readonly gate: GatedProcess,
    readonly parts: ApiParts,
    private readonly close: () => void,
  ) {}

  static async start(options: { redisUrl: string; line: JobLine; weaken: Weakening }): Promise<ApiProcess> {
    const commands = connectRedis(options.redisUrl, { purpose: 'requests', name: 'api', logger: silentLogger });
    await whenReady(commands);
    const gate = new GatedProcess('api');
    const memory = new Epoch(commands);
    const { store, epoch } = options.weaken({
      engine: {} as Engine, // neither Engine nor registry is known to it
      registry: {} as RegistryClient,
      store: gate.gate('redis', new SessionStore(commands, memory)),
      care: gate.gate('redis', new SnapshotCare(commands)),
      epoch: gate.gate('redis', memory),
    });
    const parts: ApiParts = {
      settings: apiSettings,
      store,
      epoch,
      reports: gate.gate('redis', new NodeReports(commands)),
      jobs: createJobRequests({ queues: gate.gate('redis', options.line), logger: silentLogger }),
      logger: silentLogger,
    };
    const events = connectRedis(options.redisUrl, { purpose: 'workers', name: 'api', logger: silentLogger });
    await subscribeToSessions(events, (event) => void epoch.hear(event).catch(() => undefined), () => undefined);
    return new ApiProcess(gate, parts, () => {
      commands.disconnect();
      events.disconnect();
    });
  }

  async create(userId: string): Promise<{ outcome: 'created'; record: SessionRecord } | QuotaExceeded> {
    await this.parts.epoch.require();
    return createSession(this.parts, identityOf(userId), undefined);
  }

  async open(userId: string, id: string): Promise<SessionRecord> {
    await this.parts.epoch.require();
    return openSession(this.parts, identityOf(userId), id);
  }

  async hibernate(userId: string, id: string): Promise<SessionRecord> {
    await this.parts.epoch.require();
    return hibernateSession(this.parts, identityOf(userId), id);
  }

  async delete(userId: string, id: string): Promise<SessionRecord> {
    await this.parts.epoch.require();
    return deleteSession(this.parts, identityOf(userId), id);
  }

  kill(): void {
    this.gate.die();
    this.close();
  }
}
