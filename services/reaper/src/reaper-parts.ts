import type { Logger } from '@vibe/platform';
import type { RegistryClient } from '@vibe/registry';
import type { Epoch, JobQueues, NodeReports, RegistryCollection, SessionStore, SnapshotCare } from '@vibe/session-store';
import type { ReaperMetrics } from './reaper-metrics';
import type { Settings } from './settings';

/** What the reaper says to the registry. */
export type SnapshotShelf = Pick<RegistryClient, 'has' | 'takesPushes' | 'catalogue' | 'listTags' | 'resolve' | 'inspectSnapshot' | 'layersOf' | 'prove' | 'deleteManifest' | 'deleteRepository'>;

/** What main.ts opens once and every concern of the reaper is handed. */
export interface ReaperParts {
  readonly settings: Pick<Settings, 'REGISTRY_URL' | 'BASE_IMAGE' | 'IDLE_TIMEOUT_MINUTES' | 'HIBERNATED_TTL_DAYS' | 'HIBERNATIONS_PER_NODE' | 'REGISTRY_COLLECT_HOURS'>;
  readonly store: SessionStore;
  readonly epoch: Epoch;
  readonly reports: NodeReports;
  readonly care: SnapshotCare;
  readonly collection: RegistryCollection;
  readonly queues: Pick<JobQueues, 'add' | 'obliterate'>;
  readonly registry: SnapshotShelf;
  readonly metrics: ReaperMetrics;
  readonly logger: Logger;
}

/** How the reaper signs its moves in the audit stream. */
export const ACTOR = 'reaper';
