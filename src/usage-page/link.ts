import { SignJWT } from 'jose';

/** Where the page is, on the server of the API. */
export const USAGE_PAGE_PATH = '/usage';

/** Whose page it is, and as whom. */
export interface UsagePageReader {
  accountId: string;
  /** The application's label of the person. */
  memberId: string;
  /** An admin may buy credits and configure top-ups and limits. */
  memberRole: 'admin' | 'member';
}

/**
 * A token for the usage page, or the element, of one member: what the API calls `credits_member`. `expiresIn` is a time such
 * as `1 hour`. The application mints it for who is signed in, with the secret that it signs all its tokens with.
 */
export function memberToken(
  jwtSecret: string,
  { accountId, memberId, memberRole }: UsagePageReader,
  expiresIn = '1 hour',
): Promise<string> {
  return new SignJWT({
    role: 'credits_member',
    account_id: accountId,
    member_id: memberId,
    member_role: memberRole,
  })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(expiresIn)
    .sign(new TextEncoder().encode(jwtSecret));
}

/**
 * The address of the page for whoever has the token. It stands in the fragment, which a browser sends to no server.
 */
export function usagePageLink(apiUrl: string, token: string): string {
  return `${apiUrl}${USAGE_PAGE_PATH}#token=${token}`;
}
