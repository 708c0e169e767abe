/** `npm run check:generated`: fails when src/generated is not what sql/ gives. */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GENERATED, generate } from './generate.ts';

const fresh = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-generated-'));
try {
  await generate(fresh);
  const files = new Set([...fs.readdirSync(fresh), ...fs.readdirSync(GENERATED)]);
  const stale = [...files].filter((file) => read(fresh, file) !== read(GENERATED, file));
  if (stale.length === 0) {
    console.log('src/generated is up to date.');
  } else {
    console.error(`Stale in src/generated: ${stale.join(', ')}. Run: npm run generate`);
    process.exitCode = 1;
  }
} finally {
  fs.rmSync(fresh, { recursive: true });
}

function read(folder: string, file: string): string | null {
  const whole = path.join(folder, file);
  return fs.existsSync(whole) ? fs.readFileSync(whole, 'utf8') : null;
}
