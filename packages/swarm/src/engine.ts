import type { ImageReport, ServiceReport, SessionLabels, SwarmView } from '@vibe/contracts';
import type { ServiceSpec } from 'dockerode';
import { type Collector, bytesFreedBy, createCollector, findCollector, startCollector, stopCollector } from './collector-service';
import { pauseContainer, removeContainer, signalContainer, unpauseContainer } from './container-control';
import { type FollowOptions, followContainerEvents } from './container-events';
import { type InspectedContainer, type SessionContainer, changedPaths, cpuCounter, inspectContainer, listSessionContainers } from './containers';
import { type CallOptions, EngineConnection, type EngineOptions } from './engine-connection';
import { type CommitOptions, type InspectedImage, commitContainer, inspectImage, listSnapshots, pullImage, pushImage, removeImage, removeSnapshot, tagImage } from './images';
import { type NodeInfo, listNodes, nodeInfo } from './nodes';
import { type ReadOnlyOptions, isRegistryAskedReadOnly, setRegistryReadOnly } from './registry-service';
import { type RemoveSecretsOptions, type SessionSecret, ensureSecret, listSessionSecrets, removeSessionSecrets } from './secrets';
import { type CreatedService, type ServiceTask, createService, findSessionService, listSessionServices, removeService, tasksOfService } from './services';

type OfSession = CallOptions & { readonly sessionId?: string };

/**
 * Everything we say to one Docker Engine. Each call is described where it is written; all take an AbortSignal, all throw
 * CodedErrors (see EngineConnection), and "already so" is never an error.
 */
export class Engine {
  private constructor(private readonly connection: EngineConnection) {}

  /** Finds the API version that both know. @throws engine_unreachable, engine_too_old, engine_too_new */
  static async connect(options: EngineOptions, call?: CallOptions): Promise<Engine> {
    return new Engine(await EngineConnection.open(options, call));
  }

  /** As in a path: `v1.44`. */
  get apiVersion(): string {
    return this.connection.apiVersion;
  }
  /** Resolves when the Engine answers. */
  async ping(options?: CallOptions): Promise<void> {
    await this.connection.call('answer', () => this.connection.docker.ping() as Promise<unknown>, options);
  }
  nodeInfo(options?: CallOptions): Promise<NodeInfo> {
    return nodeInfo(this.connection, options);
  }

  // Answered by managers alone.
  listNodes(options?: CallOptions): Promise<SwarmView['nodes']> {
    return listNodes(this.connection, options);
  }
  createService(spec: ServiceSpec, options?: CallOptions): Promise<CreatedService> {
    return createService(this.connection, spec, options);
  }
  findSessionService(sessionId: string, options?: CallOptions): Promise<ServiceReport | null> {
    return findSessionService(this.connection, sessionId, options);
  }
  removeService(serviceId: string, options?: CallOptions): Promise<'removed' | 'absent'> {
    return removeService(this.connection, serviceId, options);
  }
  listSessionServices(options?: CallOptions): Promise<ServiceReport[]> {
    return listSessionServices(this.connection, options);
  }
  tasksOfService(serviceId: string, options?: CallOptions): Promise<ServiceTask[]> {
    return tasksOfService(this.connection, serviceId, options);
  }
  ensureSecret(secret: { readonly name: string; readonly data: string; readonly labels: SessionLabels }, options?: CallOptions): Promise<string> {
    return ensureSecret(this.connection, secret, options);
  }
  listSessionSecrets(options?: OfSession): Promise<SessionSecret[]> {
    return listSessionSecrets(this.connection, options);
  }
  removeSessionSecrets(sessionId: string, options: RemoveSecretsOptions): Promise<void> {
    return removeSessionSecrets(this.connection, sessionId, options);
  }

