import { CodedError, isCoded } from './errors';

describe('a coded error', () => {
  it('keeps code, sentence, details and the error that led to it', () => {
    const cause = new Error('socket closed');
    const error = new CodedError('unavailable', 'try again', { cause, details: { tries: 1 }, retryable: true, retryAfterS: 2 });
    expect(error).toMatchObject({ code: 'unavailable', message: 'try again', cause, details: { tries: 1 }, retryable: true, retryAfterS: 2 });
    expect(error).toBeInstanceOf(Error);
  });

  it('is told from others by its code', () => {
    expect(isCoded(new CodedError('a', 'a'))).toBe(true);
    expect(isCoded(new CodedError('a', 'a'), 'b')).toBe(false);
    expect(isCoded(Object.assign(new Error('x'), { code: 'a' }), 'a')).toBe(false);
  });
});
