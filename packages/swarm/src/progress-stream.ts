import { CodedError } from '@vibe/platform';

/** A longer line than this is no progress report. */
const LINE_LIMIT_CHARS = 1024 * 1024;

/** Reads a stream of JSON lines, one at a time: what is kept is at most one line. Throws on a line that is too long or no JSON. */
export async function* readJsonLines(stream: AsyncIterable<Buffer | string>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).trim();
      rest = rest.slice(end + 1);
      if (line !== '') yield JSON.parse(line);
    }
    if (rest.length > LINE_LIMIT_CHARS) throw new CodedError('engine_error', 'the Engine sent a line that does not end');
  }
  if (rest.trim() !== '') yield JSON.parse(rest);
}

/** One line of a push or a pull. The Engine answers 200 first and tells the failure in the stream. */
interface ProgressLine {
  readonly status?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
  readonly aux?: { readonly Tag?: string; readonly Digest?: string; readonly Size?: number };
}

/**
 * Reads a push or pull to its end. Resolves with the last `aux` seen.
 * @throws transfer_failed (retryable) with what the stream told as its error
 */
export async function readTransfer(what: string, stream: AsyncIterable<Buffer | string>): Promise<ProgressLine['aux']> {
  let aux: ProgressLine['aux'];
  for await (const line of readJsonLines(stream)) {
    const { error, errorDetail, aux: said } = line as ProgressLine;
    if (error !== undefined || errorDetail !== undefined) {
      throw new CodedError('transfer_failed', `the Engine could not ${what}: ${errorDetail?.message ?? error ?? 'no reason given'}`, { retryable: true });
    }
    if (said) aux = said;
  }
  return aux;
}
