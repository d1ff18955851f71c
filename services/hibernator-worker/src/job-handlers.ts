import type { nodeJobs, swarmJobs } from '@vibe/contracts';
import type { HandlersOf } from '@vibe/session-store';
import type { AgentParts } from './agent-parts';
import { type CollectParts, collectGarbage } from './collect-garbage';
import { dropContainer, dropImages, eraseSession, retireGeneration } from './end-session';
import { hibernateSession } from './hibernate-session';
import { startSession } from './start-session';

/** Who does each job of this node's own queue. */
export function nodeHandlers(parts: AgentParts): HandlersOf<typeof nodeJobs> {
  return {
    hibernate: (payload, context) => hibernateSession(parts, payload, context),
    dropImage: (payload, context) => dropImages(parts, payload, context),
    dropContainer: (payload) => dropContainer(parts, payload),
    prepull: ({ image }, { signal }) => parts.engine.pullImage(image, { signal }),
  };
}

/** Who does each job of the Swarm's queue, on a manager. */
export function swarmHandlers(parts: AgentParts, collecting: CollectParts): HandlersOf<typeof swarmJobs> {
  return {
    start: (payload, context) => startSession(parts, payload, context),
    retire: (payload) => retireGeneration(parts, payload),
    erase: (payload) => eraseSession(parts, payload),
    collect: (payload, context) => collectGarbage(collecting, payload, context),
  };
}
