/** Writes the types of the schema `credits`: its tables for Kysely, and its functions for the client. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';

/**
 * Writes `tables.ts` and `functions.ts` into `folder` from a migrated database. Throws if a function or column has a type
 * that has no counterpart here.
 */
export async function generateTypes(connectionString: string, folder: string): Promise<void> {
  generateTables(connectionString, path.join(folder, 'tables.ts'));
  const client = new Client({ connectionString });
  await client.connect();
  try {
    fs.writeFileSync(path.join(folder, 'functions.ts'), await describeFunctions(client));
  } finally {
    await client.end();
  }
}

function generateTables(connectionString: string, file: string): void {
  const flags = [
    '--dialect=postgres',
    `--url=${connectionString}`,
    '--include-pattern=credits.*',
    '--numeric-parser=string',
    `--out-file=${file}`,
    '--log-level=error',
  ];
  execFileSync('kysely-codegen', flags, { stdio: 'inherit' });
}

interface FunctionRow {
  name: string;
  comment: string | null;
  argument_names: string[] | null;
  argument_types: string[];
  defaulted: number;
  returns: string;
  returns_set: boolean;
}

interface TypeRow {
  name: string;
  comment: string | null;
  columns: { name: string; type: string; nullable: boolean; comment: string | null }[];
}

/** Functions of `credits` that a caller can call, in the order of their names. */
const FUNCTIONS = `
select p.proname as name, obj_description(p.oid, 'pg_proc') as comment,
  p.proargnames as argument_names, p.pronargdefaults as defaulted,
  array(
    select format_type(a.type, null) from unnest(p.proargtypes) with ordinality a (type, position) order by a.position
  ) as argument_types,
  format_type(p.prorettype, null) as returns, p.proretset as returns_set
from pg_proc p
where p.pronamespace = 'credits'::regnamespace and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype
order by p.proname`;

/**
 * Tables, views and composite types of `credits`. What may be null, a table declares; a composite type cannot, so there the
 * comment of a column that may be null has the word in it. A domain stands for its base type.
 */
const TYPES = `
select format_type(c.reltype, null) as name,
  coalesce(obj_description(c.reltype, 'pg_type'), obj_description(c.oid, 'pg_class')) as comment,
  (
    select jsonb_agg(jsonb_build_object(
      'name', a.attname,
      'type', format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
      'comment', col_description(c.oid, a.attnum),
      'nullable', case c.relkind
        when 'c' then coalesce(col_description(c.oid, a.attnum), '') ~* '\\mnull\\M'
        else not a.attnotnull
      end) order by a.attnum)
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  ) as columns
from pg_class c
where c.relnamespace = 'credits'::regnamespace and c.relkind in ('r', 'p', 'v', 'c')
order by c.relname collate "C"`;

/** What pg gives for a value of a type, and what it takes for an argument. */
const SCALARS: Record<string, { read: string; write: string }> = {
  text: { read: 'string', write: 'string' },
  boolean: { read: 'boolean', write: 'boolean' },
  smallint: { read: 'number', write: 'number' },
  integer: { read: 'number', write: 'number' },
  bigint: { read: 'string', write: 'string | number | bigint' },
  numeric: { read: 'string', write: 'string | number' },
  jsonb: { read: 'Json', write: 'Json' },
  date: { read: 'Date', write: 'string' },
  'timestamp with time zone': { read: 'Date', write: 'Date | string' },
  interval: { read: 'never', write: 'string' },
};

async function describeFunctions(client: Client): Promise<string> {
  const types = (await client.query<TypeRow>(TYPES)).rows;
  const functions = (await client.query<FunctionRow>(FUNCTIONS)).rows;
  const byName = new Map(types.map((type) => [type.name, type]));
  const rows = types.filter(({ name }) => functions.some(({ returns }) => returns === name));
  const inputs = types.filter(({ name }) =>
    functions.some(({ argument_types }) => argument_types.includes(`${name}[]`)),
  );
  return `// Generated from the database by scripts/generate-types.ts. Do not edit.

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json | undefined };

${rows.map(rowInterface).join('\n')}
${inputs.map(inputInterface).join('\n')}
/** The functions of the schema \`credits\`: what each takes, and a row of what it returns. */
export interface Functions {
${functions.map((row) => functionType(row, byName)).join('')}}

/** The SQL types of their arguments, in order, and whether they return any number of rows or exactly one. */
export const functions = {
${functions.map(functionValue).join('')}} as const;
`;
}

function rowInterface({ name, comment, columns }: TypeRow): string {
  const fields = columns.map(
    (column) =>
      `${doc(column.comment, '  ')}  ${column.name}: ${scalar(column.type).read}${column.nullable ? ' | null' : ''};\n`,
  );
  return `${doc(comment, '')}export interface ${pascal(name)}Row {\n${fields.join('')}}\n`;
}

function inputInterface({ name, comment, columns }: TypeRow): string {
  const fields = columns.map((column) => {
    const { write } = scalar(column.type);
    const field = column.nullable ? `${column.name}?: ${write} | null` : `${column.name}: ${write}`;
    return `${doc(column.comment, '  ')}  ${field};\n`;
  });
  return `${doc(comment, '')}export interface ${pascal(name)}Input {\n${fields.join('')}}\n`;
}

function functionType(row: FunctionRow, types: Map<string, TypeRow>): string {
  const fields = argumentsOf(row).map(({ name, type, optional }) => {
    const write = type.startsWith('credits.')
      ? `${pascal(type.replace('[]', ''))}Input[]`
      : scalar(type).write;
    return optional ? `${name}?: ${write} | null` : `${name}: ${write}`;
  });
  const result = types.has(row.returns)
    ? `${pascal(row.returns)}Row`
    : `{ ${row.name}: ${scalar(row.returns).read} }`;
  return `${doc(row.comment, '  ')}  ${row.name}: {
    arguments: { ${fields.join('; ')} };
    row: ${result};
  };
`;
}

function functionValue(row: FunctionRow): string {
  const fields = argumentsOf(row).map(({ name, type }) => `${name}: '${type}'`);
  return `  ${row.name}: { arguments: { ${fields.join(', ')} }, set: ${row.returns_set} },\n`;
}

function argumentsOf(row: FunctionRow): { name: string; type: string; optional: boolean }[] {
  const required = row.argument_types.length - row.defaulted;
  return row.argument_types.map((type, index) => ({
    name: row.argument_names?.[index] ?? '',
    type,
    optional: index >= required,
  }));
}

function scalar(type: string): { read: string; write: string } {
  if (type.endsWith('[]')) {
    const { read, write } = scalar(type.slice(0, -2));
    return { read: `${read}[]`, write: `${write}[]` };
  }
  const known = SCALARS[type];
  if (!known) throw new Error(`scripts/generate-types.ts knows no TypeScript type for ${type}`);
  return known;
}

function pascal(type: string): string {
  return type
    .replace('credits.', '')
    .split('_')
    .map((word) => word[0].toUpperCase() + word.slice(1))
    .join('');
}

function doc(comment: string | null, indent: string): string {
  // Lines that start with @ are for PostGraphile.
  const text = comment?.replace(/^@.*\n?/gm, '').trim();
  return text ? `${indent}/** ${text.replaceAll('*/', '*\\/').replaceAll('\n', ' ')} */\n` : '';
}
