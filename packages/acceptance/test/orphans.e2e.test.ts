import { eventually } from '../src/eventually';
import { hastenTick, moveClock, resetClock } from '../src/lab-clock';
import { type OrphanKind, type PlannedStep, dryRun, makeOrphans, orphanSteps, traces } from '../src/orphans';
import { report, useLab } from './lab-fixture';

const SIGHTINGS_APART_MS = 60_000;
/** Nodes and services are looked at this often. */
const ROUND_MS = 10_000;

describe('what is there without a record', () => {
  const fixture = useLab();
  afterEach(() => resetClock(fixture.lab));

  it('of each kind is named by the dry run with its reason, outlives the first sighting, and is gone after a second; sessions are untouched (F23, I5)', async () => {
    const person = await fixture.signIn('bystander');
    const [awake, asleep] = await Promise.all([person.create('awake'), person.create('asleep')]);
    const pid = await person.runIn(awake.id, 'echo $$');
    await person.runIn(asleep.id, 'echo kept > note.txt');
    await person.sleep(asleep.id);
    const container = await fixture.lab.containerOf(awake.id);
    const image = await fixture.lab.exec(container.node, 'docker', 'inspect', '--format', '{{.Config.Image}}', container.containerId);

    const orphans = await makeOrphans(fixture.lab, { worker: container.node, image });
    const kinds = Object.keys(orphanSteps) as OrphanKind[];
    expect(new Set((await traces(fixture.lab, orphans)).map((trace) => trace.split(':')[0]))).toEqual(new Set(kinds));

    // A reaper that starts looks at the whole registry in its first round.
    await hastenTick(fixture.lab, 'registry-care');
    await fixture.lab.shell('manager', 'docker kill "$(docker ps --quiet --filter label=com.docker.swarm.service.name=vibe-control_reaper)"');

    // What the plan names is still there: a round that saw it has left it alone.
    const leftAlone = new Map<OrphanKind, PlannedStep>();
    await eventually('a first round has seen each of them, and those of nodes and Swarm a second one', async () => {
      const plan = await dryRun(fixture.lab);
      for (const { kind, sessionId } of orphans) {
        const planned = plan.find((step) => step.session_id === sessionId && step.step === orphanSteps[kind]);
        const seenForMs = planned?.seen_for_ms ?? 0;
        if (planned && seenForMs > 0 && (!leftAlone.has(kind) || seenForMs > ROUND_MS)) leftAlone.set(kind, planned);
      }
      return kinds.every((kind) => (leftAlone.get(kind)?.seen_for_ms ?? 0) > (kind === 'repository' ? 0 : ROUND_MS));
    }, { withinMs: 120_000, everyMs: 500 });

    await moveClock(fixture.lab, SIGHTINGS_APART_MS);
    await hastenTick(fixture.lab, 'registry-care');
    await eventually('all of them are gone', async () => (await traces(fixture.lab, orphans)).length === 0, { withinMs: 120_000, everyMs: 1_000 });
    for (const [kind, { step, why, seen_for_ms }] of leftAlone) {
      report(`${kind}: ${step} (${why}), still there ${Math.round((seen_for_ms ?? 0) / 1_000)} s after it was first seen`);
      expect(why).toMatch(/no record|nor record/);
    }

    expect(await person.runIn(awake.id, 'echo $$')).toBe(pid);
    expect((await fixture.lab.containerOf(awake.id)).containerId).toBe(container.containerId);
    expect(await person.runIn(asleep.id, 'cat note.txt')).toBe('kept');
  });
});
