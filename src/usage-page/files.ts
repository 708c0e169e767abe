import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where `npm run build` puts them, beside this module. In a checkout there are none, and they are built when asked for. */
const BUILT = fileURLToPath(new URL('built', import.meta.url));

let files: Promise<Record<string, string>> | undefined;

/** The files of the usage page by name, read or built once. */
export function usagePageFiles(): Promise<Record<string, string>> {
  files ??= load().catch((error) => {
    // The next request tries again.
    files = undefined;
    throw error;
  });
  return files;
}

async function load(): Promise<Record<string, string>> {
  if (!fs.existsSync(BUILT)) {
    const { bundleUsagePage } = await import('./bundle.ts');
    return bundleUsagePage();
  }
  return Object.fromEntries(
    fs.readdirSync(BUILT).map((name) => [name, fs.readFileSync(`${BUILT}/${name}`, 'utf8')]),
  );
}
