import { newCollectionRun, swarmJobs } from '@vibe/contracts';
import { RegistryCollection } from '@vibe/session-store';
import { type CollectParts, collectGarbage } from '../src/collect-garbage';
import { Agents } from './agents';
import { contextOf } from './job-line';
import { REGISTRY_SERVICE, RegistryInSwarm } from './registry-in-swarm';

const TURNS_MAX = 2_000;

/** Agents with a registry that is a Swarm service. */
export class CollectionStage extends RegistryInSwarm {
  readonly collection: RegistryCollection;

  private constructor(readonly agents: Agents) {
    super(agents.fake.swarm, agents.registry.store);
    this.collection = new RegistryCollection(agents.redis);
  }

  static async start(): Promise<CollectionStage> {
    const agents = await Agents.start();
    const stage = new CollectionStage(agents);
    const takeOther = agents.take;
    agents.take = (job, context) => (job.name === swarmJobs.collect.name ? collectGarbage(stage.parts(), swarmJobs.collect.payload.parse(job.payload), context) : takeOther(job, context));
    await stage.deploy(agents.fake.engine('manager').node, stage.parts().engine);
    return stage;
  }

  /** Nothing waits, nothing was seen. */
  clear(): void {
    this.agents.line.waiting.length = 0;
    this.seenByCollectors = [];
    this.collectorPlan = 'ends';
    this.isLagging = false;
  }

  parts(): CollectParts {
    return { ...this.agents.agent('manager').parts, registryService: REGISTRY_SERVICE };
  }

  /** Asks for a collection, as the reaper does. */
  ask(run = newCollectionRun()): Promise<void> {
    return this.agents.line.add('swarm', swarmJobs.collect, { run });
  }

  /** Takes the collection's job until `look` sees what it waits for: it puts itself off again and again. */
  async collectUntil(look: () => unknown): Promise<void> {
    const { line } = this.agents;
    for (let turns = 0; !(await look()); turns++) {
      if (turns > TURNS_MAX) throw new Error('the collection never came to this');
      const job = line.waiting.shift();
      if (job) await this.agents.take(job, contextOf()).catch(() => line.waiting.push(job));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** All is as it always is: writable, no collector, no flag. */
  async expectResumed(): Promise<void> {
    expect(this.leftovers()).toEqual([]);
    expect(await this.collection.current()).toBeNull();
    expect(this.seenByCollectors).not.toContain(true);
  }
}
