import { type SessionLabels, readSessionLabels, sessionLabel, writeSessionLabels } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import { z } from 'zod';
import { type CallOptions, type EngineConnection, isEngineStatus, onStatus, withSignal } from './engine-connection';

/** A session's secret as the Swarm shows it: never its data. */
export interface SessionSecret {
  readonly secret_id: string;
  readonly session_id: string;
  readonly gen: number;
}

const secretSchema = z.object({ ID: z.string(), Spec: z.object({ Name: z.string(), Labels: z.record(z.string(), z.string()).nullish() }) });

async function listSecrets(connection: EngineConnection, filters: Record<string, string[]>, options?: CallOptions) {
  const said = await connection.call('list the secrets', (abortSignal) => connection.docker.listSecrets({ filters, abortSignal }) as Promise<unknown>, options);
  return z.array(secretSchema).parse(said);
}

/**
 * The id of a secret with this name, made if it is not there. Data of one that is there is taken as it is: a generation's
 * credential never changes. Repeatable.
 */
export async function ensureSecret(
  connection: EngineConnection,
  secret: { readonly name: string; readonly data: string; readonly labels: SessionLabels },
  options?: CallOptions,
): Promise<string> {
  const { name, data, labels } = secret;
  const spec = { Name: name, Labels: writeSessionLabels(labels), Data: Buffer.from(data).toString('base64') };
  try {
    // dockerode would otherwise repeat all of it in the URL, data included, for any log on the way.
    const asked = { _query: {}, _body: spec };
    const made = await connection.call(`create the secret ${name}`, (abortSignal) => connection.docker.createSecret(withSignal<object>(abortSignal, asked)) as Promise<unknown>, options);
    return z.object({ id: z.string() }).parse(made).id;
  } catch (error) {
    if (!isEngineStatus(error, 409)) throw error;
    // The Engine's filter matches beginnings of names.
    const there = (await listSecrets(connection, { name: [name] }, options)).find((found) => found.Spec.Name === name);
    if (there) return there.ID;
    throw new CodedError('engine_error', `the secret ${name} went away while it was looked at`, { details: { status: 409 }, cause: error, retryable: true });
  }
}

/** All secrets of sessions. Asked of a manager. */
export async function listSessionSecrets(connection: EngineConnection, options: CallOptions & { readonly sessionId?: string } = {}): Promise<SessionSecret[]> {
  const label = options.sessionId === undefined ? sessionLabel.session : `${sessionLabel.session}=${options.sessionId}`;
  return (await listSecrets(connection, { label: [label] }, options)).flatMap((secret) => {
    const session = readSessionLabels(secret.Spec.Labels ?? {});
    return session ? [{ secret_id: secret.ID, session_id: session.session_id, gen: session.gen }] : [];
  });
}

export interface RemoveSecretsOptions extends CallOptions {
  readonly upToGen: number;
  /** A generation whose secret stays; null for none. */
  readonly butGen: number | null;
}

/**
 * Removes a session's secrets up to a generation, which must have no service any more (the Swarm refuses, status 400, what a
 * service still names). Repeatable.
 */
export async function removeSessionSecrets(connection: EngineConnection, sessionId: string, options: RemoveSecretsOptions): Promise<void> {
  for (const secret of await listSessionSecrets(connection, { ...options, sessionId })) {
    if (secret.gen <= options.upToGen && secret.gen !== options.butGen) await removeSecret(connection, secret.secret_id, options);
  }
}

/** Removes one secret by id. Repeatable: `absent` is fine. */
function removeSecret(connection: EngineConnection, secretId: string, options?: CallOptions): Promise<'removed' | 'absent'> {
  return connection
    .call(`remove the secret ${secretId}`, async (abortSignal) => {
      await connection.docker.getSecret(secretId).remove({ abortSignal });
      return 'removed' as const;
    }, options)
    .catch(onStatus(404, 'absent' as const));
}
