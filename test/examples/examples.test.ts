import * as fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SQL_FOLDER } from '../../src/migrate.ts';
import { type TestDatabase, testDatabase, verifyAfterEach } from '../support/database.ts';
import { connected } from '../support/server.ts';
import { splitStatements, transcript } from './transcript.ts';

let database: TestDatabase;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const folder = path.join(SQL_FOLDER, 'examples');
const scripts = fs.readdirSync(folder).filter((file) => file.endsWith('.sql'));

describe('the examples', () => {
  // `npx vitest run test/examples -u` writes what they return now.
  test.each(scripts)('%s returns what is written beside it, and leaves nothing', async (file) => {
    const script = fs.readFileSync(path.join(folder, file), 'utf8');
    const text = await connected(database.url, (client) => transcript(client, script));
    await expect(text).toMatchFileSnapshot(path.join(folder, file.replace(/\.sql$/, '.expected')));
    expect(await database.query('select from credits.accounts')).toEqual([]);
  });

  test('are all that is expected', () => {
    expect(
      fs
        .readdirSync(folder)
        .filter((file) => file.endsWith('.expected'))
        .sort(),
    ).toEqual(scripts.map((file) => file.replace(/\.sql$/, '.expected')).sort());
  });
});

describe('splitStatements', () => {
  test('ends a statement at a semicolon, and only where it is one', () => {
    expect(
      splitStatements(
        `select 1; -- no; end\nselect ';''' as ";", $$;$$, $a$;$$;$a$ /* ; */;\n\nselect 2;\n`,
      ),
    ).toEqual([
      'select 1;',
      ` -- no; end\nselect ';''' as ";", $$;$$, $a$;$$;$a$ /* ; */;`,
      '\n\nselect 2;',
    ]);
    expect(splitStatements('select 1')).toEqual(['select 1']);
  });
});
