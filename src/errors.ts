/** DETAIL of PC402: the spend, hold or charge is more than what is available. */
export interface InsufficientCreditsDetail {
  unit: string;
  required: string | number;
  available: string | number;
  shortfall: string | number;
  next_refill_at: string | null;
  /** The pause or limit that is the reason, where one is. */
  limit?: string;
  [fact: string]: unknown;
}

/** DETAIL of PC403: what the caller lacks. */
export interface NotAllowedDetail {
  requires: string;
  [fact: string]: unknown;
}

/** DETAIL of PC404: the sort of thing that is unknown, and the key it was looked for by. */
export interface NotFoundDetail {
  what: string;
  key: unknown;
  [fact: string]: unknown;
}

/** DETAIL of PC409: which conflict it is, and its facts. */
export interface ConflictDetail {
  reason: string;
  [fact: string]: unknown;
}

/** DETAIL of PC422: what is wrong with which field. */
export interface InvalidInputDetail {
  reason: string;
  field?: string;
  [fact: string]: unknown;
}

/** An error of the contract: `code` is its SQLSTATE, `detail` its parsed DETAIL, `hint` the next thing to do. */
export class CreditsError<Detail extends object = Record<string, unknown>> extends Error {
  readonly code: string;
  readonly detail: Detail;
  readonly hint: string | null;

  constructor(
    code: string,
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
export class InsufficientCreditsError extends CreditsError<InsufficientCreditsDetail> {}
/** PC403 */
export class NotAllowedError extends CreditsError<NotAllowedDetail> {}
/** PC404 */
export class NotFoundError extends CreditsError<NotFoundDetail> {}
/** PC409 */
export class ConflictError extends CreditsError<ConflictDetail> {}
/** PC422 */
export class InvalidInputError extends CreditsError<InvalidInputDetail> {}

// biome-ignore lint/suspicious/noExplicitAny: each class has its own type of detail
const classes: Record<string, new (...args: any[]) => CreditsError<any>> = {
  PC402: InsufficientCreditsError,
  PC403: NotAllowedError,
  PC404: NotFoundError,
  PC409: ConflictError,
  PC422: InvalidInputError,
};

/** Whether a SQLSTATE is one of the contract's five. */
export function isCreditsCode(code: unknown): code is string {
  return typeof code === 'string' && Object.hasOwn(classes, code);
}

/**
 * The contract's error for a database error with one of its five codes, whose `cause` is the original; anything else is
 * returned as it came. Throws nothing.
 */
export function toCreditsError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CreditsError) return error;
  // Told by its shape, not its class: an application may bring its own copy of pg.
  const { code, detail, hint } = error as Error & {
    code?: unknown;
    detail?: string;
    hint?: string;
  };
  if (!isCreditsCode(code)) return error;
  return new classes[code](code, error.message, parseDetail(detail), hint ?? null, {
    cause: error,
  });
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
