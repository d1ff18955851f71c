import type { Lab } from '../src/lab';
import type { Person } from '../src/person';
import type { BenchOptions } from './bench-start';
import type { Measured } from './figures';
import { inTurn, type Round } from './in-turn';
import { NodeEngine } from './node-engine';
import { RawSnapshot, removeRawSnapshots } from './raw-snapshot';

export const hibernateNames = { raw: 'raw: docker commit + docker push', ours: 'ours: claim → commit point' };

export interface HibernateOptions extends BenchOptions {
  readonly megabytes: number;
}

/**
 * In every round one session, and one plain container of the same image on the same node, get their own content of the
 * same size and kind. Raw: the plain container, frozen, is committed and pushed over the node's Engine API into a
 * repository of its own, as ours is. Ours: from the claim to the commit point, both as the live events told them.
 */
export async function benchHibernate({ lab, person, rounds, say, megabytes }: HibernateOptions): Promise<Measured> {
  const engines = new Map<string, NodeEngine>();
  for (const { hostname } of await lab.nodes()) engines.set(hostname, await NodeEngine.connect(lab, hostname));
  const registryAuth = Buffer.from(await lab.exec('manager', 'cat', '/etc/vibeswarm/registry-login')).toString('base64url');
  const fill = fillCommand(megabytes);

  const prepare = async (): Promise<Round> => {
    const { id } = await person.create('bench');
    await person.runIn(id, fill, { withinMs: 120_000 });
    const { node, image } = await placeOf(lab, id);
    const engine = engines.get(node);
    if (!engine) throw new Error(`session ${id} is on ${node}, which is no node of the lab`);
    const plain = await RawSnapshot.start({ lab, node, engine, image, registryAuth });
    await plain.run(fill);
    return {
      raw: () => plain.take(),
      ours: () => sleepOf(person, id, say),
      end: async () => {
        await plain.remove();
        await person.delete(id);
      },
    };
  };
  try {
    for (const engine of engines.values()) await removeRawSnapshots(lab, engine);
    return await inTurn({ rounds, say, prepare });
  } finally {
    for (const engine of engines.values()) await engine.close();
  }
}

/** Half of it random, half of it one line again and again; never the same twice, so that no layer is there already. */
function fillCommand(megabytes: number): string {
  const bytes = (megabytes * 1_000_000) / 2;
  return `head -c ${bytes} /dev/urandom > random.bin; yes "$(head -c 48 /dev/urandom | base64 -w0)" | head -c ${bytes} > text.txt; sync`;
}

async function placeOf(lab: Lab, id: string): Promise<{ readonly node: string; readonly image: string }> {
  const { node, containerId } = await lab.containerOf(id);
  return { node, image: await lab.exec(node, 'docker', 'inspect', '--format', '{{.Image}}', containerId) };
}

async function sleepOf(person: Person, id: string, say: (progress: string) => void): Promise<number> {
  await person.sleep(id);
  const sightings = person.events.sightingsOf(id);
  const claim = sightings.find(({ session }) => session?.state === 'hibernating');
  const proven = sightings.find(({ session }) => session?.state === 'hibernated');
  if (!claim || !proven) throw new Error(`the live events did not tell the claim and the commit point of ${id}`);
  const steps = sightings.filter(({ session }) => session?.state === 'hibernating').map(({ session, atMs }) => `${session?.step ?? 'claimed'} ${Math.round(atMs - claim.atMs)}`);
  say(`    ${steps.join(', ')}, proven ${Math.round(proven.atMs - claim.atMs)} ms`);
  return proven.atMs - claim.atMs;
}
