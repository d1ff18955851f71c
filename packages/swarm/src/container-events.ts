import { readSessionLabels, sessionLabel } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import { z } from 'zod';
import { type EngineConnection, withSignal } from './engine-connection';
import { readJsonLines } from './progress-stream';

const actions = ['start', 'die', 'pause', 'unpause', 'oom', 'destroy'] as const;

/** Something happened to a session's container on this node. A hint: whoever hears it looks. */
export interface ContainerEvent {
  readonly action: (typeof actions)[number];
  readonly containerId: string;
  readonly sessionId: string;
}

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** The stream is open: what happens from now on is heard. Now is the time for a full look. */
  readonly onOpen: () => void;
  /** Awaited: while it works the Engine's stream waits, so nothing piles up here. */
  readonly onEvent: (event: ContainerEvent) => void | Promise<void>;
}

const eventSchema = z.object({
  Action: z.enum(actions),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
});

/**
 * Follows the session containers of this node until the signal aborts (then it resolves) or the stream ends (then it throws
 * `engine_unreachable`: the caller opens it again and looks at everything, for the Engine keeps only the last 256 events).
 */
export async function followContainerEvents(connection: EngineConnection, options: FollowOptions): Promise<void> {
  const { signal, onOpen, onEvent } = options;
  if (signal.aborted) return;
  const filters = { type: ['container'], label: [sessionLabel.session], event: [...actions] };
  try {
    await connection.call(
      'tell its events',
      async (abortSignal) => {
        const stream = await connection.docker.getEvents(withSignal<object>(abortSignal, { filters }));
        onOpen();
        for await (const line of readJsonLines(stream as AsyncIterable<Buffer>)) {
          const event = eventSchema.safeParse(line).data;
          const session = event && readSessionLabels(event.Actor.Attributes);
          if (session) await onEvent({ action: event.Action, containerId: event.Actor.ID, sessionId: session.session_id });
        }
        throw new CodedError('engine_unreachable', 'the Engine ended its stream of events', { retryable: true });
      },
      { signal, limitMs: null },
    );
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
