import Table from 'cli-table3';

export interface Column {
  name: string;
  /** Numbers stand to the right. */
  numeric?: boolean;
}

/** Rows under the names of their columns, without lines, as wide as they need to be; null is left empty. */
export function table(columns: Column[], rows: (string | null)[][]): string {
  const none = Object.fromEntries(
    [
      ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left'],
      ...['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
    ].map((name) => [name, '']),
  );
  const grid = new Table({
    head: columns.map(({ name }) => name),
    colAligns: columns.map(({ numeric }) => (numeric ? 'right' : 'left')),
    chars: none,
    style: { head: [], border: [], 'padding-left': 2, 'padding-right': 0 },
  });
  grid.push(...rows.map((row) => row.map((cell) => cell ?? '')));
  return grid
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
