import type { ApiSession } from '@vibe/contracts';
import { stepWords } from './session-text';

type Step = NonNullable<ApiSession['step']> | 'connecting';

/** What was seen of one piece of work: each step with the moment it was first seen (service time, ms). */
export interface StepTrail {
  readonly kind: 'start' | 'sleep';
  readonly generation: number;
  readonly startedAt: number;
  readonly reached: readonly { readonly step: Step; readonly at: number }[];
}

export interface StepLine {
  readonly words: string;
  readonly progress: 'done' | 'now' | 'next';
  /** How long it took or has been taking; null where its begin or end was not seen. */
  readonly elapsedMs: number | null;
}

const order: Readonly<Record<StepTrail['kind'], readonly Step[]>> = {
  start: ['queued', 'asked', 'starting', 'connecting'],
  sleep: ['queued', 'saving', 'freezing', 'committing', 'pushing', 'proving'],
};

/** The trail after a look at the session; null where there is no work to follow. */
export function follow(trail: StepTrail | null, session: ApiSession | null, now: number): StepTrail | null {
  if (session === null) return null;
  switch (session.state) {
    case 'creating':
    case 'waking':
      return extend(trail, session, 'start', session.step ?? 'queued', now);
    case 'hibernating':
      return extend(trail, session, 'sleep', session.step ?? 'queued', now);
    case 'running':
      return trail?.kind === 'start' && trail.generation === session.generation ? extend(trail, session, 'start', 'connecting', now) : null;
    case 'hibernated':
    case 'failed':
    case 'lost':
    case 'deleting':
      return null;
  }
}

function extend(trail: StepTrail | null, session: ApiSession, kind: StepTrail['kind'], step: Step, now: number): StepTrail {
  const isSame = trail?.kind === kind && trail.generation === session.generation;
  const startedAt = isSame ? trail.startedAt : Date.parse(session.state_since);
  const reached = isSame ? trail.reached : [];
  if (!order[kind].includes(step) || reached.some((one) => one.step === step)) return { kind, generation: session.generation, startedAt, reached };
  // Only a first step certainly began with the state; a later one that is seen first began at some unknown time.
  const at = reached.length === 0 && step === order[kind][0] ? startedAt : now;
  return { kind, generation: session.generation, startedAt, reached: [...reached, { step, at }] };
}

/** The trail as a list to show. */
export function trailLines(trail: StepTrail, now: number): StepLine[] {
  const steps = order[trail.kind];
  const latest = Math.max(0, ...trail.reached.map((one) => steps.indexOf(one.step)));
  return steps.map((step, index) => {
    const words = step === 'connecting' ? 'Connecting to the shell' : stepWords(step);
    const seen = trail.reached.findIndex((one) => one.step === step);
    const begin = trail.reached[seen]?.at ?? null;
    if (index === latest) return { words, progress: 'now', elapsedMs: begin === null ? null : now - begin };
    const end = seen === -1 ? null : (trail.reached[seen + 1]?.at ?? null);
    return { words, progress: index < latest ? 'done' : 'next', elapsedMs: begin === null || end === null ? null : end - begin };
  });
}
