import * as fs from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Where Debian's package puts it. Nothing is downloaded. */
const CHROMIUM = '/usr/bin/chromium';

/** Whether tests in a browser are left out: there is none here. On a CI server they must run, and fail without one. */
export const withoutBrowser = !fs.existsSync(CHROMIUM) && !process.env.CI;
if (withoutBrowser) {
  console.warn(
    `Tests in a browser are skipped: no ${CHROMIUM}. On Debian: apt-get install chromium`,
  );
}

const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A page that a test makes up has no address, and asks a server that has a local one.
  '--disable-features=LocalNetworkAccessChecks',
];

/** A page of its own, and what went wrong in it: errors of its scripts, and requests to anywhere but `origin`. */
export interface Visit {
  page: Page;
  complaints: string[];
}

export interface TestBrowser {
  visit(origin: string, options?: BrowserContextOptions): Promise<Visit>;
  close(): Promise<void>;
}

/** A real Chromium, without a window. Every visit is a visitor of its own, in American English and UTC. */
export async function startBrowser(): Promise<TestBrowser> {
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  return {
    async visit(origin, options = {}) {
      const context = await browser.newContext({ locale: 'en-US', timezoneId: 'UTC', ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        // Pages of others may have no icon.
        if (message.type() !== 'error' || message.location().url.endsWith('/favicon.ico')) return;
        complaints.push(message.text());
      });
      page.on('request', (request) => {
        const url = request.url();
        if (!url.startsWith('data:') && new URL(url).origin !== origin) complaints.push(url);
      });
      return { page, complaints };
    },
    close: () => browser.close(),
  };
}
