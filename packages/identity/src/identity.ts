/** Who is asking, as everything behind the sign-in seam sees it; where it was proven is nobody's business but `via`'s. */
export interface Identity {
  readonly userId: string;
  readonly isAdmin: boolean;
  /** A browser sends its cookie by itself, whoever made it ask; a bearer token is sent on purpose. */
  readonly via: 'cookie' | 'bearer';
}

/** The headers of a request as node gives them: lower-case names. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The one value of a header, or undefined when it is absent or came more than once. */
export function headerOf(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
