import { type NodeReport, REPORT_EXPIRES_MS, type SwarmView, nodeReportSchema, swarmViewSchema } from '@vibe/contracts';
import type { Redis } from 'ioredis';
import { keys } from './keys';

/** What the agents saw of nodes and Swarm. Every report expires by itself when its agent falls silent. */
export class NodeReports {
  constructor(private readonly redis: Redis) {}

  /** Replaces this node's report. Safe to repeat. */
  async put(report: NodeReport): Promise<void> {
    await this.redis
      .multi()
      .set(keys.node(report.node_id), JSON.stringify(report), 'PX', REPORT_EXPIRES_MS)
      .sadd(keys.nodes, report.node_id)
      .exec();
  }

  /** All reports that still count. */
  async all(): Promise<NodeReport[]> {
    const ids = await this.everSeen();
    if (ids.length === 0) return [];
    const texts = await this.redis.mget(ids.map(keys.node));
    return texts.flatMap((text) => (text === null ? [] : [nodeReportSchema.parse(JSON.parse(text))]));
  }

  /** The ids of all nodes that ever reported and were not forgotten. */
  async everSeen(): Promise<string[]> {
    return this.redis.smembers(keys.nodes);
  }

  /** Forgets that this node ever was: its next report brings it back. Safe to repeat. */
  async forget(nodeId: string): Promise<void> {
    await this.redis.srem(keys.nodes, nodeId);
  }

  /** Forgets every report and the view: whatever is there afterwards was seen after this moment. */
  async clear(): Promise<void> {
    const ids = await this.everSeen();
    await this.redis.del(keys.swarmView, keys.nodes, ...ids.map(keys.node));
  }

  /** Replaces what a manager's agent saw of the Swarm. */
  async putSwarmView(view: SwarmView): Promise<void> {
    await this.redis.set(keys.swarmView, JSON.stringify(view), 'PX', REPORT_EXPIRES_MS);
  }

  /** What a manager's agent saw of the Swarm lately, or null. */
  async swarmView(): Promise<SwarmView | null> {
    const text = await this.redis.get(keys.swarmView);
    return text === null ? null : swarmViewSchema.parse(JSON.parse(text));
  }
}
