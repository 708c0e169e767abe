import type { ClientBase, DatabaseError } from 'pg';

/**
 * A script's statements, each with what precedes it, so that together they are the script. Knows texts, quoted names,
 * dollar quotes and comments.
 */
export function splitStatements(script: string): string[] {
  const token =
    /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\/|[\s\S]/g;
  const statements: string[] = [];
  let statement = '';
  for (const [text] of script.matchAll(token)) {
    statement += text;
    if (text !== ';') continue;
    statements.push(statement);
    statement = '';
  }
  return statement.trim() === '' ? statements : [...statements, statement];
}

const VOID = 2278;

/** Runs a script statement by statement and returns it with the rows, or the error, of each statement below it. */
export async function transcript(client: ClientBase, script: string): Promise<string> {
  let text = '';
  for (const statement of splitStatements(script)) {
    text += statement;
    try {
      const { fields, rows } = await client.query({
        text: statement,
        rowMode: 'array',
        // Values as the server writes them.
        types: { getTypeParser: () => (value: string) => value },
      });
      if (fields.some(({ dataTypeID }) => dataTypeID !== VOID)) {
        text += `\n${table(
          fields.map(({ name }) => name),
          rows,
        )}`;
      }
    } catch (error) {
      const { code, message, detail, hint } = error as DatabaseError;
      text += `\nERROR ${code}: ${message}`;
      if (detail) text += `\n  detail: ${detail}`;
      if (hint) text += `\n  hint: ${hint}`;
    }
  }
  return `${text.trimEnd()}\n`;
}

/** Rows under their columns' names; null is left empty. */
function table(names: string[], rows: (string | null)[][]): string {
  const cells = [names, ...rows.map((row) => row.map((value) => value ?? ''))];
  const widths = names.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const lines = cells.map((row) =>
    row
      .map((value, column) => value.padEnd(widths[column]))
      .join(' | ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join('-+-');
  const count = `(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`;
  return [lines[0], rule, ...lines.slice(1), count].map((line) => `  ${line}`).join('\n');
}
