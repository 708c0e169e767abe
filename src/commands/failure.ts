import { CreditsError, StartupError, toCreditsError } from '../errors.ts';

/** What went wrong, for people: a sentence, the facts that it leaves out, and what to do; the stack only where none of this foresaw it. */
export function describeFailure(failure: unknown): string {
  const error = toCreditsError(failure);
  if (error instanceof CreditsError) {
    const [sentence, ...told] = sentenceOf(error);
    const facts = Object.entries(error.detail).filter(
      ([name, value]) => value !== null && !told.includes(name),
    );
    return [
      `${sentence} (${error.code})`,
      ...facts.map(
        ([name, value]) =>
          `  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
      ),
      error.hint,
    ]
      .filter(Boolean)
      .join('\n');
  }
  if (error instanceof StartupError) return `${error.message}\n${error.hint}`;
  // A refused connection to a name with several addresses has an error for each.
  const first = (error as AggregateError).errors?.[0] ?? error;
  const { code, address, port, message, severity, detail, hint, stack } = first;
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${address} is taken.\nSet PORT to another one, or to 0 for any that is free.`;
  }
  if (['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', 'EAI_AGAIN'].includes(code)) {
    return `The database cannot be reached: ${message}.\nSee that it runs and that DATABASE_URL is right.`;
  }
  if (code === '3F000' || code === '42P01') {
    return `pgcredits is not installed in this database: ${message}.\nInstall it first: pgcredits migrate`;
  }
  if (severity) return [`${message} (${code})`, detail, hint].filter(Boolean).join('\n');
  return stack ?? String(error);
}

/** The same for programs, on one line. */
export function failureAsJson(failure: unknown): string {
  const error = toCreditsError(failure) as Error & {
    code?: string;
    detail?: unknown;
    hint?: string;
  };
  const { code = null, message, detail = null, hint = null } = error;
  return JSON.stringify({ code, message, detail, hint });
}

/** An error of the contract as a sentence, and the names of the facts that are in it. */
function sentenceOf({ code, message, detail }: CreditsError): string[] {
  switch (code) {
    case 'PC402':
      return [
        `Not enough credits: ${detail.required} ${detail.unit} needed, ${detail.available} available, ${detail.shortfall} short${
          detail.next_refill_at ? `; the next refill is at ${detail.next_refill_at}` : ''
        }.`,
        ...['unit', 'required', 'available', 'shortfall', 'next_refill_at'],
      ];
    case 'PC403':
      return [`Not allowed: it requires ${words(detail.requires)}.`, 'requires'];
    case 'PC404':
      return [`There is no ${words(detail.what)} ${JSON.stringify(detail.key)}.`, 'what', 'key'];
    case 'PC409':
      return [`Conflict: ${words(detail.reason)}.`, 'reason'];
    case 'PC422':
      return [
        `Wrong ${words(detail.field ?? 'argument')}: ${words(detail.reason)}.`,
        'field',
        'reason',
      ];
    default:
      return [message];
  }
}

/** `too_fine` as people write it. */
const words = (name: unknown) => String(name).replaceAll('_', ' ');
