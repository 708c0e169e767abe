/** DETAIL of PC402: the spend, hold or charge is more than what is available. */
export interface InsufficientCreditsDetail {
  unit: string;
  required: number;
  available: number;
  shortfall: number;
  /** ISO 8601; null where no refill is due. */
  next_refill_at: string | null;
  /** The pause or limit that is the reason, where one is. */
  limit?: 'additional_paused' | 'period_limit';
  [fact: string]: unknown;
}

/** DETAIL of PC403: what the caller or the account lacks. */
export interface NotAllowedDetail {
  requires: 'account' | 'service' | 'admin' | 'plan' | 'top_ups' | 'member_cap';
  [fact: string]: unknown;
}

/** DETAIL of PC404: the sort of thing that is unknown, and the key it was looked for by. */
export interface NotFoundDetail {
  what: string;
  key: string;
  [fact: string]: unknown;
}

/** DETAIL of PC409: which conflict it is, such as `idempotency_key_reused`, and its facts. */
export interface ConflictDetail {
  reason: string;
  [fact: string]: unknown;
}

/** DETAIL of PC422: what is wrong with which field. */
export interface InvalidInputDetail {
  reason: string;
  /** Null where PostgreSQL could not read an argument, as it does not say which: the reason is `malformed` then. */
  field: string | null;
  [fact: string]: unknown;
}

/** An error of the contract: `code` is its SQLSTATE, `detail` its parsed DETAIL, `hint` the next thing to do. */
export class CreditsError<
  Detail extends object = Record<string, unknown>,
  Code extends string = string,
> extends Error {
  readonly code: Code;
  readonly detail: Detail;
  readonly hint: string | null;

  constructor(
    code: Code,
    message: string,
    detail: Detail,
    hint: string | null,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.detail = detail;
    this.hint = hint;
  }
}

/** PC402 */
export class InsufficientCreditsError extends CreditsError<InsufficientCreditsDetail, 'PC402'> {}
/** PC403 */
export class NotAllowedError extends CreditsError<NotAllowedDetail, 'PC403'> {}
/** PC404 */
export class NotFoundError extends CreditsError<NotFoundDetail, 'PC404'> {}
/** PC409 */
export class ConflictError extends CreditsError<ConflictDetail, 'PC409'> {}
/** PC422 */
export class InvalidInputError extends CreditsError<InvalidInputDetail, 'PC422'> {}

// biome-ignore lint/suspicious/noExplicitAny: each class has its own type of detail
type ErrorClass = new (...args: any[]) => CreditsError<any>;

/** Each code's class and MESSAGE: the database's own, for an error that it reported as a row. */
const classes: Record<string, [type: ErrorClass, message: string]> = {
  PC402: [InsufficientCreditsError, 'insufficient credits'],
  PC403: [NotAllowedError, 'not allowed'],
  PC404: [NotFoundError, 'not found'],
  PC409: [ConflictError, 'conflict'],
  PC422: [InvalidInputError, 'invalid input'],
};

/**
 * What PostgreSQL says of an argument that it cannot read: a number or time out of its range, a text with a NUL, half a
 * surrogate. What else class 22 has, such as a division by zero, would be a mistake of ours.
 */
const MALFORMED = ['22003', '22007', '22008', '22015', '22021', '22P02', '22P05', '22P06'];
const MALFORMED_HINT =
  'A number, time or text among the arguments is out of range, or has characters that PostgreSQL does not take.';

/** Whether a SQLSTATE is one of the contract's five. */
export function isCreditsCode(code: unknown): code is string {
  return typeof code === 'string' && Object.hasOwn(classes, code);
}

/** The error of one of the five codes. */
export function creditsError(
  code: string,
  detail: object,
  hint: string | null,
  options?: ErrorOptions,
): CreditsError {
  const [type, message] = classes[code];
  return new type(code, message, detail, hint, options);
}

/**
 * The contract's error for a database error with one of its five codes, whose `cause` is the original, or for an argument that
 * PostgreSQL cannot read; anything else is returned as it came. Throws nothing.
 */
export function toCreditsError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CreditsError) return error;
  // Told by its shape, not its class: an application may bring its own copy of pg.
  const { code, detail, hint } = error as Error & {
    code?: unknown;
    detail?: string;
    hint?: string;
  };
  if (MALFORMED.includes(String(code))) {
    return creditsError('PC422', { reason: 'malformed', field: null }, MALFORMED_HINT, {
      cause: error,
    });
  }
  if (!isCreditsCode(code)) return error;
  return creditsError(code, parseDetail(detail), hint ?? null, { cause: error });
}

/** The object in a DETAIL; an empty one if there is none to read. */
function parseDetail(detail: string | undefined): Record<string, unknown> {
  try {
    return JSON.parse(detail ?? '{}');
  } catch {
    return {};
  }
}

/** Something that keeps pgcredits from starting: one sentence on what is wrong, one on what to do. */
export class StartupError extends Error {
  override name = 'StartupError';
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}