  // The registry's service and the one-shot that collects its garbage. Answered by managers alone.
  isRegistryAskedReadOnly(serviceName: string, options?: CallOptions): Promise<boolean> {
    return isRegistryAskedReadOnly(this.connection, serviceName, options);
  }
  setRegistryReadOnly(serviceName: string, isReadOnly: boolean, options: ReadOnlyOptions): Promise<boolean> {
    return setRegistryReadOnly(this.connection, serviceName, isReadOnly, options);
  }
  findCollector(options?: CallOptions): Promise<Collector | null> {
    return findCollector(this.connection, options);
  }
  createCollector(of: { readonly registryService: string; readonly run: string }, options?: CallOptions): Promise<void> {
    return createCollector(this.connection, of, options);
  }
  startCollector(collector: Collector, options?: CallOptions): Promise<void> {
    return startCollector(this.connection, collector, options);
  }
  stopCollector(collector: Collector, options?: CallOptions): Promise<void> {
    return stopCollector(this.connection, collector, options);
  }
  bytesFreedBy(collector: Collector, options?: CallOptions): Promise<number | null> {
    return bytesFreedBy(this.connection, collector, options);
  }

  // Containers of this Engine's node: look, freeze, thaw, signal, measure. Never copy in or out, never exec.
  listSessionContainers(options?: OfSession): Promise<SessionContainer[]> {
    return listSessionContainers(this.connection, options);
  }
  inspectContainer(containerId: string, options?: CallOptions & { readonly isSizeWanted?: boolean }): Promise<InspectedContainer | null> {
    return inspectContainer(this.connection, containerId, options);
  }
  changedPaths(containerId: string, options?: CallOptions): Promise<string[]> {
    return changedPaths(this.connection, containerId, options);
  }
  cpuCounter(containerId: string, options?: CallOptions): Promise<number> {
    return cpuCounter(this.connection, containerId, options);
  }
  pauseContainer(containerId: string, options?: CallOptions): Promise<'paused' | 'not_running' | 'absent'> {
    return pauseContainer(this.connection, containerId, options);
  }
  unpauseContainer(containerId: string, options?: CallOptions): Promise<boolean> {
    return unpauseContainer(this.connection, containerId, options);
  }
  signalContainer(containerId: string, signalName: 'SIGUSR1', options?: CallOptions): Promise<'sent' | 'not_running'> {
    return signalContainer(this.connection, containerId, signalName, options);
  }
  removeContainer(containerId: string, options?: CallOptions): Promise<'removed' | 'absent'> {
    return removeContainer(this.connection, containerId, options);
  }
  followContainerEvents(options: FollowOptions): Promise<void> {
    return followContainerEvents(this.connection, options);
  }

  // Images of this Engine's node.
  commitContainer(containerId: string, options: CommitOptions): Promise<{ imageId: string }> {
    return commitContainer(this.connection, containerId, options);
  }
  pushImage(image: CallOptions & { readonly repository: string; readonly tag: string }): Promise<{ digest: string }> {
    return pushImage(this.connection, image);
  }
  pullImage(reference: string, options?: CallOptions): Promise<void> {
    return pullImage(this.connection, reference, options);
  }
  tagImage(reference: string, name: { readonly repository: string; readonly tag: string }, options?: CallOptions): Promise<void> {
    return tagImage(this.connection, reference, name, options);
  }
  inspectImage(reference: string, options?: CallOptions): Promise<InspectedImage | null> {
    return inspectImage(this.connection, reference, options);
  }
  /** True when this node has the image under this reference. */
  async hasImage(reference: string, options?: CallOptions): Promise<boolean> {
    return (await inspectImage(this.connection, reference, options)) !== null;
  }
  removeImage(reference: string, options?: CallOptions): Promise<'removed' | 'absent' | 'in_use'> {
    return removeImage(this.connection, reference, options);
  }
  listSnapshots(options?: OfSession): Promise<ImageReport[]> {
    return listSnapshots(this.connection, options);
  }
  removeSnapshot(image: Pick<ImageReport, 'image_id' | 'refs'>, options?: CallOptions): Promise<void> {
    return removeSnapshot(this.connection, image, options);
  }
}
