/** Every Redis key of a session's life. Types and contents: docs/architecture.md, "What is kept in Redis". */
export const keys = {
  epoch: 'vibe:epoch',
  moves: 'vibe:moves',
  /** Added to Redis' clock by every script; absent in production. Lets tests move the clock. */
  clockOffset: 'vibe:clock-offset-ms',
  session: (id: string): string => `session:${id}`,
  sessionPrefix: 'session:',
  userSessions: (userId: string): string => `user:${userId}:sessions`,
  byActivity: 'sessions:by-activity',
  byDeadline: 'sessions:by-deadline',
  inWork: 'sessions:in-work',
  counts: 'sessions:counts',
  startsInFlight: 'starts:in-flight',
  droppable: 'snapshots:droppable',
  sightings: 'orphans:first-seen',
  /** The registry's garbage collection that is under way: while it is there no session may begin to fall asleep. */
  collection: 'registry:collection',
  /** How the last one ended. */
  collected: 'registry:collected',
  node: (nodeId: string): string => `node:${nodeId}`,
  nodes: 'nodes',
  swarmView: 'swarm:view',
  audit: 'audit',
} as const;
