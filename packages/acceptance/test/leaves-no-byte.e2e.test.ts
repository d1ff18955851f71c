import { randomBytes } from 'node:crypto';
import { findEverywhere } from '../src/canary-search';
import { eventually } from '../src/eventually';
import { moveClock, resetClock } from '../src/lab-clock';
import type { Person } from '../src/person';
import { report, useLab } from './lab-fixture';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** A session with a secret of its own, in a file's content and in its name. */
interface Marked {
  readonly id: string;
  readonly canary: string;
}

describe('a session that is over', () => {
  const fixture = useLab();
  afterEach(() => resetClock(fixture.lab));

  async function createMarked(person: Person): Promise<Marked> {
    const [{ id }, canary] = [await person.create(), randomBytes(32).toString('hex')];
    await person.runIn(id, `echo ${canary} > ~/secret.txt; touch ~/named-${canary}`);
    return { id, canary };
  }

  /** So that each lies in the registry and on two nodes. */
  async function sleepAndWakeElsewhere(person: Person, all: readonly Marked[]): Promise<void> {
    const at = await Promise.all(all.map(async (marked) => ({ ...marked, node: (await fixture.lab.containerOf(marked.id)).node })));
    await Promise.all(all.map(({ id }) => person.sleep(id)));
    for (const node of new Set(at.map((marked) => marked.node))) {
      const theirs = at.filter((marked) => marked.node === node);
      const kept = await fixture.lab.withoutNewcomers(node, () => Promise.all(theirs.map(({ id }) => person.runIn(id, 'cat ~/secret.txt'))));
      expect(kept).toEqual(theirs.map(({ canary }) => canary));
      for (const { id } of theirs) expect((await fixture.lab.containerOf(id)).node).not.toBe(node);
    }
  }

  it('deleted, expired or lost, has left no byte on any node nor in the registry once its garbage is collected', async () => {
    const person = await fixture.signIn('forgotten');
    const { limits } = await person.api.must<{ limits: { hibernated_ttl_days: number } }>([200], 'GET', '/api/me');
    const all = await Promise.all([createMarked(person), createMarked(person), createMarked(person)]);
    const [deleted, expired, lost] = all;
    await sleepAndWakeElsewhere(person, all);
    await person.sleep(expired.id);
    const asleepAt = performance.now();

    // The search can find: each of them is in the registry and on both nodes, as content and as a name.
    const canaries = all.map(({ canary }) => canary);
    const before = await findEverywhere(fixture.lab, canaries);
    for (const canary of canaries) {
      const seen = before.filter((sighted) => sighted.canary === canary);
      expect(seen.some(({ isInRegistry }) => isInRegistry)).toBe(true);
      expect(new Set(seen.filter(({ isInRegistry }) => !isInRegistry).map(({ node }) => node)).size).toBe(2);
      expect(seen.some(({ path }) => path.endsWith(`named-${canary}`))).toBe(true);
    }

    await person.delete(deleted.id);
    const { node, containerId } = await fixture.lab.containerOf(lost.id);
    await fixture.lab.exec(node, 'docker', 'kill', '--signal', 'KILL', containerId);
    await person.events.until(lost.id, 'it is lost', ({ session }) => session?.state === 'lost', { withinMs: 60_000 });
    // Just after its end: one that is noticed late is put off. The search took its time.
    await moveClock(fixture.lab, limits.hibernated_ttl_days * DAY_MS + MINUTE_MS - (performance.now() - asleepAt));
    await Promise.all([expired, lost].map(({ id }) => person.events.untilRemoved(id, { withinMs: 180_000 })));
    await eventually('their containers are gone', async () => (await Promise.all(all.map(({ id }) => fixture.lab.containersOf(id)))).flat().length === 0, { withinMs: 60_000 });
    const told = await fixture.lab.exec('manager', '/opt/vibeswarm/scripts/registry-gc', '--wait');

    const startedAt = performance.now();
    const after = await findEverywhere(fixture.lab, canaries);
    report(`${before.length} places before, ${after.length} after (looked at in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s); the collection: ${told.split('\n').at(-1) ?? ''}`);
    expect(after).toEqual([]);
  });
});
