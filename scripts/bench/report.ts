/** What a run has found, for people. */
import type { Memory } from './processes.ts';
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
  /** By subject, a sample a second. */
  memory: Record<string, Memory[]>;
}

/** Lines in columns: texts to the left in the first or last, figures to the right. */
export function columns(head: string[], lines: string[][]): string {
  const all = [head, ...lines];
  const widths = head.map((_, i) => Math.max(...all.map((line) => line[i]?.length ?? 0)));
  const isText = head.map((_, i) => lines.some((line) => /[a-z]{3}/i.test(line[i] ?? '')));
  return all
    .map((line) =>
      line
        .map((text, i) =>
          isText[i] ? text.padEnd(widths[i] as number) : text.padStart(widths[i] as number),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const whole = (figure: number) => Math.round(figure).toLocaleString('en-US');
const share = (figure: number | null) => (figure === null ? '' : figure.toFixed(2));
const cpu = (figure: number | undefined) =>
  figure === undefined ? '' : figure.toFixed(figure < 100 ? 1 : 0);

export function table({ results, ...report }: Report): string {
  const lines = results.map((result) => [
    result.name,
    String(result.clients),
    whole(result.ours),
    whole(result.floor),
    share(result.ratio.median),
    `${share(result.ratio.low)} to ${share(result.ratio.high)}`,
    share(result.atLeast),
    share(result.better),
    share(result.cpu?.ratio.median ?? null),
    cpu(result.cpu?.ours),
    cpu(result.cpu?.floor),
    result.latency ? whole(result.latency.median) : '',
    result.latency ? whole(result.latency.p99) : '',
    result.clientBusy === null ? '' : `${Math.round(result.clientBusy * 100)} %`,
    result.against,
  ]);
  const notes = results.flatMap(({ name, note }) => (note ? `           ${name}: ${note}` : []));
  const settings = Object.entries(report.settings).map(([name, value]) => `${name}=${value}`);
  return `
${columns(['what', 'clients', 'a second', 'floor', 'ratio', 'low to high', 'at least', 'better', 'CPU ratio', 'CPU µs', 'floor', 'p50 µs', 'p99 µs', 'busy', 'the floor'], lines)}

ratio      ${report.options.mode === 'cpu' ? 'of CPU time' : 'what is measured over its floor, in units a second'}: the median of ${report.options.rounds} pairs of slices that took turns
CPU        of the clients' server processes, for one unit; the ratio is the floor's over ours
busy       the share of the time that the busiest thread of clients did not wait; they can do ${whole(report.noop)} calls of "select 1" a second
machine    ${report.machine}
settings   ${settings.join(' ')}
verified   ${report.verified}
memory     at most, in MB, and in the last quarter of the time; of the server, what its processes have for themselves
${memoryLines(report.memory)}${notes.length > 0 ? `\nnotes\n${notes.join('\n')}` : ''}`;
}

function memoryLines(memory: Report['memory']): string {
  return Object.entries(memory)
    .map(([subject, samples]) => {
      const late = samples.slice(Math.floor(samples.length * 0.75));
      const peak = (of: (sample: Memory) => number) =>
        `${Math.max(...samples.map(of)).toFixed(0)} (${Math.max(...late.map(of)).toFixed(0)})`;
      const commands = [...new Set(samples.flatMap((sample) => Object.keys(sample.commands)))];
      return [
        `           ${subject}: server ${peak(({ server }) => server)}`,
        `its largest process ${peak(({ backend }) => backend)}`,
        ...commands.map((name) => `${name} ${peak((sample) => sample.commands[name] ?? 0)}`),
        `clients ${peak(({ clients }) => clients)}`,
      ].join(', ');
    })
    .join('\n');
}
