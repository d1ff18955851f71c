import { PassThrough } from 'node:stream';
import { CodedError } from './errors';
import { createLogger } from './logging';

function capture(level: 'info' | 'debug' = 'info') {
  const stream = new PassThrough();
  const logger = createLogger({ service: 'test', level, stream });
  return { logger, lines: () => (stream.read() as Buffer | null)?.toString().trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>) ?? [] };
}

describe('the log', () => {
  it('writes one JSON line an event with its fields, service and time', () => {
    const { logger, lines } = capture();
    logger.child({ session_id: 'abc' }).info('session moved', { rev: 3 });
    const [line] = lines();
    expect(line).toEqual({ level: 'info', message: 'session moved', session_id: 'abc', rev: 3, service: 'test', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown });
  });

  it('leaves out what is below its level', () => {
    const { logger, lines } = capture();
    logger.debug('nothing');
    expect(lines()).toEqual([]);
  });

  it('spells out an error with its causes, and none of what clients hang on errors', () => {
    const { logger, lines } = capture();
    const socket = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED', request: { headers: { authorization: 'Basic c2VjcmV0' } } });
    logger.error('push failed', { error: new CodedError('unavailable', 'no registry', { cause: socket, details: { tries: 2 } }) });
    const [line] = lines();
    expect(line?.error).toMatchObject({ name: 'CodedError', message: 'no registry', code: 'unavailable', details: { tries: 2 }, cause: { message: 'connect refused', code: 'ECONNREFUSED' } });
    expect(JSON.stringify(line)).not.toContain('c2VjcmV0');
  });

  it('keeps its own fields when an event has some of the same name', () => {
    const { logger, lines } = capture();
    logger.info('hello', { message: 'forged', level: 'error', service: 'other' });
    expect(lines()[0]).toMatchObject({ message: 'hello', level: 'info', service: 'test' });
  });
});
