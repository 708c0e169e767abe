import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const BROWSER = fileURLToPath(new URL('browser', import.meta.url));

/**
 * The files of the usage page by name, built from `browser/`: the page, its style and script, and the element. What they
 * need is inside them, and nothing is written. Takes a moment; the published package has them built.
 */
export async function bundleUsagePage(): Promise<Record<string, string>> {
  const { output } = await build({
    input: {
      page: `${BROWSER}/page.ts`,
      'pgcredits-usage': `${BROWSER}/pgcredits-usage.ts`,
    },
    platform: 'browser',
    moduleTypes: { '.css': 'text' },
    // What the libraries say to developers stays out.
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
    output: { format: 'esm', entryFileNames: '[name].js', minify: true },
    write: false,
    logLevel: 'warn',
  });
  const files: Record<string, string> = {};
  for (const name of ['page.html', 'page.css']) {
    files[name] = fs.readFileSync(`${BROWSER}/${name}`, 'utf8');
  }
  for (const part of output) {
    if (part.type === 'chunk') files[part.fileName] = part.code;
  }
  return files;
}
