import { type SessionLabels, newSessionId } from '@vibe/contracts';
import type { RegistryAccess } from '@vibe/testkit';
import type { Engine } from '../src';

/** An Engine with a registry beside it, and the hands a test needs that we never have ourselves. */
export interface EngineUnderTest {
  readonly engine: Engine;
  /** As in image names. */
  readonly registryHost: string;
  readonly registry: RegistryAccess;
  /** An image that does nothing for ever, in this Engine's registry, by digest. Its config has the label `base=yes`. */
  readonly baseImage: string;
  /** Runs a container that is no task's, from the base image or another; its environment has `KEPT=yes`. Resolves with its id. */
  readonly run: (labels: Readonly<Record<string, string>>, image?: string) => Promise<string>;
  readonly write: (containerId: string, path: string, content: string) => Promise<void>;
  /** A file that is one hole: `bytes` long, next to nothing on the disk. */
  readonly writeHole: (containerId: string, path: string, bytes: number) => Promise<void>;
  readonly read: (containerId: string, path: string) => Promise<string>;
  readonly kill: (containerId: string) => Promise<void>;
  readonly remove: (containerId: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Labels of a session that no other test knows. */
export const newLabels = (gen = 1): SessionLabels => ({ session_id: newSessionId(), user_id: 'ann@example.org', gen, name: `the "best" one's \\ $HOME ü`, created_at: 1_700_000_000_000 });

const LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 50;

/** Looks until it sees what it waits for. */
export async function when<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> {
  const until = Date.now() + LIMIT_MS;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > until) throw new Error(`it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
