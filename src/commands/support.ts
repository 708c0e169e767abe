/**
 * For people who help customers: what something costs, what an account has, what it did, and a gift. Each runs a function of the
 * schema `credits` and shows its rows; figures are as exact in JSON as in the database, so they are text.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Client, escapeLiteral } from 'pg';
import { type Column, table } from '../table.ts';
import { print, printJson, withDatabase } from './context.ts';

type Row = Record<string, unknown>;
/** The members of a JSON object as they were written: a number is less exact here than in the database. */
interface Usage {
  names: string[];
  members: string[];
}

const KINDS = ['refill', 'grant', 'purchase', 'top_up', 'usage', 'refund', 'expiry', 'revocation'];

const JSON_OPTION = ['--json', 'prints the rows as JSON'] as const;

export function addSupportCommands(program: Command): void {
  program
    .command('quote')
    .description('what an operation costs an account, and whether it can pay')
    .argument('<account>')
    .argument('<operation>')
    .argument(
      '[usage...]',
      'its attributes and measures: model=veo-3.1 seconds=8, or a JSON object',
      addUsage,
    )
    .option(...JSON_OPTION)
    .action((accountId: string, operation: string, usage: Usage | never[], { json }) =>
      quote(accountId, operation, 'members' in usage ? usage.members : [], json),
    );

  program
    .command('balance')
    .description('what an account has, and when the next refill is')
    .argument('<account>')
    .option('--at <time>', 'at another time: a forecast with no further usage, or the past')
    .option(...JSON_OPTION)
    .action(balance);

  program
    .command('activity')
    .description('the log of an account, newest first')
    .argument('<account>')
    .option('--since <time>', 'from then on, such as 2026-11-01 or yesterday, in UTC')
    .option('--until <time>', 'until just before then')
    .addOption(new Option('--kind <kind...>', 'of these kinds').choices(KINDS))
    .option('--member <member>', 'by this member')
    .option('--limit <entries>', 'at most so many', wholeNumber, 20)
    .option(...JSON_OPTION)
    .action(activity);

  program
    .command('grant')
    .description('gives an account credits, at once')
    .argument('<account>')
    .argument('<amount>', 'such as 50 or 2.5')
    .requiredOption(
      '--reason <text>',
      'why (required): it stands in the log, and the customer may read it',
    )
    .option('--unit <unit>', 'what is given', 'credit')
    .option('--expires <time>', 'usable until just before then; without it, for ever')
    .option('--bucket <bucket>', 'included is used first, additional last', 'additional')
    .option('--key <key>', 'the same key again gives nothing more: a ticket number, for example')
    .option(...JSON_OPTION)
    .action(grant);
}

/** `seconds=8` is a number, `model=veo-3.1` a text, `audio=true` true or false; what begins with a brace is all of it as JSON. */
function addUsage(argument: string, before: Usage | undefined): Usage {
  const { names, members } = before && 'names' in before ? before : { names: [], members: [] };
  const { found, member } = readUsage(argument);
  const again = found.find((attribute) => names.includes(attribute));
  if (again !== undefined) throw new InvalidArgumentError(`Give ${again} once.`);
  return {
    names: [...names, ...found],
    members: found.length > 0 ? [...members, member] : members,
  };
}

