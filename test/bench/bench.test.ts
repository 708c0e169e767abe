import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bench, SUBJECTS } from '../../scripts/bench/main.ts';

test('every subject can be measured: each has ratios, and leaves a sound ledger', async () => {
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-bench-'));
  try {
    const report = await bench({
      subjects: Object.keys(SUBJECTS),
      mode: 'compare',
      driver: 'clients',
      seconds: 0.05,
      calls: 10,
      rounds: 1,
      warmUp: 0.05,
      clients: 1,
      accounts: 50,
      batch: 20,
      entries: 1500,
      cycle: 0.1,
      sweep: 400,
      workers: 1,
      spends: 40,
      out,
      progress: () => {},
      print: () => {},
    });

    expect(report.verified).toMatch(/^no violation in ledgers of /);
    expect(report.results.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining(Object.keys(SUBJECTS)),
    );
    for (const { name, ours, floor, ratio } of report.results) {
      for (const figure of [ours, floor, ratio.median, ratio.low, ratio.high]) {
        expect(figure, name).toBeGreaterThan(0);
        expect(figure, name).toBeLessThan(Number.POSITIVE_INFINITY);
      }
    }
    const written = JSON.parse(fs.readFileSync(path.join(out, 'bench.json'), 'utf8'));
    expect(written.results).toEqual(JSON.parse(JSON.stringify(report.results)));
    expect(written.settings).toMatchObject({ fsync: 'on', synchronous_commit: 'on' });
    expect(fs.readFileSync(path.join(out, 'bench.svg'), 'utf8')).toContain('</svg>');
    // The server's data is gone.
    expect(fs.readdirSync(out).sort()).toEqual(['bench.json', 'bench.svg']);
  } finally {
    fs.rmSync(out, { recursive: true });
  }
});
