export interface CodedErrorOptions {
  /** What the caller may be told beyond the message; becomes `details` of the HTTP answer. Never a secret. */
  readonly details?: unknown;
  readonly cause?: unknown;
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
  /** When it may be worth trying again, in seconds; becomes `Retry-After`. Implies nothing about `retryable`. */
  readonly retryAfterS?: number;
}

/** The one error of the house: a code for machines, a sentence for people, and the error that led to it. HTTP lives at the edge. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly details: unknown;
  readonly retryable: boolean;
  readonly retryAfterS: number | undefined;

  constructor(
    readonly code: string,
    message: string,
    options: CodedErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.details = options.details;
    this.retryable = options.retryable ?? false;
    this.retryAfterS = options.retryAfterS;
  }
}

/** True for a CodedError, with this code when one is given. */
export function isCoded(error: unknown, code?: string): error is CodedError {
  return error instanceof CodedError && (code === undefined || error.code === code);
}
