/** `npm run generate`: writes src/generated anew from sql/, by way of a new database. */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEmbeddedPostgres } from '../src/embedded-postgres.ts';
import { printGraphqlSchema } from '../src/graphql.ts';
import { migrate } from '../src/migrate.ts';
import { dumpSchema } from './dump-schema.ts';
import { generateTypes } from './generate-types.ts';

export const GENERATED = fileURLToPath(new URL('../src/generated', import.meta.url));

/** Writes everything that is generated into `folder`. Throws if sql/ cannot be installed. */
export async function generate(folder: string): Promise<void> {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-generate-'));
  console.log('Installing sql/ into a new database');
  const postgres = await startEmbeddedPostgres({ folder: data, test: true });
  try {
    await migrate(postgres.connectionString);
    fs.mkdirSync(folder, { recursive: true });
    console.log('Writing the types of tables and functions');
    await generateTypes(postgres.connectionString, folder);
    console.log('Writing the schema');
    await dumpSchema(postgres.connectionString, folder);
    console.log('Writing the GraphQL schema');
    const schema = await printGraphqlSchema(postgres.connectionString);
    fs.writeFileSync(path.join(folder, 'schema.graphql'), schema);
  } finally {
    await postgres.stop();
    fs.rmSync(data, { recursive: true });
  }
}

if (import.meta.main) await generate(GENERATED);