function readUsage(argument: string): { found: string[]; member: string } {
  if (argument.startsWith('{')) {
    try {
      return { found: Object.keys(JSON.parse(argument)), member: argument.trim().slice(1, -1) };
    } catch (error) {
      throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}.`);
    }
  }
  const [attribute, ...rest] = argument.split('=');
  if (attribute === '' || rest.length === 0) {
    throw new InvalidArgumentError('Write an attribute=value, or a JSON object.');
  }
  const text = rest.join('=');
  const value = isJson(text) ? text : JSON.stringify(text);
  return { found: [attribute], member: `${JSON.stringify(attribute)}:${value}` };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new InvalidArgumentError('Write a whole number from 1 up.');
  }
  return number;
}

async function quote(
  account: string,
  operation: string,
  usage: string[],
  json: boolean,
): Promise<void> {
  await withDatabase(async (client) => {
    const rows = await select(
      client,
      'select * from credits.quote(account_id => $1, operation => $2, usage => $3)',
      [account, operation, `{${usage.join(',')}}`],
    );
    if (json) return printJson(rows);
    show(rows, ['unit', 'amount', 'available', 'affordable', 'blocked_by']);
    print();
    const lines = rows.flatMap(({ unit, breakdown }) =>
      (breakdown as Row[]).map((line) => ({ ...line, unit })),
    );
    show(lines, [
      'component',
      'quantity',
      'measure',
      'per',
      'price',
      'multiplier',
      'count',
      'amount',
      'unit',
    ]);
  });
}

const TIME = 'Write a time, such as 2026-11-01 or yesterday, in UTC.';

/** Ends the command as wrong usage if PostgreSQL cannot read an argument as this type. */
async function requireReadable(
  client: Client,
  command: Command,
  [what, text]: [what: string, text: string | undefined],
  [type, expected]: [type: string, expected: string],
): Promise<void> {
  const { rows } = await client.query('select pg_input_is_valid($1, $2) as valid', [
    text ?? null,
    type,
  ]);
  if (rows[0].valid === false) command.error(`error: ${what} '${text}' is invalid. ${expected}`);
}

async function requireTimes(
  client: Client,
  command: Command,
  times: Record<string, string | undefined>,
): Promise<void> {
  for (const [option, text] of Object.entries(times)) {
    const what = `option '--${option} <time>' argument`;
    await requireReadable(client, command, [what, text], ['timestamptz', TIME]);
  }
}

async function balance(
  account: string,
  { at, json }: { at?: string; json?: boolean },
  command: Command,
): Promise<void> {
  await withDatabase(async (client) => {
    await requireTimes(client, command, { at });
    const rows = await select(
      client,
      'select * from credits.balances(account_id => $1, at => $2)',
      [account, at ?? null],
    );
    if (json) return printJson(rows);
    show(rows, ['unit', 'included', 'additional', 'held', 'total', 'next_refill_at']);
  });
}

interface ActivityOptions {
  since?: string;
  until?: string;
  kind?: string[];
  member?: string;
  limit: number;
  json?: boolean;
}

async function activity(
  account: string,
  options: ActivityOptions,
  command: Command,
): Promise<void> {
  await withDatabase(async (client) => {
    const { since, until, kind, member, limit, json } = options;
    await requireTimes(client, command, { since, until });
    const rows = await select(
      client,
      `select * from credits.activity(account_id => $1, since => $2, until => $3, kinds => $4, member_id => $5)
       limit $6`,
      [account, since ?? null, until ?? null, kind ?? null, member ?? null, limit],
    );
    if (json) return printJson(rows);
    if (rows.length === 0) return print('No entries.');
    show(rows.map(shortened), [
      'seq',
      'occurred_at',
      'kind',
      'operation',
      'usage',
      'member_id',
      'unit',
      'amount',
      'balance_after',
      'reason',
    ]);
    if (rows.length === limit) print(`\nThe newest ${limit}; --limit shows more.`);
  });
}

/** An entry whose usage fits in a line: of a job of several items, how many of each operation; --json has them all. */
function shortened({ usage, ...entry }: Row): Row {
  if (!Array.isArray(usage)) return { usage, ...entry };
  const counts = Map.groupBy(usage as Row[], ({ operation }) => operation);
  const items = [...counts].map(([operation, { length }]) => `${length} ${operation}`);
  const more = items.length > 3 ? `, and ${items.length - 3} more` : '';
  return { ...entry, usage: `${items.slice(0, 3).join(', ')}${more}` };
}

interface GrantOptions {
  reason: string;
  unit: string;
  bucket: string;
  expires?: string;
  key?: string;
  json?: boolean;
}

async function grant(
  account: string,
  amount: string,
  options: GrantOptions,
  command: Command,
): Promise<void> {
  const { reason, unit, bucket, expires, key, json } = options;
  await withDatabase(async (client) => {
    const number: [string, string] = ['numeric', 'Write a number, such as 50 or 2.5.'];
    await requireReadable(client, command, [`argument 'amount' value`, amount], number);
    await requireTimes(client, command, { expires });
    const { rows: given } = await client.query(
      'select from credits.entries where account_id = $1 and idempotency_key = $2',
      [account, key ?? null],
    );
    const [lot] = await select(
      client,
      `select * from credits.grant(account_id => $1, amount => $2, unit => $3, bucket => $4, expires_at => $5,
         reason => $6, idempotency_key => $7)`,
      [account, amount, unit, bucket, expires ?? null, reason, key ?? null],
    );
    const replayed = given.length > 0;
    if (json) return printJson({ ...lot, replayed });
    const [{ total }] = await select(
      client,
      'select total from credits.balances(account_id => $1) where unit = $2',
      [account, unit],
    );
    const until = lot.expires_at === null ? 'without expiry' : `until ${lot.expires_at}`;
    const what = `${lot.granted} ${unit} to ${account}: ${lot.bucket}, ${until}, lot ${lot.lot_id}.`;
    print(
      replayed ? `Had given ${what} This key was used before: nothing was added.` : `Gave ${what}`,
    );
    print(`Available now: ${total} ${unit}.`);
    print(
      `To take it back, in SQL: select credits.revoke(${escapeLiteral(account)}, ${lot.lot_id});`,
    );
  });
}

/** The rows of a statement, with times in UTC; what is exact stays text. */
async function select(client: Client, text: string, values: unknown[]): Promise<Row[]> {
  await client.query(`set time zone 'UTC'`);
  return (await client.query(text, values)).rows.map((row: Row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        value instanceof Date ? value.toISOString() : value,
      ]),
    ),
  );
}

const NUMERIC =
  /^(amount|available|included|additional|held|total|quantity|per|price|multiplier|count|balance_after|seq)$/;

function show(rows: Row[], names: string[]): void {
  const columns: Column[] = names.map((name) => ({ name, numeric: NUMERIC.test(name) }));
  print(
    table(
      columns,
      rows.map((row) => names.map((name) => cell(row[name]))),
    ),
  );
}

/** A value as people read it: a usage as it is written on the command line, a time to the second. */
function cell(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(cell).join('; ');
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([attribute, part]) => `${attribute}=${cell(part)}`)
      .join(' ');
  }
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text) ? `${text.slice(0, 19).replace('T', ' ')}Z` : text;
}
