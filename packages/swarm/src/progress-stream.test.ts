import { Readable } from 'node:stream';
import { readJsonLines, readTransfer } from './progress-stream';

async function linesOf(...chunks: (string | Buffer)[]): Promise<unknown[]> {
  const lines: unknown[] = [];
  for await (const line of readJsonLines(Readable.from(chunks))) lines.push(line);
  return lines;
}

describe('a stream of JSON lines', () => {
  it('is read across chunks, even those that cut a character in two', async () => {
    const text = Buffer.from('{"a":"ü"}\r\n\n{"b":2}');
    const inTheUmlaut = text.indexOf('ü') + 1;
    expect(await linesOf(text.subarray(0, inTheUmlaut), text.subarray(inTheUmlaut))).toEqual([{ a: 'ü' }, { b: 2 }]);
  });

  it('is given up when a line does not end', async () => {
    await expect(linesOf('x'.repeat(600_000), 'x'.repeat(600_000))).rejects.toMatchObject({ code: 'engine_error' });
  });

  it('is given up when a line is no JSON', async () => {
    await expect(linesOf('hello\n')).rejects.toThrow();
  });
});

describe('the progress of a push', () => {
  const push = (...lines: object[]) => readTransfer('push it', Readable.from(lines.map((line) => `${JSON.stringify(line)}\n`)));

  it('ends with what the Engine says of the result', async () => {
    expect(await push({ status: 'Preparing' }, { aux: { Tag: 'a', Digest: 'sha256:1', Size: 5 } })).toEqual({ Tag: 'a', Digest: 'sha256:1', Size: 5 });
  });

  it('fails with the words of the stream, although the answer began with 200', async () => {
    await expect(push({ status: 'Preparing' }, { errorDetail: { message: 'no basic auth credentials' }, error: 'no basic auth credentials' })).rejects.toMatchObject({
      code: 'transfer_failed',
      retryable: true,
      message: expect.stringContaining('no basic auth credentials') as string,
    });
  });

  it('has no result when the stream ends without one', async () => {
    expect(await push({ status: 'Preparing' })).toBeUndefined();
  });
});
