/**
 * The worker: graphile-worker with the tasks of src/tasks. No balance waits for it; it writes down in time what is true anyway.
 */
import { Logger, run, type TaskList } from 'graphile-worker';
import { createPool, requireSchema } from './database.ts';
import type { PaymentProvider } from './payments/provider.ts';
import { chargeTopUp, chargeTopUps } from './tasks/charge-top-ups.ts';
import { settleDue } from './tasks/settle-due.ts';

export interface WorkerOptions {
  /**
   * A login that may `set role credits_service`. graphile-worker installs a schema of its own, `graphile_worker`, which needs
   * CREATE on the database the first time.
   */
  connectionString: string;
  /** Charges top-ups. Without one they stay pending. */
  provider?: PaymentProvider;
  /** Told what was done and what went wrong. */
  log?: (line: string) => void;
  /** When tasks run, in graphile-worker's crontab syntax, instead of the usual times. */
  crontab?: string;
}

export interface Worker {
  /** Resolves when the worker has stopped; rejects if it gave up, such as on a database that stays away. */
  ended: Promise<void>;
  /** Takes no new job, lets those under way end after their present batch, and closes the connections. */
  stop(): Promise<void>;
}

// A job that is still waiting is replaced, so that none pile up behind a long one; a failed one is repeated by the next.
const SETTLE_DUE = '* * * * * settle_due ?jobKey=settle_due&max=1';
const CHARGE_TOP_UPS = '* * * * * charge_top_ups ?jobKey=charge_top_ups&max=1';

/** Starts a worker, and with it a first sweep. Any number may run at once. Throws if the database cannot be reached or has no pgcredits. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { connectionString, provider, log = () => {} } = options;
  const { crontab = provider ? `${SETTLE_DUE}\n${CHARGE_TOP_UPS}` : SETTLE_DUE } = options;
  const taskList: TaskList = { settle_due: settleDue(log) };
  if (provider) {
    taskList.charge_top_up = chargeTopUp(provider, log);
    taskList.charge_top_ups = chargeTopUps(provider, log);
  }
  const pool = createPool({ connectionString, application_name: 'pgcredits worker', log });
  const logger = new Logger(() => (level, message) => {
    if (level === 'error' || level === 'warning') log(message);
  });
  const runner = await requireSchema(pool)
    .then(() =>
      run({
        pgPool: pool,
        taskList,
        crontab,
        concurrency: 2,
        noHandleSignals: true,
        logger,
      }),
    )
    .catch(async (error) => {
      await pool.end();
      throw error;
    });
  const ended = runner.promise.finally(() => pool.end());
  // Whoever does not wait for it has the log.
  ended.catch(() => {});
  await runner.addJob('settle_due', {}, { maxAttempts: 1 });
  if (provider) await runner.addJob('charge_top_ups', {}, { maxAttempts: 1 });
  return {
    ended,
    async stop() {
      await runner.stop().catch(() => {
        // It has stopped by itself; `ended` says why.
      });
      await ended.catch(() => {});
    },
  };
}
