import { html, nothing, type TemplateResult } from 'lit';
import { ApiError } from './api.ts';
import { FormDialog, typed } from './form-dialog.ts';
import { list, money, singular } from './format.ts';
import { CONFIGURE_TOP_UP } from './operations.ts';
import { define } from './section.ts';

/** Automatic top-ups: when, by how much, and at most how much in a month. */
class TopUpsDialog extends FormDialog {
  protected readonly name = 'top-ups';
  protected readonly buttonClass = 'secondary';
  protected readonly submitLabel = 'Save';

  protected get heading(): string {
    return this.view.account.topUpSetting?.enabled ? 'Configure top-ups' : 'Enable top-ups';
  }

  protected fields(): TemplateResult {
    const { account, mainUnit } = this.view;
    const { topUpSetting: setting } = account;
    const prices = dollarsFirst(account.rateCardByRateCard.topUpPrices.nodes);
    const unit = mainUnit.name;
    return html`
      ${
        setting?.suspendedReason
          ? html`<p class="callout error">Top-ups were turned off: the card was declined three times. Save to turn them on again.</p>`
          : nothing
      }
      <label class="switch">
        <input type="checkbox" role="switch" name="enabled" autofocus ?checked=${setting?.enabled || !setting}>
        Top up automatically
      </label>
      ${number('threshold', `When fewer than this many ${unit} are left`, setting?.threshold, 0, true)}
      ${number('amount', `Add this many ${unit}`, setting?.amount, step(mainUnit.scale), true)}
      ${number(
        'monthlyLimit',
        `At most this many ${unit} a month (optional)`,
        setting?.monthlyLimit,
        0,
        false,
      )}
      <p class="note">
        Nothing is charged until a top-up is triggered.
        ${
          prices.length === 0
            ? nothing
            : `Each ${singular(unit)} costs ${list(
                prices.map(({ price, currency }) => money(price, currency)),
                'disjunction',
              )}.`
        }
      </p>
    `;
  }

  protected async send(form: FormData): Promise<void> {
    const [amount, monthlyLimit] = [typed(form, 'amount'), typed(form, 'monthlyLimit')];
    if (form.has('enabled') && monthlyLimit !== null && Number(monthlyLimit) < Number(amount)) {
      // The API takes that, and no top-up would ever fit.
      throw new ApiError('PC422', 'invalid input', { field: 'limit', reason: 'below_amount' });
    }
    await this.view.api.ask(CONFIGURE_TOP_UP, {
      input: {
        accountId: this.view.api.reader.accountId,
        enabled: form.has('enabled'),
        threshold: typed(form, 'threshold'),
        amount,
        monthlyLimit: monthlyLimit ?? 'Infinity', // no limit
      },
    });
    this.changed();
  }
}

function number(
  name: string,
  label: string,
  value: string | null | undefined,
  min: number,
  required: boolean,
): TemplateResult {
  return html`
    <label>${label}
      <input name=${name} type="number" inputmode="decimal" step="any" min=${min} ?required=${required} .defaultValue=${plain(value)}>
    </label>
  `;
}

/** A decimal text as a field for numbers takes it: without zeros that say nothing. */
export function plain(value: string | null | undefined): string {
  if (value == null) return '';
  return value.includes('.') ? value.replace(/\.?0+$/, '') : value;
}

/** As prices are chosen where nobody says which: in dollars, if there are any. */
export function dollarsFirst<Priced extends { currency: string }>(prices: Priced[]): Priced[] {
  return prices.toSorted(
    (a, b) =>
      Number(b.currency === 'USD') - Number(a.currency === 'USD') ||
      a.currency.localeCompare(b.currency),
  );
}

/** The smallest amount that there is at a scale. */
function step(scale: number): number {
  return Number(`1e-${scale}`);
}

define('pgcredits-top-ups', TopUpsDialog);
