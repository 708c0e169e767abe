/** What the files of sql/ keep to. */
import * as fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { SQL_FOLDER } from '../../src/migrate.ts';

const files = fs
  .readdirSync(SQL_FOLDER, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.sql'))
  .map((file) => {
    const text = fs.readFileSync(path.join(SQL_FOLDER, file), 'utf8');
    return { file, text, code: text.replaceAll(/--.*$/gm, '').replaceAll(/'(?:[^']|'')*'/g, "''") };
  });
const found = (pattern: RegExp) =>
  files.flatMap(({ file, code }) => [...code.matchAll(pattern)].map(([match]) => [file, match]));

describe('the files of sql/', () => {
  test('need nothing that PostgreSQL 16 lacks', () => {
    for (const newer of [
      // 17
      /\bmerge_action\b/gi,
      /\bwhen\s+not\s+matched\s+by\s+source\b/gi,
      /\bjson_(table|exists|query|value|scalar|serialize)\b/gi,
      /\bat\s+local\b/gi,
      /\brandom\s*\(\s*[^)\s]/gi,
      /\bto_(bin|oct)\s*\(/gi,
      /\b(xmltext|unicode_assigned|pg_basetype|uuid_extract_\w+|transaction_timeout|on_error)\b/gi,
      /\bmaintain\b\s+on\b/gi,
      /\bbuiltin\b/gi,
      // 18
      /\breturning\s+(with\s*\(|old\b|new\b)/gi,
      /\bwithout\s+overlaps\b/gi,
      /\bperiod\s+\w+\s*\)\s*references\b/gi,
      /\bgenerated\s+always\s+as\s*\([^;]*?\)\s*virtual\b/gi,
      /\b(not\s+)?enforced\b/gi,
      /\b(uuidv[47]|casefold|array_sort|array_reverse|gamma|lgamma|crc32c?|reverse\s*\(\s*\w+::bytea)\b/gi,
      /\bconstraint\s+\w+\s+not\s+null\b/gi,
    ]) {
      expect([newer.source, found(newer)]).toEqual([newer.source, []]);
    }
  });

  test('create no trigger, and no extension but a trusted one of contrib', () => {
    expect(found(/\bcreate\s+(or\s+replace\s+)?(constraint\s+)?(event\s+)?trigger\b/gi)).toEqual(
      [],
    );
    expect(found(/\bcreate\s+extension\s+(if\s+not\s+exists\s+)?\w+/gi)).toEqual([
      ['migrations/001_schemas_and_roles.sql', 'create extension if not exists btree_gist'],
    ]);
  });

  test('apply the test clock nowhere but in testing/', () => {
    expect(
      files
        .filter(
          ({ file, text }) => text.includes('credits.now') && !/^(testing|examples)\//.test(file),
        )
        .map(({ file }) => file),
    ).toEqual([]);
  });

  test('define each function in one place', () => {
    const names = files
      .filter(({ file }) => !file.startsWith('testing/'))
      .flatMap(({ code }) =>
        [...code.matchAll(/\bcreate\s+(?:or\s+replace\s+)?function\s+([\w."]+)/gi)].map(
          ([, name]) => name,
        ),
      );
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('say of every function how volatile it is', () => {
    for (const { file, text } of files) {
      for (const [, name, head] of text.matchAll(
        /\bcreate\s+(?:or\s+replace\s+)?function\s+([\w."]+)([\s\S]*?)(?:\bas\s+\$|\breturn\b|\bbegin\s+atomic\b)/gi,
      )) {
        expect([file, name, /\b(immutable|stable|volatile)\b/i.test(head)]).toEqual([
          file,
          name,
          true,
        ]);
      }
    }
  });
});
