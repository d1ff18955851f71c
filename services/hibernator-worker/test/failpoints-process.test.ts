import { type NamedFailpoint, failpointsOf } from './failpoints-list';
import { type Ground, layGround } from './process-ground';
import { type Run, breakAt } from './process-run';
import { Stage } from './process-stage';

jest.setTimeout(900_000);

/** So many faults strike in one run: not more than two of them in one start, which has 60 s in all. */
const FAULTS_A_RUN = 8;

/** Those of one service on one journey, a few at a time, neighbours apart. */
function together(all: readonly NamedFailpoint[]): NamedFailpoint[][] {
  const wayOf = ({ service, journey }: NamedFailpoint) => `${service} ${journey}`;
  return [...new Set(all.map(wayOf))].flatMap((way) => {
    const group = all.filter((failpoint) => wayOf(failpoint) === way);
    const count = Math.ceil(group.length / FAULTS_A_RUN);
    return Array.from({ length: count }, (_, part) => group.filter((_failpoint, i) => i % count === part));
  });
}

const failpoints = together([...failpointsOf('hibernator-worker'), ...failpointsOf('reaper')]);
/** All of those alone first: a stage keeps or lacks its process beside the broken one for as long as it can. */
const runsWith = (action: Run['action'], of = failpoints) =>
  (['same', 'other'] as const).flatMap((retriedBy) => of.map((some): Run & { names: string } => ({ names: some.map(({ name }) => name).join(', '), failpoints: some, action, retriedBy })));

// Most of a run waits for locks and looks, so that several go on at once, each on a stage of its own.
let ground: Promise<Ground> | undefined;
const free: Stage[] = [];

async function onStage(run: Run): Promise<void> {
  const stage = free.pop() ?? (await Stage.start(await (ground ??= layGround())));
  try {
    await breakAt(stage, run);
    free.push(stage);
  } catch (error) {
    // What went wrong on a stage must not be blamed on the next run.
    await stage.stop().catch(() => undefined);
    throw error;
  }
}

afterAll(async () => {
  await Promise.all(free.map((stage) => stage.stop()));
  await (await ground)?.remove();
});

describe('a process that is killed loses nothing and leaves nothing (F1, F5)', () => {
  it.concurrent.each(runsWith('kill'))('at $names, its work taken up by the $retriedBy', onStage);

  it.concurrent('even when three die of the same job, one after the other', () => {
    const [first] = failpoints.flat().filter(({ name }) => name.startsWith('hibernate.'));
    return onStage({ failpoints: [first!, first!, first!], action: 'kill', retriedBy: 'same' });
  });
});

describe('a process that stands still for longer than its locks, and then goes on where it was, loses nothing and leaves nothing (F3, F4)', () => {
  it.concurrent.each(runsWith('stop'))('at $names, its work taken up by the $retriedBy', onStage);
});

describe('a process that never hears what Redis answers next loses nothing and leaves nothing (F6b)', () => {
  it.concurrent.each(runsWith('deafen'))('at $names, its work taken up by the $retriedBy', onStage);
});

describe('work that fails in a process that lives on loses nothing and leaves nothing (F4)', () => {
  // Those on the way of every life are in failpoints.test.ts.
  const aside = failpoints.filter(([first]) => first?.journey !== 'a whole life');
  it.concurrent.each(runsWith('throw', aside))('at $names, taken up by the $retriedBy', onStage);
});
