/** One account, charged again and again: whether it stays as fast, and what that does to its rows. */
import { openClients, type Slice } from '../clients.ts';
import { median, spread } from '../compare.ts';
import { populate } from '../ledger.ts';
import { type Ledger, vacuum } from '../server.ts';
import { latency, type Subject } from '../subject.ts';
import { spend } from './spend.ts';

const PARTS = 10;

export const hotSubject: Subject = async ({ options, createLedger, progress }) => {
  if (options.mode !== 'compare') return [];
  const ledger = await createLedger('bench_hot');
  await populate(ledger, { accounts: 1000, progress });
  await vacuum(ledger);
  const before = await tables(ledger);
  const clients = await openClients(ledger, options.clients);
  const slices: Slice[] = [];
  try {
    progress(`hot account, ${options.spends} charges, ${clients.count} clients`);
    await clients.run(spend(1), { seconds: options.warmUp });
    for (let part = 1; part <= PARTS; part++) {
      const calls = Math.ceil(options.spends / PARTS / clients.count);
      const slice = await clients.run(spend(1), { seconds: 3600, calls });
      progress(`  part ${part} of ${PARTS}: ${Math.round(slice.rate)} a second`);
      slices.push(slice);
    }
  } finally {
    await clients.close();
  }
  const after = await tables(ledger);
  const rates = slices.map(({ rate }) => rate);
  const [first, last] = [rates.slice(0, PARTS / 2), rates.slice(PARTS / 2)];
  return [
    {
      subject: 'hot',
      name: `hot account, charges ${options.spends / 2} to ${options.spends}`,
      clients: options.clients,
      against: 'the charges before them',
      unit: 'charges',
      ours: median(last),
      floor: median(first),
      ratio: spread(last.map((rate) => rate / median(first))),
      atLeast: null,
      better: null,
      cpu: null,
      latency: latency(slices),
      clientBusy: median(slices.map(({ clientBusy }) => clientBusy)),
      note: after
        .map(({ name, updates, hot, size, dead }) => {
          const was = before.find((table) => table.name === name);
          const updated = updates - (was?.updates ?? 0);
          const share = ((hot - (was?.hot ?? 0)) / updated) * 100;
          return updated > 0
            ? `${name}: ${updated} updates, ${share.toFixed(2)} % HOT, ${kb(was?.size ?? 0)} before and ${kb(size)} after, ${dead} dead rows`
            : '';
        })
        .filter(Boolean)
        .join('; '),
    },
  ];
};

const kb = (bytes: number) => `${Math.round(bytes / 1024)} kB`;

interface Table {
  name: string;
  updates: number;
  hot: number;
  dead: number;
  size: number;
}

/** Of those that are updated at all: lots, and accounts. */
async function tables({ admin }: Ledger): Promise<Table[]> {
  await admin.query('select pg_stat_clear_snapshot()');
  const { rows } = await admin.query(`
    select s.relname as name, s.n_tup_upd::int as updates, s.n_tup_hot_upd::int as hot, s.n_dead_tup::int as dead,
      pg_table_size(s.relid)::float8 as size
    from pg_stat_user_tables s where s.schemaname = 'credits' order by s.relname`);
  return rows;
}
