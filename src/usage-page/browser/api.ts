/** Who the token says is reading. The server verifies it; here it only decides what is shown. */
export interface Reader {
  accountId: string;
  memberId: string | null;
  admin: boolean;
}

/** What the API answered instead of data. */
export class ApiError extends Error {
  /** A code of the contract, such as PC402; UNAUTHENTICATED; or UNREACHABLE, where nothing answered. */
  readonly code: string;
  readonly detail: Record<string, unknown>;

  constructor(code: string, message: string, detail: Record<string, unknown> = {}) {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}

/** Asks the API, as whoever has the token. */
export class Api {
  readonly reader: Reader;
  readonly endpoint: string;
  readonly token: string;
  /** When the token is no longer good, in milliseconds. */
  readonly expires: number;

  /**
   * Throws an ApiError for a token that is none. `accountId` is for tokens that are good for any account; `claimPrefix` stands
   * before the names of the claims.
   */
  constructor(
    endpoint: string,
    token: string,
    { accountId, claimPrefix }: { accountId: string | null; claimPrefix: string },
  ) {
    this.endpoint = endpoint;
    this.token = token;
    const claims = claimsOf(token);
    const claim = (name: string) => claims[`${claimPrefix}${name}`];
    this.expires = Number(claims.exp ?? 0) * 1000;
    this.reader = {
      accountId: accountId || claim('account_id') || '',
      memberId: claim('member_id') || null,
      admin: claim('role') === 'credits_service' || claim('member_role') === 'admin',
    };
  }

  /** The data of an operation. Throws an ApiError. */
  async ask<Data>(query: string, variables: object, signal?: AbortSignal): Promise<Data> {
    const response = await fetch(this.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` },
      body: JSON.stringify({ query, variables }),
      signal,
    }).catch((error) => {
      if (signal?.aborted) throw error;
      throw new ApiError('UNREACHABLE', 'The server cannot be reached.');
    });
    const answer = await response.json().catch(() => null);
    const [error] = answer?.errors ?? [];
    if (response.status === 401 || error?.extensions?.code === 'UNAUTHENTICATED') {
      const expired = this.expires <= Date.now();
      throw new ApiError('UNAUTHENTICATED', 'The token is not valid.', { expired });
    }
    if (error) {
      const { code = 'INTERNAL', detail } = error.extensions ?? {};
      throw new ApiError(code, error.message, detail);
    }
    if (!answer?.data) throw new ApiError('UNREACHABLE', `The server answered ${response.status}.`);
    return answer.data;
  }
}

function claimsOf(token: string): Record<string, string | undefined> {
  try {
    const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new ApiError('UNAUTHENTICATED', 'The token is not a JWT.', { expired: false });
  }
}
