import { createHash } from 'node:crypto';
import { CodedError } from '@vibe/platform';
import { z } from 'zod';

/** What an Engine pushes (schema 2) and what newer ones may (OCI): both name one config and a list of layers. */
export const manifestTypes = ['application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.oci.image.manifest.v1+json'];

/** Lists of images for several platforms: what a base image may be, and a snapshot never is. */
export const listTypes = ['application/vnd.docker.distribution.manifest.list.v2+json', 'application/vnd.oci.image.index.v1+json'];

const blobSchema = z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/), size: z.number().int().nonnegative() });
const manifestSchema = z.object({ schemaVersion: z.literal(2), config: blobSchema, layers: z.array(blobSchema) });
const configSchema = z.object({ config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish() });

export type Blob = z.output<typeof blobSchema>;
export type Manifest = z.output<typeof manifestSchema>;

export const digestOf = (content: string | Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** Something read back is not what it should be. */
export function mismatch(message: string, details?: unknown): CodedError {
  return new CodedError('registry_mismatch', message, { details });
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CodedError('registry_mismatch', `the ${what} is no JSON`, { cause: error });
  }
}

/** Parses a manifest; throws `registry_mismatch` for lists of manifests and anything else. */
export function parseManifest(text: string): Manifest {
  const manifest = manifestSchema.safeParse(parseJson(text, 'manifest'));
  if (manifest.success) return manifest.data;
  throw mismatch('it is no image manifest', manifest.error.issues);
}

/** The labels in an image's config. */
export function parseLabels(configText: string): Record<string, string> {
  const config = configSchema.safeParse(parseJson(configText, 'image config'));
  if (!config.success) throw mismatch('it is no image config');
  return config.data.config?.Labels ?? {};
}
