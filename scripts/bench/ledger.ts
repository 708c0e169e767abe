/**
 * Ledgers of any size, quickly: one account is made through the functions, with all its history, and then copied, row by
 * row of every table that has accounts. So the ledger is as sound as the one account, whatever the tables look like.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import type { Client } from 'pg';
import { SQL_FOLDER } from '../../src/migrate.ts';
import { connected, type Ledger } from './server.ts';

/** What is charged, again and again: a price with a multiplier on it, as many have. */
export const OPERATION = 'video_generation';
export const USAGE = { resolution: '1080p' };

/** On a plan, with the plan's lot, one more of included and one of additional credits: three to choose from, without end. */
export const OPEN = `
  select credits.open_account('account 0', 'avs_creator'),
    credits.grant('account 0', 1e12, bucket => 'included', priority => 1), credits.grant('account 0', 1e6)`;

export interface Population {
  /** `account 0`, `account 1`, and so on. */
  accounts: number;
  /** Opens `account 0`. */
  open?: string;
  /** How many charges each of them has had. */
  charges?: number;
  /** How long ago they were opened: the charges are spread over that. */
  age?: string;
  progress: (line: string) => void;
}

/** Returns the place of the last charge in each account's log. */
export async function populate(
  ledger: Ledger,
  { accounts, open = OPEN, charges = 0, age = '0', progress }: Population,
): Promise<{ lastCharge: number }> {
  const { admin } = ledger;
  await install(admin, 'testing/clock.sql');
  await admin.query(`select set_config('credits.now', (now() - $1::interval)::text, false)`, [age]);
  await admin.query(open);
  const { rows } = await admin.query('select max(seq)::int as last from credits.entries');
  const [firstCharge, lastCharge] = [rows[0].last + 1, rows[0].last + charges];
  // Not all in one transaction, in which the versions of a row would add up.
  for (let seq = firstCharge; seq <= lastCharge; seq += 50) {
    await admin.query(
      `select set_config('credits.now', (now() - $3::interval * ($2::int + 1 - seq) / ($5::int + 1))::text, false),
         credits.spend('account 0', $4, $6, idempotency_key => ${pastKey(`'account 0'`, 'seq')})
       from generate_series($1::int, least($2, $1 + 49)) seq`,
      [seq, lastCharge, age, OPERATION, charges, JSON.stringify(USAGE)],
    );
  }
  await admin.query('reset credits.now');
  await install(admin, 'functions/10_clock.sql');
  await copyAccount(ledger, accounts, progress);
  await admin.query(
    `insert into bench.accounts (account_id, balance) select account_id, 1e12 from credits.accounts`,
  );
  // From here on the first change of a page is logged whole, once. Warming up sees to most of that.
  await admin.query('checkpoint');
  return { lastCharge };
}

/** The idempotency key of a charge, from its place in the log: as scattered as a random one, and known again later. */
const pastKey = (account: string, seq: string) => `md5(${account} || ' ' || ${seq})::uuid::text`;

async function install(admin: Client, file: string): Promise<void> {
  await admin.query(fs.readFileSync(path.join(SQL_FOLDER, file), 'utf8'));
}

/** How many rows are copied at a time. */
const CHUNK = 200_000;

type Progress = Population['progress'];

async function copyAccount(ledger: Ledger, accounts: number, progress: Progress): Promise<void> {
  const { rows: tables } = await ledger.admin.query<{ name: string; columns: string[] }>(`
    select a.attrelid::regclass::text as name, array_agg(a.attname::text) as columns
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace::regnamespace::text in ('credits', 'credits_private') and c.relkind in ('r', 'p') and a.attnum > 0
      and not a.attisdropped and a.attgenerated = ''
    group by a.attrelid
    having bool_or(a.attname = 'account_id')`);
  await Promise.all(
    tables.map(({ name, columns }) =>
      connected(ledger.adminUrl, (client) => copyRows(client, name, columns, accounts, progress)),
    ),
  );
}

async function copyRows(
  client: Client,
  table: string,
  columns: string[],
  accounts: number,
  progress: Progress,
): Promise<void> {
  // Without the checks of foreign keys, which the copy meets if its original does.
  await client.query(
    `set session_replication_role = replica; set synchronous_commit = off; set work_mem = '256MB'`,
  );
  const inLog = columns.includes('seq');
  const place = inLog ? 't.seq' : '1';
  const { rows } = await client.query(
    `select count(*)::int as count, coalesce(max(${place}), 0)::int as last from ${table} t where account_id = 'account 0'`,
  );
  const { count, last } = rows[0];
  const key = inLog ? pastKey(`'account ' || i`, 't.seq') : 'gen_random_uuid()::text';
  const values = columns.map((column) => {
    if (column === 'account_id') return `'account ' || i`;
    if (column !== 'idempotency_key') return `t.${column}`;
    return `case when t.idempotency_key is not null then ${key} end`;
  });
  // Place by place in the log, as if the accounts had been charged in turn.
  const places = Math.max(1, Math.floor((CHUNK / accounts) * (last / Math.max(count, 1))));
  for (let from = 1; from <= last; from += places) {
    if (last > places) progress(`  ${table}: ${from - 1} of ${last} for each account`);
    await client.query(
      `insert into ${table} (${columns.join(', ')})
       select ${values.join(', ')} from ${table} t cross join generate_series(1, $1::int - 1) i
       where t.account_id = 'account 0' and ${place} between $2 and $3 order by ${place}, i`,
      [accounts, from, from + places - 1],
    );
  }
}
