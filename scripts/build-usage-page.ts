/** Part of `npm run build`: puts the files of the usage page where the published package serves them from. */
import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleUsagePage } from '../src/usage-page/bundle.ts';

const FOLDER = fileURLToPath(new URL('../dist/usage-page/built', import.meta.url));

fs.rmSync(FOLDER, { recursive: true, force: true });
fs.mkdirSync(FOLDER, { recursive: true });
for (const [name, text] of Object.entries(await bundleUsagePage())) {
  fs.writeFileSync(`${FOLDER}/${name}`, text);
}
