import { failpoint } from '@vibe/platform';
import { performRipe } from './perform-steps';
import type { ReaperParts } from './reaper-parts';
import { type ReconcileSnapshot, planReconcile } from './reconcile-plan';
import type { TickStats } from './tick-stats';

/** Reads what nodes, Swarm and records say; null while no manager has told of the Swarm lately: then nothing is decided. */
export async function takeReconcileSnapshot({ store, reports, settings }: Pick<ReaperParts, 'store' | 'reports' | 'settings'>): Promise<ReconcileSnapshot | null> {
  const [view, nodeReports] = await Promise.all([reports.swarmView(), reports.all()]);
  if (!view) return null;
  const ids = new Set([
    ...view.services.map(({ session_id }) => session_id),
    ...view.secrets.map(({ session_id }) => session_id),
    ...nodeReports.flatMap(({ containers, images }) => [...containers, ...images].map(({ session_id }) => session_id)),
    ...(await store.allRunning()),
    ...(await store.inWork(0, 10_000)),
  ]);
  const records = new Map((await store.getMany([...ids])).map((record) => [record.id, record]));
  return { view, reports: nodeReports, records, baseImage: settings.BASE_IMAGE };
}

/** Holds nodes and Swarm against the records, and asks for what must be done. Every step may be repeated. */
export async function reconcile(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const snapshot = await takeReconcileSnapshot(parts);
  if (!snapshot) return { steps: 0 };
  const steps = planReconcile(snapshot);
  await failpoint('reconcile.after-look');
  return performRipe(parts, 'reconcile', steps, signal);
}
