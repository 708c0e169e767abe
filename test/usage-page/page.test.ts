/** The usage page in a real browser, against a real server: as an admin and as a member, light and dark, wide and narrow. */
import axe from 'axe-core';
import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Server, startServer } from '../../src/graphql.ts';
import { SIMULATED_CHECKOUT_PATH } from '../../src/payments/routes.ts';
import { simulatedProvider } from '../../src/payments/simulated.ts';
import { memberToken, usagePageLink } from '../../src/usage-page/link.ts';
import { SECRET } from '../support/api.ts';
import { startBrowser, type TestBrowser, withoutBrowser } from '../support/browser.ts';
import { type Arguments, call } from '../support/calls.ts';
import { type TestDatabase, testDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let server: Server;
let browser: TestBrowser;
let page: Page;
let complaints: string[];

const checkout = { url: '', secret: SECRET };
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

describe.skipIf(withoutBrowser)('the usage page', () => {
  verifyAfterEach(() => database);

  beforeAll(async () => {
    database = await testDatabase();
    await fillLedger();
    server = await startServer({
      connectionString: database.url,
      port: 0,
      jwtSecret: SECRET,
      provider: simulatedProvider(checkout),
    });
    checkout.url = `${server.url}${SIMULATED_CHECKOUT_PATH}`;
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await database.close();
  });
  afterEach(async () => {
    await page.context().close();
    expect(complaints).toEqual([]);
  });

  describe('shows a member', () => {
    test('the balance: included, additional, held, and the next refill', async () => {
      await open('team', 'jonas');
      const card = page.locator('.balance');
      await see(card.getByText('2,956 credits available'));
      expect(await figures(card)).toEqual({ included: '2,856', additional: '100', held: '20' });
      const [{ next }] = await database.query(
        `select next_refill_at as next from credits.balances('team')`,
      );
      const date = next.toLocaleDateString('en-US', { dateStyle: 'medium', timeZone: 'UTC' });
      await see(card.getByText(`Next refill ${date}: 3,000 credits`));
    });

    test('what changes it elsewhere, at once', async () => {
      await open('drafts', 'jonas');
      await see(page.getByText('2,500 AI credits available', { exact: true }));
      await call(database.pool, 'spend', {
        account_id: 'drafts',
        operation: 'scene_enhancement',
        member_id: 'aiko',
      });
      await see(page.getByText('2,495 AI credits available', { exact: true }));
      await see(region('Activity').getByRole('cell', { name: 'aiko' }));
    });

    test('every unit, by the name that the product has for it', async () => {
      await open('two-units', 'jonas');
      await see(page.getByText('98 credits available'));
      await see(page.getByText('198 video minutes available'));
    });

    test('whom to ask for credits, and nothing to buy with', async () => {
      await open('team', 'jonas');
      await see(
        page.getByText(
          'Only admins buy credits and configure top-ups. Ask an admin of your team: maria.',
        ),
      );
      expect(await page.getByRole('button', { name: /buy|top-ups|limits/i }).count()).toBe(0);
    });

    test('what was used each day, by operation and by member, as bars and as a table', async () => {
      await open('team', 'jonas');
      const section = region('Usage by day');
      await see(section.getByText('139 credits used in the last 30 days'));
      expect(await legend(section)).toEqual(['Video export 110', 'AI image 19', 'AI voiceover 10']);
      await section.getByText('Show as a table').click();
      const row = section.getByRole('row', { name: dayOf(3) });
      expect(await row.getByRole('cell').allTextContents()).toEqual(['50', '–', '10']);
      await section.getByLabel('Coloured by').selectOption('By member');
      await see(section.getByText('jonas 110'));
      expect(await legend(section)).toEqual(['jonas 110', 'maria 29']);
      await section.getByRole('radio', { name: '7 days' }).check();
      await see(section.getByText('124 credits used in the last 7 days'));
      // Something is drawn: not all of the canvas is empty.
      const drawn = await section.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
        const { width, height } = canvas;
        return canvas
          .getContext('2d')
          ?.getImageData(0, 0, width, height)
          .data.some((value) => value > 0);
      });
      expect(drawn).toBe(true);
    });

    test('the log of 1, 7 or 30 days, in pages, by type and by member', async () => {
      await open('team', 'jonas');
      const section = region('Activity');
      const entries = async () => (await section.getByRole('row').count()) - 1;
      const filter = (label: string, option: string) =>
        section.getByLabel(label).selectOption(option);
      await see(section.getByText('Page 1', { exact: true }));
      expect(await entries()).toBe(10);
      await section.getByRole('button', { name: 'Older' }).click();
      await see(section.getByText('Page 2, the last'));
      expect(await entries()).toBe(6);
      await section.getByRole('button', { name: 'Newer' }).click();
      await see(section.getByText('Page 1', { exact: true }));
      await section.getByRole('radio', { name: '30 days' }).check();
      await section.getByRole('button', { name: 'Older' }).click();
      await see(section.getByText('Page 2, the last'));
      expect(await entries()).toBe(9);
      await filter('Type', 'Plan refill');
      await see(section.getByText('1 entry'));
      await see(section.getByRole('cell', { name: '+3,000 credits' }));
      expect(await entries()).toBe(1);
      await filter('Type', 'All types');
      await filter('Member', 'maria');
      await see(section.getByRole('cell', { name: '−15 credits' }));
      expect(await entries()).toBe(3);
      await section.getByRole('radio', { name: '1 day', exact: true }).check();
      await section.getByRole('cell', { name: '−15 credits' }).waitFor({ state: 'detached' });
      expect(await entries()).toBe(1);
      expect(await section.getByRole('row').last().getByRole('cell').allInnerTexts()).toEqual([
        expect.stringMatching(/\d{4}, \d{1,2}:\d{2}/),
        'AI image',
        'maria',
        '−4 credits',
      ]);
      await section.locator('summary').click();
      await see(section.getByText('2 credits each, 2 times'));
    });

    test('what everything costs, by category', async () => {
      await open('team', 'jonas');
      const section = region('Rate card');
      const row = async (category: string, name: string) =>
        (
          await section
            .getByRole('table', { name: category })
            .getByRole('row', { name })
            .getByRole('cell')
            .innerText()
        ).replaceAll(/\s+/g, ' ');
      expect(await row('Video export', 'Video export')).toBe('0.5 credits per second');
      expect(await row('AI image generation', 'Quality: Standard')).toBe('5 credits');
      expect(await row('Storage', 'Flexible storage')).toBe('1 credit per GB-day');
      await see(section.getByRole('row', { name: 'AI video clip Needs automatic top-ups' }));
    });
  });

  describe('says what something costs before it is made', () => {
    test('line by line, and whether it can be paid, at every change', async () => {
      await open('two-units', 'jonas');
      const { choose, type, price, says } = calculator();
      await choose('What for', 'Video from generative media');
      await choose('Quality', 'Ultra');
      await type('Seconds', '90');
      await price('60 credits');
      await says('You can afford this: 98 credits available.');
      await says('90 seconds at 40 credits per minute');
      await page.getByLabel('Actor').check();
      await price('70 credits');
      await says('120 seconds at 5 credits per minute');
      await type('How many', '2');
      await price('140 credits');
      await says('Not enough: 98 credits available.');
      await choose('What for', 'Video from stock media');
      await type('Seconds', '61');
      await price('2 video minutes');
    });

    test('asking only for what the prices depend on', async () => {
      await open('drafts', 'jonas');
      const { choose, price } = calculator();
      await choose('What for', 'Video clip');
      await choose('Model', 'luma-ray-2');
      await price('90 AI credits');
      expect(await page.getByLabel('Seconds').count()).toBe(0);
      await choose('Model', 'veo-2');
      await price('300 AI credits');
      await choose('Seconds', '8');
      await price('400 AI credits');
    });

    test('and what stands in the way', async () => {
      await open('team', 'jonas');
      const { choose, type, says } = calculator();
      await choose('What for', 'AI video clip');
      await says('Needs automatic top-ups. Ask an admin of your team: maria.');
      await choose('What for', 'Video export');
      await type('Seconds', '-1');
      await says('Seconds: that is too little.');
      await type('Seconds', '');
      await says('Seconds: enter a number.');
    });
  });

  describe('lets an admin', () => {
    test('buy a pack, whose credits are there as soon as it is paid', async () => {
      await open('buyers', 'maria', 'admin');
      await see(page.getByText('3,000 credits available', { exact: true }));
      await page.getByRole('button', { name: 'Buy credits' }).click();
      const dialog = page.getByRole('dialog', { name: 'Buy credits' });
      await dialog.getByRole('radio', { name: 'Standard 5,000 credits $45' }).check();
      await dialog.getByRole('button', { name: 'Continue to payment' }).click();
      await page.getByRole('button', { name: 'Simulate a payment' }).click();
      await see(page.getByText('Thank you. 5,000 credits were added to your balance.'));
      await see(page.getByText('8,000 credits available', { exact: true }));
      expect(page.url()).toBe(`${server.url}/usage`);
      expect(await figures(page.locator('.balance'))).toEqual({
        included: '3,000',
        additional: '5,000',
      });
      await see(region('Activity').getByRole('cell', { name: 'Purchase' }));
    });

    test('leave the checkout, with nothing bought', async () => {
      await open('savers', 'maria', 'admin');
      await page.getByRole('button', { name: 'Buy credits' }).click();
      await page.getByRole('button', { name: 'Continue to payment' }).click();
      await see(page.getByText('Mini: 20 USD'));
      await page.getByRole('link', { name: 'Back without paying' }).click();
      await see(page.getByText('You left the checkout. Nothing was charged.'));
      await see(page.getByText('3,000 credits available', { exact: true }));
    });

    test('see that a payment was declined', async () => {
      await open('savers', 'maria', 'admin');
      await page.getByRole('button', { name: 'Buy credits' }).click();
      await page.getByRole('button', { name: 'Continue to payment' }).click();
      await page.getByRole('button', { name: 'Simulate a decline' }).click();
      await see(page.getByText('The payment was declined. Nothing was charged.'));
      await see(page.getByText('3,000 credits available', { exact: true }));
    });

    test('turn on top-ups, which opens what needs them, change them, and turn them off', async () => {
      await open('savers', 'maria', 'admin');
      await see(page.getByText('Some features need automatic top-ups'));
      await page.getByRole('button', { name: 'Enable top-ups' }).click();
      const dialog = page.getByRole('dialog');
      await see(
        dialog.getByText(
          'Nothing is charged until a top-up is triggered. Each credit costs $0.01.',
        ),
      );
      await dialog.getByLabel('When fewer than this many credits are left').fill('200');
      await dialog.getByLabel('Add this many credits').fill('0');
      await dialog.getByRole('button', { name: 'Save' }).click();
      expect(await topUps('savers')).toBeUndefined();
      await dialog.getByLabel('Add this many credits').fill('1500');
      await dialog.getByRole('button', { name: 'Save' }).click();
      await dialog.waitFor({ state: 'hidden' });
      await page.getByText('Some features need automatic top-ups').waitFor({ state: 'hidden' });
      expect(await topUps('savers')).toMatchObject({
        enabled: true,
        threshold: 200,
        amount: 1500,
        monthly_limit: null,
      });

      await page.getByRole('button', { name: 'Configure top-ups' }).click();
      expect(await dialog.getByLabel('Add this many credits').inputValue()).toBe('1500');
      await dialog.getByLabel('At most this many credits a month').fill('1499');
      await dialog.getByRole('button', { name: 'Save' }).click();
      await see(dialog.getByText('Limit: it must be at least what one top-up adds.'));
      expect(await topUps('savers')).toMatchObject({ monthly_limit: null });
      await dialog.getByLabel('At most this many credits a month').fill('4500');
      await dialog.getByLabel('Top up automatically').uncheck();
      await dialog.getByRole('button', { name: 'Save' }).click();
      await see(page.getByRole('button', { name: 'Enable top-ups' }));
      expect(await topUps('savers')).toMatchObject({
        enabled: false,
        amount: 1500,
        monthly_limit: 4500,
      });
    });

    test('pause additional credits and cap them', async () => {
      await open('savers', 'maria', 'admin');
      await page.getByRole('button', { name: 'Set limits' }).click();
      const dialog = page.getByRole('dialog', { name: 'Set limits' });
      await dialog.getByLabel('Use additional credits').uncheck();
      await dialog.getByLabel('Use at most').fill('80');
      await dialog.getByRole('button', { name: 'Save' }).click();
      await dialog.waitFor({ state: 'hidden' });
      const limits = () =>
        database.query(
          `select additional_enabled as enabled, additional_period_limit::float as cap from credits.accounts where account_id = 'savers'`,
        );
      expect(await limits()).toEqual([{ enabled: false, cap: 80 }]);
      await page.getByRole('button', { name: 'Set limits' }).click();
      await dialog.getByLabel('Use additional credits').check();
      await dialog.getByLabel('Use at most').fill('');
      await dialog.getByRole('button', { name: 'Save' }).click();
      await dialog.waitFor({ state: 'hidden' });
      expect(await limits()).toEqual([{ enabled: true, cap: null }]);
    });

    test('do all of it from the keyboard', async () => {
      await open('team', 'maria', 'admin');
      const button = page.getByRole('button', { name: 'Buy credits' });
      await button.focus();
      await page.keyboard.press('Enter');
      const dialog = page.getByRole('dialog', { name: 'Buy credits' });
      await see(dialog);
      await page.keyboard.press('ArrowDown');
      expect(await dialog.getByRole('radio', { name: 'Standard' }).isChecked()).toBe(true);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'hidden' });
      expect(await button.evaluate((element) => element.matches(':focus'))).toBe(true);
    });
  });

  describe('says plainly', () => {
    test('that the access has expired, and goes on with a new token', async () => {
      await visit();
      const reader = { accountId: 'team', memberId: 'jonas', memberRole: 'member' } as const;
      await page.goto(usagePageLink(server.url, await memberToken(SECRET, reader, '-1 minute')));
      await see(
        page.getByText('Your access has expired. Open this page again from your application.'),
      );
      // The browser itself says that there was a 401.
      expect(complaints.splice(0)).toEqual([expect.stringContaining('401')]);
      await page.goto(usagePageLink(server.url, await memberToken(SECRET, reader)));
      await see(page.getByText('2,956 credits available'));
    });

    test.each([
      ['is no token', 'nonsense', []],
      ['was signed by somebody else', 'e30.eyJleHAiOjk5OTk5OTk5OTl9.e30', ['401']],
    ])('that a link is not valid that %s', async (_, token, complained) => {
      await visit();
      await page.goto(usagePageLink(server.url, token));
      await see(
        page.getByText('This link is not valid. Open this page again from your application.'),
      );
      expect(complaints.splice(0)).toEqual(complained.map((code) => expect.stringContaining(code)));
    });

    test('that it does not know whose usage to show', async () => {
      await visit();
      await page.goto(`${server.url}/usage`);
      await see(page.getByText('Open this page from your application'));
    });

    test('that there is no such account', async () => {
      await open('nobody', 'jonas');
      await see(page.getByText('This account has not been opened yet.'));
    });

    test('that nothing has happened yet', async () => {
      await open('savers', 'jonas');
      await see(page.getByText('Nothing was used in the last 30 days.'));
      await region('Activity').getByRole('radio', { name: '1 day' }).check();
      await region('Activity').getByLabel('Type').selectOption('Refund');
      await see(page.getByText('Nothing matches these filters.'));
    });
  });

  test('keeps its token out of the address, for its tab alone', async () => {
    await open('team', 'jonas');
    await see(page.getByText('2,956 credits available'));
    expect(page.url()).toBe(`${server.url}/usage`);
    await page.reload();
    await see(page.getByText('2,956 credits available'));
    const other = await page.context().newPage();
    await other.goto(`${server.url}/usage`);
    await see(other.getByText('Open this page from your application'));
  });

  test('is an element for other pages: in parts, with names for members, in their colours', async () => {
    await visit();
    const token = await memberToken(SECRET, {
      accountId: 'team',
      memberId: 'jonas',
      memberRole: 'member',
    });
    await page.route(`${server.url}/embedding`, (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<!doctype html><html lang="en"><title>Embedding</title>
          <style>pgcredits-usage { --pgcredits-series-1: rgb(1, 2, 3) }</style>
          <script>addEventListener('pgcredits-loaded', (event) => { document.title = event.detail.product })</script>
          <script type="module" src="/usage/pgcredits-usage.js"></script>
          <pgcredits-usage token="${token}" sections="activity balance" member-names='{"jonas": "Jonas Weber"}'></pgcredits-usage>`,
      }),
    );
    await page.goto(`${server.url}/embedding`);
    await see(page.getByText('2,956 credits available'));
    await see(page.getByRole('cell', { name: 'Jonas Weber' }).first());
    expect(await page.title()).toBe('VideoGen');
    const background = () =>
      page.locator('.balance').evaluate((card) => getComputedStyle(card).backgroundColor);
    expect(await background()).toBe('rgb(255, 255, 255)');
    await page
      .locator('pgcredits-usage')
      .evaluate((element) => element.setAttribute('data-theme', 'dark'));
    expect(await background()).not.toBe('rgb(255, 255, 255)');
    expect(await page.getByRole('heading', { level: 2 }).allTextContents()).toEqual([
      'Activity',
      'Balance',
    ]);
    const colour = await page
      .locator('.swatch.included')
      .evaluate((swatch) => getComputedStyle(swatch).backgroundColor);
    expect(colour).toBe('rgb(1, 2, 3)');
  });

  describe.each(['light', 'dark'] as const)('can be used by everybody, %s', (colorScheme) => {
    test.each([1280, 375])('%i pixels wide', async (width) => {
      await open('two-units', 'maria', 'admin', { colorScheme, viewport: { width, height: 800 } });
      await see(region('Usage by day').locator('canvas'));
      await see(region('Activity').getByText('entries'));
      await see(page.getByText('You can afford this'));
      for (const summary of await page.getByRole('group').locator('summary').all())
        await summary.click();
      expect(await violations()).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(
        true,
      );
      // On a narrow page the dialogs are the same, and tighter.
      for (const name of width === 375 ? ['Buy', 'Enable top-ups', 'Set limits'] : []) {
        await page.getByRole('button', { name }).click();
        await see(page.getByRole('dialog'));
        expect(await violations()).toEqual([]);
        await page.keyboard.press('Escape');
      }
    });
  });
});

/** A team with a month of usage, one on two units, one on another product, and two that have used nothing. */
async function fillLedger(): Promise<void> {
  const on = (account_id: string) => (name: string, args: Arguments) =>
    call(database.pool, name, { account_id, ...args });
  const team = on('team');
  const spend = (operation: string, member_id: string, usage: object) =>
    team('spend', { operation, member_id, usage });
  await database.setNow(daysAgo(40));
  await team('open_account', { plan: 'videogen_pro' });
  await team('add_member', { member_id: 'maria', role: 'admin' });
  await team('add_member', { member_id: 'jonas' });
  await database.setNow(daysAgo(20));
  await spend('ai_image', 'maria', { quality: 'standard', count: 3 });
  await database.setNow(daysAgo(5));
  await team('grant', { amount: 100 });
  await database.setNow(daysAgo(3));
  await spend('video_export', 'jonas', { seconds: 100 });
  await spend('voiceover', 'maria', { characters: 200 });
  await database.setNow(daysAgo(2));
  for (let i = 0; i < 12; i++) await spend('video_export', 'jonas', { seconds: 10 });
  await database.setNow(daysAgo(0.01));
  await spend('ai_image', 'maria', { quality: 'low', count: 2 });
  await team('authorize', { operation: 'ai_image', usage: { quality: 'standard', count: 4 } });

  const twoUnits = on('two-units');
  await twoUnits('open_account', { plan: 'invideo_generative' });
  await twoUnits('spend', { operation: 'stock_video', usage: { seconds: 61 } });
  await twoUnits('spend', { operation: 'remix', usage: { media: 'image', count: 10 } });
  await on('drafts')('open_account', { plan: 'videodraft_pro' });
  await on('buyers')('open_account', { plan: 'videogen_pro' });
  await on('savers')('open_account', { plan: 'videogen_pro' });
  await database.setNow(null);
}

async function visit(options: BrowserContextOptions = {}): Promise<void> {
  ({ page, complaints } = await browser.visit(server.url, options));
}

/** Opens the page of a member. */
async function open(
  accountId: string,
  memberId: string,
  memberRole: 'admin' | 'member' = 'member',
  options: BrowserContextOptions = {},
): Promise<void> {
  await visit(options);
  const token = await memberToken(SECRET, { accountId, memberId, memberRole });
  await page.goto(usagePageLink(server.url, token));
}

const see = (locator: Locator) => locator.waitFor();
const region = (name: string) => page.getByRole('region', { name });

const figures = async (card: Locator) =>
  Object.fromEntries(
    await card
      .locator('[data-figure]')
      .evaluateAll((all: HTMLElement[]) => all.map((one) => [one.dataset.figure, one.textContent])),
  );

const legend = async (section: Locator) =>
  (await section.locator('.legend').getByRole('listitem').allInnerTexts()).map((text) =>
    text.replaceAll(/\s+/g, ' '),
  );

const dayOf = (days: number) =>
  daysAgo(days).toLocaleDateString('en-US', { dateStyle: 'medium', timeZone: 'UTC' });

function calculator() {
  const section = region('Check the cost before you generate');
  const result = section.getByRole('status');
  return {
    choose: (label: string, option: string) => section.getByLabel(label).selectOption(option),
    type: (label: string, text: string) => section.getByLabel(label).fill(text),
    price: (text: string) => see(result.locator('strong').getByText(text, { exact: true })),
    says: (text: string) => see(result.getByText(text)),
  };
}

async function topUps(account: string) {
  const rows = await database.query(
    `select enabled, threshold::float, amount::float, monthly_limit::float from credits.top_up_settings where account_id = $1`,
    [account],
  );
  return rows[0];
}

/** What stands in the way of people with disabilities, as far as a machine can tell. */
async function violations(): Promise<unknown[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe: machine } = window as unknown as { axe: typeof axe };
    const { violations: found } = await machine.run({ preload: false });
    return found.map(({ id, nodes }) => [
      id,
      nodes.map(({ html, failureSummary }) => [html, failureSummary]),
    ]);
  });
}
