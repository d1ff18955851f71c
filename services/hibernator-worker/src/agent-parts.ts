import type { Logger } from '@vibe/platform';
import type { RegistryClient } from '@vibe/registry';
import type { Epoch, JobQueues, NodeReports, RegistryCollection, SessionStore, SnapshotCare } from '@vibe/session-store';
import type { Engine } from '@vibe/swarm';
import type { Alarms } from './alarms';
import type { BaseImage } from './base-image';
import type { Freezer } from './freezer';
import type { IdleClock } from './idle-clock';
import type { DiskPromises, DiskSpace } from './disk-space';
import type { Settings } from './settings';
import type { WorkUnderWay } from './work-under-way';

/** What main.ts opens once and every concern of the agent is handed. */
export interface AgentParts {
  readonly nodeId: string;
  readonly isManager: boolean;
  readonly settings: Settings;
  readonly engine: Engine;
  readonly registry: RegistryClient;
  readonly baseImage: BaseImage;
  readonly store: SessionStore;
  readonly reports: NodeReports;
  readonly care: SnapshotCare;
  readonly collection: RegistryCollection;
  readonly epoch: Epoch;
  /** Whether this agent has watched Redis for long enough to believe a record against what it sees itself. */
  readonly isRested: () => boolean;
  readonly queues: Pick<JobQueues, 'add'>;
  readonly freezer: Freezer;
  readonly idleClock: IdleClock;
  /** Free and total bytes of the disk that the Engine writes to. */
  readonly disk: () => Promise<DiskSpace>;
  readonly diskPromises: DiskPromises;
  readonly underWay: WorkUnderWay;
  readonly alarms: Alarms;
  readonly logger: Logger;
}

/** How the agent signs its moves in the audit stream. */
export const ACTOR = 'hibernator-worker';
