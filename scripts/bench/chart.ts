/** The ratios as bars, each against its target: as text and as an SVG file. */
import type { Result } from './subject.ts';

interface Bar {
  label: string;
  /** 1 is the target. */
  length: number;
  better: number | null;
  text: string;
}

const LONGEST = 2.5;

function bars(results: Result[]): Bar[] {
  return results.flatMap(({ name, clients, ratio, atLeast, better }) => {
    if (atLeast === null) return [];
    return {
      label: `${name}, ${clients === 1 ? '1 client' : `${clients} clients`}`,
      length: Math.min(LONGEST, ratio.median / atLeast),
      better: better === null ? null : Math.min(LONGEST, better / atLeast),
      text: `${ratio.median.toFixed(2)} of ${atLeast.toFixed(2)}`,
    };
  });
}

/** A line a bar; `|` is the target. */
export function textChart(results: Result[]): string {
  const all = bars(results);
  const width = Math.max(0, ...all.map(({ label }) => label.length));
  const scale = 20;
  return all
    .map(({ label, length, text }) => {
      const filled = Math.round(length * scale);
      const bar = '█'.repeat(filled).padEnd(LONGEST * scale, '·');
      return `${label.padEnd(width)}  ${bar.slice(0, scale)}|${bar.slice(scale)}  ${text}`;
    })
    .join('\n');
}

export function svgChart(results: Result[], caption: string): string {
  const all = bars(results);
  const [left, unit, row, top] = [380, 200, 26, 60];
  const height = top + all.length * row + 20;
  const x = (length: number) => Math.round(left + length * unit);
  const lines = all.map(({ label, length, better, text }, i) => {
    const y = top + i * row;
    const mark =
      better === null
        ? ''
        : `<line x1="${x(better)}" x2="${x(better)}" y1="${y}" y2="${y + 16}" stroke="#888" stroke-dasharray="3 2"/>`;
    return `<text x="${left - 10}" y="${y + 13}" text-anchor="end">${xml(label)}</text>
<rect x="${left}" y="${y}" width="${Math.max(1, Math.round(length * unit))}" height="16" fill="${length >= 1 ? '#3a7d44' : '#c8553d'}"/>
${mark}<text x="${x(LONGEST) + 10}" y="${y + 13}">${text}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${x(LONGEST) + 110}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="20" font-size="15">pgcredits: what is measured, over its floor. The line is the target.</text>
<text x="10" y="40" fill="#666">${xml(caption)}</text>
${lines.join('\n')}
<line x1="${x(1)}" x2="${x(1)}" y1="${top - 8}" y2="${height - 14}" stroke="#222"/>
</svg>
`;
}

const xml = (text: string) =>
  text.replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign] as string);
