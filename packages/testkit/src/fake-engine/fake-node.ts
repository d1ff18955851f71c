import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { type ContainerOptions, FakeContainer } from './fake-container';
import { FakeImages, type StoredImage } from './fake-images';
import type { RegistryAuth } from './engine-http';
import { packLayer } from './layers';
import { type RegistryAccess, TransferRefused, downloadImage, imageIdOf, manifestOf, uploadImage } from './registry-transfer';

/** 25 characters, as Swarm's ids. */
export const newSwarmId = (): string => randomBytes(13).toString('hex').slice(0, 25);

/** How a push goes wrong: it reports success and stores nothing, tells an error, or its stream is cut off. */
export type PushFault = 'lies' | 'fails' | 'cuts';

export interface EngineEvent {
  readonly action: string;
  readonly container: FakeContainer;
}

const PID_FIRST = 1_000;
const PID_STEP = 50;

/** One machine of the fake Swarm: its containers, its images, what its events and its /proc show. */
export class FakeNode {
  readonly id = newSwarmId();
  readonly containers = new Map<string, FakeContainer>();
  readonly images = new FakeImages();
  readonly events = new EventEmitter<{ event: [EngineEvent]; cut: [] }>().setMaxListeners(0);
  state: 'ready' | 'down' = 'ready';
  availability: 'active' | 'pause' | 'drain' = 'active';
  /** What a constraint `node.labels.… == …` asks for. */
  readonly labels = new Map<string, string>();
  pushFault: PushFault | null = null;
  /** While true no event is told: they are hints, and may be lost. */
  isEventful = true;
  private nextPid = PID_FIRST;

  constructor(
    readonly name: string,
    readonly role: 'manager' | 'worker',
    readonly memoryBytes: number,
    readonly hostProc: string,
    private readonly registries: Readonly<Record<string, RegistryAccess>>,
  ) {}

  /** Makes a container and starts it. Also for containers that are no task's. */
  run(options: ContainerOptions): FakeContainer {
    const container = new FakeContainer(options, (action, of) => {
      if (this.isEventful) this.events.emit('event', { action, container: of });
    });
    this.containers.set(container.id, container);
    container.start(this.hostProc, this.nextPid);
    this.nextPid += PID_STEP;
    return container;
  }

  removeContainer(container: FakeContainer): void {
    container.stop();
    if (this.containers.delete(container.id)) container.removed();
  }

  isUsed(image: StoredImage): boolean {
    return [...this.containers.values()].some((container) => container.image.id === image.id);
  }

  async commit(container: FakeContainer, options: { repository: string; tag: string; labels: Readonly<Record<string, string>> }): Promise<StoredImage> {
    const layers = [...container.image.layers, await packLayer(container.written)];
    const config = { Labels: { ...container.labels, ...options.labels }, Env: container.env };
    return this.images.put({ layers, config }, { tag: `${options.repository}:${options.tag}` });
  }

  /** Pushes a tag. @throws TransferRefused as the registry refuses, an Error when it cannot be reached */
  async push(repository: string, tag: string, auth: RegistryAuth | null): Promise<{ digest: string; size: number }> {
    const image = this.images.find(`${repository}:${tag}`);
    if (!image) throw new TransferRefused(`An image does not exist locally with the tag: ${repository}`);
    const { access, path } = this.registryOf(repository, auth);
    const pushed = this.pushFault === 'lies' ? { digest: manifestOf(image).digest, size: manifestOf(image).body.length } : await uploadImage(access, { repository: path, tag }, image);
    image.digests.add(`${repository}@${pushed.digest}`);
    return pushed;
  }

  /** Pulls by tag or digest. @throws TransferRefused as the registry refuses, an Error when it cannot be reached */
  async pull(repository: string, reference: string, auth: RegistryAuth | null): Promise<StoredImage> {
    const { access, path } = this.registryOf(repository, auth);
    const image = await downloadImage(access, { repository: path, reference });
    const isDigest = reference.startsWith('sha256:');
    return this.images.put(image, { ...(isDigest ? {} : { tag: `${repository}:${reference}` }), digest: `${repository}@${image.digest}` });
  }

  /** The image of a task: one by digest that is there asks nobody. Null when it cannot be had. */
  async imageForTask(reference: string, auth: RegistryAuth | null): Promise<StoredImage | null> {
    const [, repository = reference, digest, tag] = /^(.+?)(?:@(sha256:[0-9a-f]{64})|:([\w.-]{1,128}))?$/.exec(reference) ?? [];
    const there = this.images.find(reference);
    if (there && digest !== undefined) return there;
    try {
      return await this.pull(repository, digest ?? tag ?? 'latest', auth);
    } catch {
      return there ?? null;
    }
  }

  /** Lays an image into this node's store without any registry. */
  async load(reference: string, files: ReadonlyMap<string, string>, labels: Readonly<Record<string, string>> = {}): Promise<StoredImage> {
    const image = { layers: [await packLayer(files)], config: { Labels: labels, Env: [] } };
    return this.images.find(imageIdOf(image)) ?? this.images.put(image, { tag: reference });
  }

  private registryOf(repository: string, auth: RegistryAuth | null): { access: RegistryAccess; path: string } {
    const host = repository.split('/')[0] ?? '';
    const access = this.registries[host];
    if (!access) throw new Error(`Get "https://${host}/v2/": dial tcp: lookup ${host}: no such host`);
    const { url, ca } = access;
    const login = auth?.username !== undefined && auth.password !== undefined ? { username: auth.username, password: auth.password } : undefined;
    return { access: { url, ...(ca === undefined ? {} : { ca }), ...(login ? { login } : {}) }, path: repository.slice(host.length + 1) };
  }
}
