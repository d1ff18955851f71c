import { SIGHTINGS_APART_MS, type Scope, printStep } from './perform-steps';
import type { ReaperParts } from './reaper-parts';
import { takeReconcileSnapshot } from './reconcile';
import { type Step, type StepKind, planReconcile, silentNodes } from './reconcile-plan';
import { DROPS_MAX } from './registry-care';
import { planDroppable, takeRegistrySnapshot } from './registry-look';
import { planRegistry } from './registry-plan';

/** One step of the plan. `seenForMs`: since when it waits for its second sighting; 0 when it is seen for the first time, null when it needs none. */
export interface PlannedStep {
  readonly step: Step;
  readonly seenForMs: number | null;
  /** True while a collection of the registry holds it up. */
  readonly isHeld: boolean;
}

export interface DryRun {
  readonly steps: readonly PlannedStep[];
  /** Why a part of the world was not looked at, one sentence each: then the plan is not whole. */
  readonly leftOut: readonly string[];
}

/** What the reconcile rounds would do now, of nodes, Swarm and registry alike. Changes nothing. */
export async function takeDryRun(parts: ReaperParts, signal: AbortSignal): Promise<DryRun> {
  if (!(await parts.epoch.isOpen())) return { steps: [], leftOut: ['Redis is being filled again from what the nodes and the registry hold: until that is done nothing is reconciled'] };
  const leftOut: string[] = [];
  const snapshot = await takeReconcileSnapshot(parts);
  if (!snapshot) leftOut.push('no manager has told of the Swarm lately: nodes and services were not looked at');
  for (const { hostname } of snapshot ? silentNodes(snapshot) : []) leftOut.push(`no agent has told of the node ${hostname} lately: it was not looked at`);
  const ofSwarm = snapshot ? planReconcile(snapshot) : [];
  const isCollecting = (await parts.collection.current()) !== null;
  if (isCollecting) leftOut.push('the registry is being collected: until that is over nothing is taken from it');
  const ofRegistry = await planOfRegistry(parts, leftOut, signal).catch((error: unknown) => {
    leftOut.push(`the registry could not be read (${error instanceof Error ? error.message : String(error)}): it was not looked at`);
    return [];
  });
  const steps = [...(await withSightings(parts, 'reconcile', ofSwarm)), ...(await withSightings(parts, 'registry', ofRegistry, isCollecting))];
  return { steps, leftOut };
}

async function planOfRegistry(parts: ReaperParts, leftOut: string[], signal: AbortSignal): Promise<Step[]> {
  const due: Step[] = [];
  for (const droppable of await parts.care.due(DROPS_MAX)) {
    const step = await planDroppable(parts, droppable);
    if (step !== 'wait' && step) due.push(step);
  }
  const snapshot = await takeRegistrySnapshot(parts, signal);
  if (snapshot) return [...due, ...planRegistry(snapshot)];
  leftOut.push(`the registry does not have the base image (${parts.settings.BASE_IMAGE}): it is another one, or not as it was, and is not held against the records`);
  return [];
}

async function withSightings({ care }: ReaperParts, scope: Scope, steps: readonly Step[], isHeld = false): Promise<PlannedStep[]> {
  const seenForMs = await care.seenFor(scope);
  return steps.map((step) => ({ step, seenForMs: step.sighting === null ? null : (seenForMs.get(step.sighting) ?? 0), isHeld }));
}

const names: Record<StepKind, string> = {
  lose: 'call it lost',
  retire: 'remove service, secret',
  dropImage: 'remove images',
  dropContainer: 'remove container',
  forgetNode: 'remove queue',
  prepull: 'pull base image',
  eraseRepository: 'erase repository',
  dropTag: 'drop tag',
  dropSnapshot: 'delete snapshot',
  alarm: 'alarm',
};

const isRipe = ({ seenForMs, isHeld }: PlannedStep): boolean => !isHeld && (seenForMs === null || seenForMs >= SIGHTINGS_APART_MS);

function whenOf(planned: PlannedStep): string {
  if (planned.isHeld) return 'waits: the registry is being collected';
  if (planned.seenForMs === null) return 'now';
  const seenS = Math.floor(planned.seenForMs / 1_000);
  if (isRipe(planned)) return `now: seen for ${seenS} s`;
  return planned.seenForMs === 0 ? 'waits: seen for the first time' : `waits: seen for ${seenS} s`;
}

/** The plan for people: a line a step, and how many there are. What was left out is told beside it. Pure. */
export function dryRunLines({ steps, leftOut }: DryRun): string[] {
  if (steps.length === 0) return leftOut.length > 0 ? [] : ['Nothing to do: all is as the records say.'];
  const rows = steps.map((planned) => {
    const { kind, with: args, why } = planned.step;
    const of = Object.entries(args).flatMap(([name, value]) => (value === null || name === 'rev' ? [] : [`${name.replace(/_id$/, '')} ${String(value)}`]));
    return [whenOf(planned), names[kind], why, of.join(', ')];
  });
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const ripe = steps.filter(isRipe).length;
  return [
    ...rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()),
    `${steps.length} in all, ${ripe} of them now. What has no record goes at a second sighting, ${SIGHTINGS_APART_MS / 1_000} s after the first.`,
  ];
}

/** The plan for programs: one JSON object a step. Pure. */
export function dryRunJson({ steps }: DryRun): string[] {
  return steps.map((planned) => JSON.stringify({ ...printStep(planned.step), when: isRipe(planned) ? 'now' : 'waits', seen_for_ms: planned.seenForMs }));
}
