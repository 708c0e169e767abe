import * as fs from 'node:fs';
import { buildSchema, parse, validate } from 'postgraphile/graphql';
import { expect, test } from 'vitest';
import * as operations from '../../src/usage-page/browser/operations.ts';

const schema = buildSchema(
  fs.readFileSync(new URL('../../src/generated/schema.graphql', import.meta.url), 'utf8'),
);

test.each(Object.entries(operations))('%s is an operation of the API', (_name, document) => {
  expect(validate(schema, parse(document)).map(({ message }) => message)).toEqual([]);
});
