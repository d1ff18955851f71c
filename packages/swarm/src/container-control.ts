import { CodedError } from '@vibe/platform';
import { type CallOptions, type EngineConnection, engineStatus, isEngineStatus, onStatus } from './engine-connection';
import { inspectContainer } from './containers';

/**
 * Freezes a container. `paused` also when it was so already; that is found out by looking, whatever the Engine answered: it
 * uses the same status for several refusals. Repeatable.
 */
export async function pauseContainer(connection: EngineConnection, containerId: string, options?: CallOptions): Promise<'paused' | 'not_running' | 'absent'> {
  try {
    await connection.call(`pause ${containerId}`, (abortSignal) => connection.docker.getContainer(containerId).pause({ abortSignal }) as Promise<unknown>, options);
    return 'paused';
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const now = await inspectContainer(connection, containerId, options);
    if (!now) return 'absent';
    if (now.state === 'paused') return 'paused';
    if (now.state === 'running') throw error;
    return 'not_running';
  }
}

/** Thaws a container. True when this call thawed it; false when there was nothing frozen to thaw. Repeatable. */
export async function unpauseContainer(connection: EngineConnection, containerId: string, options?: CallOptions): Promise<boolean> {
  try {
    await connection.call(`unpause ${containerId}`, (abortSignal) => connection.docker.getContainer(containerId).unpause({ abortSignal }) as Promise<unknown>, options);
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const now = await inspectContainer(connection, containerId, options);
    if (now?.state === 'paused') throw error;
    return false;
  }
}

const isRefusal = (error: unknown): boolean => error instanceof CodedError && error.code === 'engine_error' && engineStatus(error.cause) !== null;

/** Ends a container, a frozen one too, and removes it with its layer. Repeatable. */
export async function removeContainer(connection: EngineConnection, containerId: string, options?: CallOptions): Promise<'removed' | 'absent'> {
  return connection
    .call(`remove ${containerId}`, async (abortSignal) => {
      await connection.docker.getContainer(containerId).remove({ force: true, v: true, abortSignal });
      return 'removed' as const;
    }, options)
    .catch(onStatus(404, 'absent' as const));
}

/**
 * Sends a signal to a container's first process. Refuses a frozen one (`would_thaw`): the Engine thaws it for the signal.
 * Whoever freezes must not run between this call's look and its signal. Repeatable.
 */
export async function signalContainer(connection: EngineConnection, containerId: string, signalName: 'SIGUSR1', options?: CallOptions): Promise<'sent' | 'not_running'> {
  const now = await inspectContainer(connection, containerId, options);
  if (now?.state === 'paused') throw new CodedError('would_thaw', `the container ${containerId} is frozen: ${signalName} would thaw it`);
  if (now?.state !== 'running') return 'not_running';
  return connection
    .call(`signal ${containerId}`, async (abortSignal) => {
      await connection.docker.getContainer(containerId).kill({ signal: signalName, abortSignal });
      return 'sent' as const;
    }, options)
    .catch((error: unknown) => {
      if (isEngineStatus(error, 409)) return 'not_running' as const;
      return onStatus(404, 'not_running' as const)(error);
    });
}
