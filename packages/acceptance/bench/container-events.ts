import type { LabNode } from '../src/lab';
import type { NodeEngine } from './node-engine';

interface Heard {
  readonly node: LabNode;
  readonly containerId: string;
  /** Of the node's own clock, which all nodes of a lab share; ms since 1970. */
  readonly atMs: number;
}

/** What the Engines say of the containers of Swarm services, by service name: nobody has to ask while a start is timed. */
export class ContainerEvents {
  readonly #heard = new Map<string, Heard>();
  readonly #waiting = new Map<string, (heard: Heard) => void>();

  /** Follows `start` and `destroy` on every engine; goes on until the engines are closed. */
  follow(engines: ReadonlyMap<LabNode, NodeEngine>): void {
    for (const [node, engine] of engines) {
      void this.#read(node, engine).catch(() => {
        // The connection was closed with its engine; who still waits has a limit of its own.
      });
    }
  }

  started(service: string): Promise<Heard> {
    return this.#wait(`start ${service}`);
  }

  destroyed(service: string): Promise<Heard> {
    return this.#wait(`destroy ${service}`);
  }

  async #read(node: LabNode, engine: NodeEngine): Promise<void> {
    for await (const event of engine.events({ type: ['container'], event: ['start', 'destroy'] })) {
      const service = event.Actor.Attributes['com.docker.swarm.service.name'];
      if (service === undefined) continue;
      const key = `${event.Action} ${service}`;
      const heard = { node, containerId: event.Actor.ID, atMs: event.timeNano / 1e6 };
      this.#heard.set(key, heard);
      this.#waiting.get(key)?.(heard);
    }
  }

  #wait(key: string): Promise<Heard> {
    const heard = this.#heard.get(key);
    if (heard) return Promise.resolve(heard);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no node reported within 60 s: ${key}`)), 60_000);
      this.#waiting.set(key, (said) => {
        clearTimeout(timer);
        resolve(said);
      });
    });
  }
}
