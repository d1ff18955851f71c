import type { Lab } from './lab';

/** A canary, and where it was seen: the node, and the file whose content or name it stands in. */
export interface Sighted {
  readonly canary: string;
  readonly node: string;
  readonly path: string;
  /** True in the registry's blobs, which are looked into decompressed. */
  readonly isInRegistry: boolean;
}

/** Where anything of a session could lie on a node. What is mounted below (a running container's own view) is its layers once more. */
const PLACES = ['/var/lib/docker', '/var/lib/containerd', '/var/log', '/var/tmp', '/tmp', '/run', '/etc', '/opt', '/root'];
const REGISTRY = '/var/lib/docker/volumes/vibe-registry/_data';

/** Prints `path:canary` for contents, plain and compressed, and `path` for names. $1: the canaries, one a line. */
const SEARCH = `
export CANARIES=$1
shift
places=$(ls -d "$@" 2>/dev/null || true)
find $places -xdev | grep -F "$CANARIES" || true
find $places -xdev -type f -size +0 -print0 | { xargs -0 -P 2 -n 400 grep -aoHF "$CANARIES" 2>/dev/null || true; } | sort -u
find ${REGISTRY} /var/lib/docker/tmp -xdev -type f -size +64c -print0 2>/dev/null |
  { xargs -0 -r -P 2 -n 1 bash -c 'zcat -f "$1" 2>/dev/null | grep -aoF "$CANARIES" | sort -u | sed "s|^|$1:|"' one || true; }
`;

/** Looks for canaries on the disk of every node: in names, in contents, in the registry's compressed blobs. Takes seconds. */
export async function findEverywhere(lab: Lab, canaries: readonly string[]): Promise<readonly Sighted[]> {
  const perNode = await Promise.all(
    (await lab.nodes()).map(async ({ hostname: node }) => {
      const lines = await lab.shell(node, SEARCH, canaries.join('\n'), ...PLACES);
      return lines.split('\n').flatMap((line): Sighted[] => {
        const canary = canaries.find((one) => line.includes(one));
        const path = line.replace(/:[0-9a-f]{64}$/, '');
        return canary === undefined ? [] : [{ canary, node, path, isInRegistry: path.startsWith(REGISTRY) }];
      });
    }),
  );
  return perNode.flat();
}
