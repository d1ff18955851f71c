import { failpoint } from '@vibe/platform';
import { performRipe } from './perform-steps';
import { readRecords } from './read-records';
import type { ReaperParts } from './reaper-parts';
import { type ReconcileSnapshot, planReconcile } from './reconcile-plan';
import type { TickStats } from './tick-stats';

/** Reads what nodes, Swarm and records say; null while no manager has told of the Swarm lately: then nothing is decided. A session whose record cannot be read is not in it. */
export async function takeReconcileSnapshot(parts: Pick<ReaperParts, 'store' | 'reports' | 'settings' | 'logger'>): Promise<ReconcileSnapshot | null> {
  const { store, reports, settings } = parts;
  const [view, nodeReports, nodesEverSeen] = await Promise.all([reports.swarmView(), reports.all(), reports.everSeen()]);
  if (!view) return null;
  const ids = new Set([
    ...view.services.map(({ session_id }) => session_id),
    ...view.secrets.map(({ session_id }) => session_id),
    ...nodeReports.flatMap(({ containers, images }) => [...containers, ...images].map(({ session_id }) => session_id)),
    ...(await store.allRunning()),
    ...(await store.inWork(0, 10_000)),
  ]);
  const { records, isUnreadable } = await readRecords(parts, [...ids]);
  const isSeen = ({ session_id }: { session_id: string }): boolean => !isUnreadable(session_id);
  return {
    view: { ...view, services: view.services.filter(isSeen), secrets: view.secrets.filter(isSeen) },
    reports: nodeReports.map((report) => ({ ...report, containers: report.containers.filter(isSeen), images: report.images.filter(isSeen) })),
    nodesEverSeen,
    records: new Map(records.map((record) => [record.id, record])),
    baseImage: settings.BASE_IMAGE,
  };
}

/** Holds nodes and Swarm against the records, and asks for what must be done. Every step may be repeated. */
export async function reconcile(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const snapshot = await takeReconcileSnapshot(parts);
  if (!snapshot) return { steps: 0 };
  const steps = planReconcile(snapshot);
  await failpoint('reconcile.after-look');
  return performRipe(parts, 'reconcile', steps, signal);
}
