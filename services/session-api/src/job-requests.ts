import { type JobDefinition, SWARM_QUEUE, type SessionRecord, nodeJobs, nodeQueueOf, swarmJobs } from '@vibe/contracts';
import type { Logger } from '@vibe/platform';
import type { JobQueues } from '@vibe/session-store';

const ADD_LIMIT_MS = 2_000;

/** Asks for the work that a claim means. Never rejects: the claim stands, and the reaper adds again what was not added. */
export interface JobRequests {
  /** Start the generation that a `creating` or `waking` record claims. */
  start(record: SessionRecord): Promise<void>;
  /** Put the session to sleep on the node that holds it. */
  hibernate(record: SessionRecord): Promise<void>;
  /** Erase a session that is `deleting`. */
  erase(record: SessionRecord): Promise<void>;
}

/** @param options.queues on a connection that fails fast: a person waits for the answer */
export function createJobRequests(options: { queues: Pick<JobQueues, 'add'>; logger: Logger }): JobRequests {
  const { queues, logger } = options;

  async function add<Payload>(queueName: string, job: JobDefinition<Payload>, payload: Payload, record: SessionRecord): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    // BullMQ waits for its connection without a limit.
    const limit = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${ADD_LIMIT_MS} ms`)), ADD_LIMIT_MS);
    });
    try {
      await Promise.race([queues.add(queueName, job, payload), limit]);
    } catch (error) {
      logger.warn('a job could not be added; the reaper adds it again', { job: job.name, session_id: record.id, rev: record.rev, error });
    } finally {
      clearTimeout(timer);
    }
  }

  const workOf = ({ id, rev }: SessionRecord) => ({ session_id: id, rev });
  return {
    start: (record) => add(SWARM_QUEUE, swarmJobs.start, workOf(record), record),
    erase: (record) => add(SWARM_QUEUE, swarmJobs.erase, workOf(record), record),
    async hibernate(record) {
      if (record.node_id !== undefined) await add(nodeQueueOf(record.node_id), nodeJobs.hibernate, workOf(record), record);
    },
  };
}
