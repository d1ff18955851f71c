import type { ContainerEvent } from '@vibe/swarm';
import type { AgentParts } from './agent-parts';
import type { ContainerWatch } from './container-watch';
import { repeatEvery } from './repeat-every';

/** Follows the Engine's events for as long as the agent lives. They are hints: every gap is closed by a look at everything. */
export function followContainers(parts: Pick<AgentParts, 'engine' | 'logger'>, watch: ContainerWatch, stopping: AbortSignal, resync: () => Promise<void>): void {
  const onError = (action: string) => (error: unknown) => parts.logger.warn('an event could not be followed', { action, error });
  // Not awaited: the wait for one terminal's port must not hold up the news of another.
  const onEvent = ({ action, containerId }: ContainerEvent): void => {
    if (action === 'start') void watch.started(containerId).catch(onError(action));
    if (action === 'die' || action === 'destroy') void watch.died(containerId).catch(onError(action));
  };
  const follow = () => parts.engine.followContainerEvents({ signal: stopping, onOpen: () => void resync().catch(onError('open')), onEvent });
  repeatEvery(1_000, stopping, follow, (error) => {
    if (!stopping.aborted) parts.logger.warn('the event stream broke', { error });
  });
}
