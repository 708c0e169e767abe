/**
 * The demo: an account on a plan of each product, and calls that show its pricing at work. What is printed is what is run.
 * Each start spends a little more, with keys of its own, so a later one shows what the earlier ones left.
 */
import { DatabaseError, type Pool, type PoolClient } from 'pg';
import { table } from './table.ts';

interface Product {
  title: string;
  account: string;
  plan: string;
  /** What to say about the price, and the SQL that asks for it. */
  quotes: [remark: string, sql: string][];
  spend: [remark: string, sql: string];
}

const ENTRY = 'seq, unit, amount, included, additional, balance_after';
const QUOTE = 'unit, amount, available, affordable, blocked_by';

const PRODUCTS: Product[] = [
  {
    title: 'avs: one balance for everything, unused credits roll over',
    account: 'demo-avs',
    plan: 'avs_creator',
    quotes: [
      [
        'A video costs 10; its resolution multiplies that.',
        `select ${QUOTE}
from credits.quote('demo-avs', 'video_generation', '{"resolution": "4K"}')`,
      ],
    ],
    spend: [
      'A job of four operations is one charge, all or nothing.',
      `select ${ENTRY}
from credits.spend_items('demo-avs', array[
  credits.item('upload', '{"asset": "video"}'), credits.item('upload', '{"asset": "image"}'),
  credits.item('ai_creation'), credits.item('render')], idempotency_key => 'KEY')`,
    ],
  },
  {
    title: 'invideo: two units, credits and video minutes',
    account: 'demo-invideo',
    plan: 'invideo_generative',
    quotes: [
      [
        'Generative video is priced by the second, with a minimum of 30.',
        `select ${QUOTE}
from credits.quote('demo-invideo', 'generative_video', '{"quality": "pro", "seconds": 10}')`,
      ],
      [
        'Ten minutes in ultra quality are more than this plan has.',
        `select ${QUOTE}
from credits.quote('demo-invideo', 'generative_video', '{"quality": "ultra", "seconds": 600}')`,
      ],
    ],
    spend: [
      'A stock video takes minutes; an actor in it takes credits as well.',
      `select ${ENTRY}
from credits.spend('demo-invideo', 'stock_video', '{"seconds": 61, "actor": true}', idempotency_key => 'KEY')`,
    ],
  },
  {
    title: 'videodraft: prices by model, speech by the started 100 characters',
    account: 'demo-videodraft',
    plan: 'videodraft_pro',
    quotes: [
      [
        '601 characters are seven started hundreds.',
        `select ${QUOTE}
from credits.quote('demo-videodraft', 'speech', '{"characters": 601}')`,
      ],
    ],
    spend: [
      'A 60-second marketing video: script, six images, two clips, speech.',
      `select ${ENTRY}
from credits.spend_items('demo-videodraft', array[
  credits.item('script', '{"seconds": 60}'), credits.item('image', '{"model": "flux-1.1-pro", "count": 6}'),
  credits.item('video', '{"model": "kling-2.1", "count": 2}'), credits.item('speech', '{"characters": 600}')],
  idempotency_key => 'KEY')`,
    ],
  },
  {
    title: 'videogen: gates, and a rate card by category',
    account: 'demo-videogen',
    plan: 'videogen_pro',
    quotes: [
      [
        'High quality is for accounts with top-ups.',
        `select ${QUOTE}
from credits.quote('demo-videogen', 'ai_image', '{"quality": "high"}')`,
      ],
    ],
    spend: [
      'Standard quality is for all.',
      `select ${ENTRY}
from credits.spend('demo-videogen', 'ai_image', '{"quality": "standard", "count": 2}', idempotency_key => 'KEY')`,
    ],
  },
];

/**
 * Opens the demo accounts if they are not there, makes each product's calls and prints them with their results. After
 * many starts an account has too little left, and PC402 is part of the show; any other error is thrown.
 */
export async function runDemo(pool: Pool, print: (line?: string) => void): Promise<void> {
  const key = `demo-${new Date().toISOString().slice(0, 19)}`;
  const client = await pool.connect();
  try {
    for (const { title, account, plan, quotes, spend } of PRODUCTS) {
      const show = async (remark: string, sql: string) => {
        print(`-- ${remark}`);
        print(`${sql};`);
        print(await result(client, sql));
        print();
      };
      const balances = `select unit, included, additional, held, total, next_refill_at::date
from credits.balances('${account}')`;

      print(`\n==== ${title}\n`);
      await show(
        'Open since the first start of the demo.',
        `select account_id, plan, period_start::date, period_end::date
from credits.open_account('${account}', '${plan}')`,
      );
      await show('Before:', balances);
      for (const [remark, sql] of quotes) await show(remark, sql);
      await show(spend[0], spend[1].replace('KEY', key));
      await show('After:', balances);
      await show(
        'The log, newest first:',
        `select seq, kind, operation, unit, amount, balance_after, occurred_at::timestamp(0)
from credits.activity('${account}') limit 4`,
      );
    }
  } finally {
    client.release();
  }
}

async function result(client: PoolClient, sql: string): Promise<string> {
  try {
    // As psql shows it: every value is the text that the server sent.
    const { fields, rows } = await client.query({
      text: sql,
      rowMode: 'array',
      types: { getTypeParser: () => (value: string) => value },
    });
    return table(
      fields.map(({ name, dataTypeID }) => ({ name, numeric: NUMBERS.includes(dataTypeID) })),
      rows,
    );
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== 'PC402') throw error;
    return `ERROR ${error.code}: ${error.message}\nDETAIL: ${error.detail}\nHINT: ${error.hint}`;
  }
}

const NUMBERS = [20, 21, 23, 1700];
