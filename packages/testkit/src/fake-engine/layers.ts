import { gunzipSync, gzipSync } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { digestOf } from '../fake-registry/registry-store';

/** A file system as a test sees it: path → content. */
export type Files = ReadonlyMap<string, string>;

/** One layer of an image, as it travels. */
export interface Layer {
  /** Gzipped tar. */
  readonly blob: Buffer;
  readonly digest: string;
  /** The hash of the tar itself, as image configs name it. */
  readonly diffId: string;
  readonly files: Files;
}

/** Packs files as a layer; the same files give the same digest. */
export async function packLayer(files: Files): Promise<Layer> {
  const tar = pack();
  for (const [path, content] of [...files].sort(([a], [b]) => a.localeCompare(b))) tar.entry({ name: path.replace(/^\//, ''), mtime: new Date(0) }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  const plain = Buffer.concat(chunks);
  const blob = gzipSync(plain);
  return { blob, digest: digestOf(blob), diffId: digestOf(plain), files: new Map(files) };
}

/** The layer that a blob holds. */
export async function unpackLayer(blob: Buffer): Promise<Layer> {
  const plain = gunzipSync(blob);
  const files = new Map<string, string>();
  const tar = extract();
  tar.end(plain);
  for await (const entry of tar) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    files.set(`/${entry.header.name}`, Buffer.concat(chunks).toString());
  }
  return { blob, digest: digestOf(blob), diffId: digestOf(plain), files };
}

/** What a container of these layers finds: the upper ones hide the lower ones. */
export function mergeLayers(layers: readonly Layer[]): Map<string, string> {
  return new Map(layers.flatMap((layer) => [...layer.files]));
}
