import { type ImageConfig, type TransferredImage, imageIdOf } from './registry-transfer';
import type { Layer } from './layers';

/** An image in a node's store. */
export interface StoredImage {
  readonly id: string;
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
  /** Seconds. */
  readonly created: number;
  /** `repository:tag` */
  readonly tags: Set<string>;
  /** `repository@sha256:…` */
  readonly digests: Set<string>;
}

const repositoryOf = (reference: string): string => reference.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[\w.-]+$/, '');

/** The image store of one node: names, and the rules by which an Engine takes them away. */
export class FakeImages {
  private readonly byId = new Map<string, StoredImage>();

  all(): StoredImage[] {
    return [...this.byId.values()];
  }

  /** By `repository:tag`, `repository@digest`, or id. */
  find(reference: string): StoredImage | undefined {
    return this.byId.get(reference) ?? this.all().find((image) => image.tags.has(reference) || image.digests.has(reference));
  }

  /** Stores an image under a name; one that has the same content is the same image. */
  put(image: TransferredImage, names: { tag?: string; digest?: string }): StoredImage {
    const id = imageIdOf(image);
    const stored = this.byId.get(id) ?? { id, config: image.config, layers: image.layers, created: Math.floor(Date.now() / 1000), tags: new Set<string>(), digests: new Set<string>() };
    this.byId.set(id, stored);
    if (names.tag !== undefined) this.tag(stored, names.tag);
    if (names.digest !== undefined) stored.digests.add(names.digest);
    return stored;
  }

  tag(image: StoredImage, tag: string): void {
    for (const other of this.all()) other.tags.delete(tag);
    image.tags.add(tag);
  }

  /** Removes a name, and the image with its last one. The outcome is the Engine's status. */
  remove(reference: string, isUsed: (image: StoredImage) => boolean): 200 | 404 | 409 {
    const image = this.find(reference);
    if (!image) return 404;
    if (reference === image.id) {
      if (isUsed(image) || this.hasChildren(image) || image.tags.size + image.digests.size > 1) return 409;
      this.drop(image, isUsed);
      return 200;
    }
    // With its last tag a repository's digests go too.
    const repository = repositoryOf(reference);
    const ofRepository = (name: string) => repositoryOf(name) === repository;
    const tagsLeft = [...image.tags].filter((tag) => tag !== reference);
    const isLastTag = image.tags.has(reference) && !tagsLeft.some(ofRepository);
    const digestsLeft = [...image.digests].filter((digest) => digest !== reference && !(isLastTag && ofRepository(digest)));
    const isLast = tagsLeft.length + digestsLeft.length === 0;
    if (isLast && isUsed(image)) return 409;
    for (const digest of image.digests) if (!digestsLeft.includes(digest)) image.digests.delete(digest);
    image.tags.delete(reference);
    if (isLast && !this.hasChildren(image)) this.drop(image, isUsed);
    return 200;
  }

  /** An image goes, and with it the nameless ones it stood on. */
  private drop(image: StoredImage, isUsed: (image: StoredImage) => boolean): void {
    this.byId.delete(image.id);
    for (const other of this.all()) {
      const isGround = other.layers.every((layer, i) => image.layers[i]?.digest === layer.digest);
      if (isGround && other.tags.size + other.digests.size === 0 && !isUsed(other) && !this.hasChildren(other)) this.byId.delete(other.id);
    }
  }

  /** True when another image was committed on top of it: it stays, nameless, as that one's ground. */
  private hasChildren(image: StoredImage): boolean {
    return this.all().some((other) => other.layers.length > image.layers.length && image.layers.every((layer, i) => other.layers[i]?.digest === layer.digest));
  }

  /** What a list shows: nameless grounds of others are left out. */
  listed(): StoredImage[] {
    return this.all().filter((image) => image.tags.size + image.digests.size > 0 || !this.hasChildren(image));
  }
}
