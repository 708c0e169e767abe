import * as fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SQL_FOLDER } from '../../src/migrate.ts';
import { creditsError, type TestDatabase, testDatabase } from '../support/database.ts';
import { plain } from '../support/numbers.ts';
import { load } from './product.ts';

const README = fs.readFileSync(path.join(SQL_FOLDER, 'README.md'), 'utf8');

const section = (heading: string) =>
  README.split(/^(?=### )/m).find((text) => text.startsWith(`### ${heading}\n`)) ?? '';
const sqlOf = (text: string) => [...text.matchAll(/^```sql\n(.*?)^```/gms)].map(([, sql]) => sql);

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
});
afterAll(() => database.close());

test('the first catalog loads, and costs what the text says', async () => {
  const [text] = sqlOf(section('A first one'));
  expect((await load(database, text)).length).toBeGreaterThan(0);
  expect(await load(database, text)).toEqual([]);
  await database.query(`select credits.open_account('team-1', 'reel_maker')`);
  const usage = { model: 'grand', resolution: '4K', seconds: 8 };
  expect(
    await database.query(
      `select unit, amount, available from credits.quote('team-1', 'clip', $1)`,
      [usage],
    ),
  ).toEqual([{ unit: 'credit', amount: '32.00', available: '300.00' }]);
});

describe('the recipes', () => {
  const recipes = sqlOf(section('Recipes'));
  const claims = recipes
    .flatMap((sql) => sql.split('\n'))
    .filter((line) => line.startsWith('--'))
    .map((line) => {
      const [, operation, usage, plan, verdict] =
        line.match(/^-- (\w+) (\{.*?\})(?: on (\w+))? ((?:costs|is) .+)$/) ?? [];
      return { line, operation, usage, plan: plan ?? 'tips_maker', verdict };
    });

  const catalog = `
    begin;
    select credits_private.begin_catalog('tips', 'Recipes', 'README');
    insert into catalog_units (unit, name, scale, main) values
      ('credit', 'credits', 2, true), ('minute', 'minutes', 0, false);
    ${recipes.join('\n')}
    select * from credits_private.apply_catalog();
    commit;`;

  beforeAll(async () => {
    await load(database, catalog);
    for (const plan of new Set(claims.map(({ plan }) => plan))) {
      await database.query('select credits.open_account($1, $1)', [plan]);
    }
  });

  test('load as one product, and again without a change', async () => {
    expect(claims.length).toBeGreaterThan(20);
    expect(await load(database, catalog)).toEqual([]);
  });

  test.each(claims)('$line', async ({ operation, usage, plan, verdict }) => {
    const quote = () =>
      database.query('select * from credits.quote($1, $2, $3)', [plan, operation, usage]);
    const [, refused] = verdict.match(/^is refused: (\w+)$/) ?? [];
    const [, blocked] = verdict.match(/^is blocked: (\w+)$/) ?? [];
    if (refused) {
      expect(await creditsError(quote())).toMatchObject({
        code: 'PC422',
        detail: { reason: refused },
      });
    } else if (blocked) {
      expect(await quote()).toMatchObject([{ blocked_by: blocked }]);
    } else {
      const lines = await quote();
      const amounts = lines.map(({ unit, amount }) => `${plain(amount)} ${unit}`).join(', ');
      expect(`costs ${lines.length === 1 ? plain(lines[0].amount) : amounts}`).toBe(verdict);
      expect(
        lines.every(
          ({ blocked_by }) => blocked_by === null || blocked_by === 'insufficient_credits',
        ),
      ).toBe(true);
    }
  });
});

test('every column of the staging tables is described', async () => {
  const columns = await database.pool.connect().then(async (client) => {
    try {
      await client.query('begin');
      await client.query(`select credits_private.begin_catalog('columns', 'Columns')`);
      const { rows } = await client.query(
        `select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = pg_my_temp_schema() and c.relname like 'catalog\\_%' and c.relname <> 'catalog_cards'
           and a.attnum > 0 and not a.attisdropped and a.attname <> 'rate_card'`,
      );
      return rows as { relname: string; attname: string }[];
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
  // A table's description goes from its name in bold to the next name in bold.
  const described = (table: string) =>
    section('The tables')
      .split(/^\*\*`|(?<=\. )\*\*`/m)
      .find((text) => text.startsWith(`${table}\``)) ?? '';
  expect(columns.length).toBeGreaterThan(50);
  for (const { relname, attname } of columns) {
    expect(described(relname), `${relname}.${attname}`).toContain(`\`${attname}\``);
  }
});

test('every reason for a refusal is described', async () => {
  const [{ source }] = await database.query(
    `select prosrc as source from pg_proc where proname = 'check_catalog'`,
  );
  const reasons = [...source.matchAll(/fail_invalid\(\s*(?:'\w+'|wrong\.what), '(\w+[^_])'/g)].map(
    ([, reason]) => reason,
  );
  expect(reasons.length).toBeGreaterThan(8);
  for (const reason of reasons) expect(section('What is refused')).toContain(`\`${reason}\``);
});
