import { type EngineCall, EngineRefusal, type Route, reply } from './engine-http';
import { hasLabels, parseFilters, requireFilters } from './container-routes';
import type { StoredImage } from './fake-images';
import type { FakeNode } from './fake-node';
import { TransferRefused } from './registry-transfer';

const describeImage = (image: StoredImage) => ({
  Id: image.id,
  Size: image.layers.reduce((sum, layer) => sum + layer.blob.length, 0),
  RepoTags: [...image.tags],
  RepoDigests: [...image.digests],
  Config: { Labels: image.config.Labels, Volumes: null },
  RootFS: { Type: 'layers', Layers: image.layers.map((layer) => layer.diffId) },
});

const listImage = (image: StoredImage) => ({
  Id: image.id,
  Created: image.created,
  Labels: image.config.Labels,
  RepoTags: [...image.tags],
  RepoDigests: [...image.digests],
});

/** A progress stream: 200 first, what goes wrong in the stream. */
async function stream({ response }: EngineCall, work: (tell: (line: unknown) => void) => Promise<void>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  const tell = (line: unknown) => void response.write(`${JSON.stringify(line)}\r\n`);
  try {
    await work(tell);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tell({ errorDetail: { message }, error: message });
  }
  response.end();
}

/** Images of one node: list, look, name, remove, push, pull. */
export function imageRoutes(node: FakeNode): Route[] {
  const get = (reference: string): StoredImage => {
    const found = node.images.find(reference);
    if (!found) throw new EngineRefusal(404, `No such image: ${reference}`);
    return found;
  };
  return [
    {
      method: 'GET',
      path: /^\/images\/json$/,
      query: ['filters'],
      handle: (call) => {
        const filters = parseFilters(call.query.get('filters'));
        requireFilters(filters, ['label']);
        reply(call, 200, node.images.listed().filter((image) => hasLabels(image.config.Labels, filters['label'])).map(listImage));
      },
    },
    { method: 'GET', path: /^\/images\/(.+)\/json$/, handle: (call, reference = '') => reply(call, 200, describeImage(get(reference))) },
    {
      method: 'POST',
      path: /^\/images\/create$/,
      query: ['fromImage', 'tag'],
      handle: async (call) => {
        const { fromImage = '', tag = '' } = Object.fromEntries(call.query);
        try {
          await node.pull(fromImage, tag, call.auth);
        } catch (error) {
          const status = error instanceof TransferRefused && error.message.includes(' 404 ') ? 404 : 500;
          throw new EngineRefusal(status, error instanceof Error ? error.message : String(error));
        }
        await stream(call, async (tell) => tell({ status: `Status: Downloaded newer image for ${fromImage}` }));
      },
    },
    {
      method: 'POST',
      path: /^\/images\/(.+)\/push$/,
      query: ['tag'],
      handle: async (call, repository = '') => {
        const tag = call.query.get('tag') ?? '';
        if (call.auth === null) throw new EngineRefusal(400, 'a push needs X-Registry-Auth');
        await stream(call, async (tell) => {
          tell({ status: `The push refers to repository [${repository}]` });
          if (node.pushFault === 'cuts') return void call.response.destroy();
          if (node.pushFault === 'fails') throw new TransferRefused('received unexpected HTTP status: 500 Internal Server Error');
          const { digest, size } = await node.push(repository, tag, call.auth);
          tell({ status: `${tag}: digest: ${digest} size: ${size}` });
          tell({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
        });
      },
    },
    {
      method: 'POST',
      path: /^\/images\/(.+)\/tag$/,
      query: ['repo', 'tag'],
      handle: (call, reference = '') => {
        node.images.tag(get(reference), `${call.query.get('repo')}:${call.query.get('tag')}`);
        reply(call, 201);
      },
    },
    {
      method: 'DELETE',
      path: /^\/images\/(.+)$/,
      handle: (call, reference = '') => {
        const status = node.images.remove(reference, (image) => node.isUsed(image));
        if (status === 404) throw new EngineRefusal(404, `No such image: ${reference}`);
        if (status === 409) throw new EngineRefusal(409, `conflict: unable to remove ${reference}`);
        reply(call, 200, [{ Untagged: reference }]);
      },
    },
  ];
}
