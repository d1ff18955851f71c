import { randomBytes } from 'node:crypto';
import type { Lab } from './lab';

/** What can be left over by itself, and the step of the plan that takes it away. */
export const orphanSteps = {
  service: 'retire',
  secret: 'retire',
  container: 'dropContainer',
  image: 'dropImage',
  repository: 'eraseRepository',
} as const;

export type OrphanKind = keyof typeof orphanSteps;

/** Something that carries the labels of a session nobody knows. */
export interface Orphan {
  readonly kind: OrphanKind;
  readonly sessionId: string;
}

/** One line of `scripts/reconcile --dry-run --json`. */
export interface PlannedStep {
  readonly step: string;
  readonly session_id?: string;
  readonly why: string;
  readonly when: 'now' | 'waits';
  readonly seen_for_ms: number | null;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

function madeUpSessionId(): string {
  return [...randomBytes(26)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** The labels of docs/architecture.md, as options of a docker command; a snapshot carries three more. */
function labels(option: string, id: string): string {
  const said = { session: id, user: 'nobody', gen: '1', name: 'orphan', created: '1' };
  return Object.entries(said).map(([key, value]) => `${option} vibe.${key}=${value}`).join(' ');
}

/** A shell line that makes an empty image under this name, labelled as a snapshot. */
function makeSnapshot(name: string, id: string): string {
  const said = `vibe.session=${id} vibe.user=nobody vibe.gen=1 vibe.name=orphan vibe.created=1 vibe.rev=3 vibe.last_activity=1 vibe.taken=1`;
  return `tar cf - --files-from /dev/null | docker import --change 'LABEL ${said}' - ${name} >/dev/null`;
}

/** Makes one orphan of each kind, each of a session of its own. `image` is one that every node has. */
export async function makeOrphans(lab: Lab, { worker, image }: { readonly worker: string; readonly image: string }): Promise<readonly Orphan[]> {
  const nameOf = (id: string): string => `registry:5000/vibe-session-${id}:g1-r3-madebyme`;
  const make: Record<OrphanKind, (id: string) => Promise<string>> = {
    service: (id) => lab.shell('manager', `docker service create --detach --quiet --name session-${id} ${labels('--label', id)} ${labels('--container-label', id)} --restart-condition none ${image} sleep 1d`),
    secret: (id) => lab.shell('manager', `echo left over | docker secret create ${labels('--label', id)} ttyd-${id}-g1 -`),
    container: (id) => lab.shell(worker, `docker run --detach --network none ${labels('--label', id)} ${image} sleep 1d`),
    image: (id) => lab.shell(worker, makeSnapshot(nameOf(id), id)),
    repository: (id) => lab.shell('manager', `${makeSnapshot(nameOf(id), id)}; docker push --quiet ${nameOf(id)}; docker rmi ${nameOf(id)}`),
  };
  return Promise.all(
    (Object.keys(make) as OrphanKind[]).map(async (kind) => {
      const sessionId = madeUpSessionId();
      await make[kind](sessionId);
      return { kind, sessionId };
    }),
  );
}

/** Everything of these sessions that is anywhere. */
export async function traces(lab: Lab, orphans: readonly Orphan[]): Promise<readonly string[]> {
  const found = await Promise.all(
    orphans.map(async ({ kind, sessionId }) => {
      const [named, containers, images, tags] = await Promise.all([lab.servicesAndSecretsOf(sessionId), lab.containersOf(sessionId), lab.snapshotsOnNodes(sessionId), lab.tagsInRegistry(`vibe-session-${sessionId}`)]);
      const all = [...named.map((name) => name.split(' ')[0]), ...containers.map(() => 'container'), ...images.map(() => 'image'), ...tags.map(() => 'repository')];
      return all.map((what) => `${kind}: ${what ?? ''}`);
    }),
  );
  return found.flat().sort();
}

/** What reconciling would do now, as an operator reads it. */
export async function dryRun(lab: Lab): Promise<readonly PlannedStep[]> {
  const lines = await lab.exec('manager', '/opt/vibeswarm/scripts/reconcile', '--dry-run', '--json');
  return lines.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as PlannedStep);
}
