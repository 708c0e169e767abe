/**
 * Rows as lines of text: how the database's and the model's are compared, and how a difference reads. For each kind of row,
 * first the expression that PostgreSQL makes the line with (of a row x), then the function that does it for the model's.
 */
import { compare, type Fraction, fraction, over, rounded, times } from '../../support/fractions.ts';
import { type Amount, fromAmount } from '../../support/model.ts';
import { DAY, type Instant, iso } from '../../support/time.ts';
import type { Account, Balance, Entry, Hold, Lot, Meter, Purchase, TopUps } from './model.ts';

const number = (value: string) => `trim_scale(${value})`;
const time = (value: string) =>
  `to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const or = (value: string, otherwise: string) => `coalesce(${value}::text, '${otherwise}')`;

const amount = (value: Amount | null) => (value === null ? 'none' : fromAmount(value));
const at = (value: Instant | null, otherwise = 'never') =>
  value === null ? otherwise : iso(value);

export const ACCOUNT = `
  format('plan %s, then %s, from %s to %s, additional %s up to %s', ${or('x.plan', 'none')},
    case when x.cancels_at_period_end then 'none' else ${or('x.pending_plan', 'the same')} end,
    ${or(time('x.period_start'), 'never')}, ${or(time('x.period_end'), 'never')},
    case when x.additional_enabled then 'on' else 'paused' end, ${or(number('x.additional_period_limit'), 'none')})`;

export const account = (x: Account): string =>
  `plan ${x.plan ?? 'none'}, then ${x.cancels ? 'none' : (x.pendingPlan ?? 'the same')}, ` +
  `from ${at(x.period?.start ?? null)} to ${at(x.period?.end ?? null)}, ` +
  `additional ${x.additionalEnabled ? 'on' : 'paused'} up to ${amount(x.additionalLimit)}`;

export const BALANCE_WITHOUT_REFILL = `
  format('%s: %s included, %s additional, %s held, %s in all', x.unit, ${number('x.included')},
    ${number('x.additional')}, ${number('x.held')}, ${number('x.total')})`;
export const BALANCE = `
  (${BALANCE_WITHOUT_REFILL} || ', refill ' || ${or(time('x.next_refill_at'), 'never')})`;

export const balances = (rows: Balance[], refills = 'with refills'): string[] =>
  rows.map(
    (x) =>
      `${x.unit}: ${amount(x.included)} included, ${amount(x.additional)} additional, ` +
      `${amount(x.held)} held, ${amount(x.total)} in all` +
      (refills === 'with refills' ? `, refill ${at(x.nextRefillAt)}` : ''),
  );

export const LOT = `
  format('lot %s: %s of %s %s from %s, priority %s: %s spent, %s held, %s forfeited, from %s until %s, purchase %s',
    x.lot_id, ${number('x.granted')}, x.bucket, x.unit, x.source, x.priority, ${number('x.spent')}, ${number('x.held')},
    ${number('x.forfeited')}, ${time('x.starts_at')}, ${or(time('x.expires_at'), 'ever')}, ${or('x.purchase_id', 'none')})`;

export const lot = (x: Lot): string =>
  `lot ${x.lotId}: ${amount(x.granted)} of ${x.bucket} ${x.unit} from ${x.source}, priority ${x.priority}: ` +
  `${amount(x.spent)} spent, ${amount(x.held)} held, ${amount(x.forfeited)} forfeited, ` +
  `from ${at(x.startsAt)} until ${at(x.expiresAt, 'ever')}, purchase ${x.purchaseId ?? 'none'}`;

export const ENTRY = `
  format('entry %s at %s: %s of %s %s (%s included, %s additional), then %s%s%s%s%s%s%s%s',
    x.seq, ${time('x.occurred_at')}, x.kind, ${number('x.amount')}, x.unit, ${number('x.included')},
    ${number('x.additional')}, ${number('x.balance_after')}, ', ' || x.operation, ', by ' || x.member_id,
    ', key ' || x.idempotency_key, ', refunds ' || x.refunds_seq, ', hold ' || x.hold_id,
    ', purchase ' || x.purchase_id, case when x.metadata ->> 'late' = 'true' then ', late' end)`;

export const entry = (x: Entry): string =>
  `entry ${x.seq} at ${at(x.occurredAt)}: ${x.kind} of ${amount(x.amount)} ${x.unit} ` +
  `(${amount(x.included)} included, ${amount(x.additional)} additional), then ${amount(x.balanceAfter)}` +
  label(x.operation) +
  label(x.memberId, 'by ') +
  label(x.key, 'key ') +
  label(x.refundsSeq, 'refunds ') +
  label(x.holdId, 'hold ') +
  label(x.purchaseId, 'purchase ') +
  (x.late ? ', late' : '');

const label = (value: string | number | null, name = '') =>
  value === null ? '' : `, ${name}${value}`;

export const HOLD = `
  format('hold %s: %s %s, %s captured, %s, from %s until %s, ended %s%s%s', x.hold_id, ${number('x.amount')}, x.unit,
    ${number('x.captured')}, x.status, ${time('x.authorized_at')}, ${time('x.expires_at')},
    ${or(time('x.ended_at'), 'never')}, ', by ' || x.member_id, ', key ' || x.idempotency_key)`;

export const hold = (x: Hold): string[] =>
  [...x.lines]
    .sort((a, b) => (a.unit < b.unit ? -1 : 1))
    .map(
      (line) =>
        `hold ${x.holdId}: ${amount(line.amount)} ${line.unit}, ${amount(line.captured)} captured, ${x.status}, ` +
        `from ${at(x.authorizedAt)} until ${at(x.expiresAt)}, ended ${at(x.endedAt)}` +
        label(x.memberId, 'by ') +
        // A unit that only the capture brought was not asked for with a key.
        label(line.broughtByCapture ? null : x.key, 'key '),
    );

export const PURCHASE = `
  format('purchase %s: %s %s of %s %s for %s, %s, paid by %s, %s reversed, %s reinstated, %s short, %s declines, next try %s, made %s, settled %s%s%s',
    x.purchase_id, x.kind, ${or('x.pack', '-')}, ${number('x.amount')}, x.unit, ${number('x.price')}, x.status,
    ${or('x.payment_reference', 'nothing')}, ${number('x.reversed_amount')}, ${number('x.reinstated_amount')}, ${number('x.shortfall')}, x.declines,
    ${or(time('x.next_attempt_at'), 'never')}, ${time('x.created_at')}, ${or(time('x.settled_at'), 'never')},
    ', by ' || x.member_id, ', key ' || x.idempotency_key)`;

export const purchase = (x: Purchase): string =>
  `purchase ${x.purchaseId}: ${x.kind} ${x.pack ?? '-'} of ${amount(x.amount)} ${x.unit} for ${amount(x.price)}, ` +
  `${x.status}, paid by ${x.reference ?? 'nothing'}, ${amount(x.reversed)} reversed, ${amount(x.reinstated)} reinstated, ${amount(x.shortfall)} short, ` +
  `${x.declines} declines, next try ${at(x.nextAttemptAt)}, made ${at(x.createdAt)}, settled ${at(x.settledAt)}` +
  label(x.memberId, 'by ') +
  label(x.key, 'key ');

export const TOP_UPS = `
  format('top-ups %s: below %s, %s each, %s a month%s', case when x.enabled then 'on' else 'off' end,
    ${or(number('x.threshold'), 'none')}, ${or(number('x.amount'), 'none')}, ${or(number('x.monthly_limit'), 'none')},
    ', ' || x.suspended_reason)`;

export const topUps = (x: TopUps): string =>
  `top-ups ${x.enabled ? 'on' : 'off'}: below ${amount(x.threshold)}, ${amount(x.amount)} each, ` +
  `${amount(x.monthlyLimit)} a month${label(x.suspended)}`;

export const METER = `
  format('meter %s: %s at %s, %s accrued, %s short', x.meter_id, x.operation, ${number('x.level')},
    trim_scale(round(x.accrued / 86400, 6)), ${number('x.shortfall')})`;

export const meter = (x: Meter): string =>
  `meter ${x.meterId}: ${x.operation} at ${decimal(x.level)}, ` +
  `${decimal(over(x.accrued, fraction(DAY)))} accrued, ${amount(x.shortfall)} short`;

/** To six places, as they are printed. */
const decimal = (x: Fraction): string =>
  compare(x, fraction(0)) === 0
    ? '0'
    : fromAmount(rounded(times(x, fraction(1_000_000)), 'half_up'));

const rows = (line: string, table: string, order: string, where = '') =>
  `array(select ${line} from credits.${table} x where x.account_id = $1 ${where} order by ${order})`;

export const SNAPSHOT = `
  select ${ACCOUNT} as account,
    array(select ${BALANCE.replaceAll('x.', 'b.')} from credits.balances($1) b) as balances,
    ${rows(LOT, 'lots', 'x.lot_id')} as lots,
    ${rows(ENTRY, 'entries', 'x.seq', 'and x.seq > $2')} as entries,
    ${rows(HOLD, 'holds', 'x.hold_id, x.unit')} as holds,
    ${rows(PURCHASE, 'purchases', 'x.purchase_id')} as purchases,
    ${rows(TOP_UPS, 'top_up_settings', '1')} as top_ups,
    ${rows(METER, 'meters', 'x.meter_id')} as meters
  from credits.accounts x where x.account_id = $1`;
