/** What a run has found, for people. */
import type { Options, Result } from './subject.ts';

export interface Report {
  at: string;
  machine: string;
  settings: Record<string, string>;
  options: Options;
  /** `select 1` a second by the same clients. */
  noop: number;
  verified: string;
  results: Result[];
}

const COLUMNS = [
  'what',
  'clients',
  'a second',
  'floor',
  'of the floor',
  'low to high',
  'at least',
  'better',
  'of its CPU',
  'CPU µs',
  'floor',
  'p50 µs',
  'p99 µs',
  'clients busy',
];

export function table(report: Report): string {
  const lines = report.results.map((result) => {
    const { subject, floor, ratio, cpuRatio } = result.comparison;
    const rate = (figure: number) => Math.round(figure * result.perCall).toLocaleString('en-US');
    const cpu = (figure: number | null) =>
      figure === null ? '' : (figure / result.perCall).toFixed(result.perCall === 1 ? 0 : 1);
    const share = (figure: number | null | undefined) => (figure == null ? '' : figure.toFixed(2));
    return [
      result.name,
      String(result.clients),
      rate(subject.rate),
      rate(floor.rate),
      share(ratio.median),
      `${share(ratio.low)} to ${share(ratio.high)}`,
      share(result.target),
      share(result.stretch),
      share(cpuRatio?.median),
      cpu(subject.serverCpu),
      cpu(floor.serverCpu),
      String(subject.median),
      String(subject.p99),
      `${Math.round(Math.max(subject.clientBusy, floor.clientBusy) * 100)} %`,
    ];
  });
  const all = [COLUMNS, ...lines];
  const widths = COLUMNS.map((_, column) =>
    Math.max(...all.map((line) => (line[column] ?? '').length)),
  );
  const drawn = all.map((line) =>
    line
      .map((text, column) =>
        column === 0
          ? text.padEnd(widths[column] as number)
          : text.padStart(widths[column] as number),
      )
      .join('  '),
  );
  const settings = Object.entries(report.settings)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  return [
    '',
    ...drawn,
    '',
    `Machine: ${report.machine}`,
    `Settings: ${settings}`,
    `Clients: ${Math.round(report.noop).toLocaleString('en-US')} calls a second of "select 1"; "clients busy" is the share of the time that their busiest thread did not wait.`,
    `Verified: ${report.verified}`,
  ].join('\n');
}
