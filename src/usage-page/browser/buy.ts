import { html, nothing, type TemplateResult } from 'lit';
import { FormDialog } from './form-dialog.ts';
import { amount, list, money } from './format.ts';
import { CHECKOUT, type Checkout, type Pack } from './operations.ts';
import { afterCheckout } from './returning.ts';
import { define } from './section.ts';

/** Choosing a pack, and being sent to pay for it. */
class BuyDialog extends FormDialog {
  static override properties = { ...FormDialog.properties, currency: { state: true } };
  declare currency: string | null;
  protected readonly name = 'buy';
  protected readonly buttonClass = '';

  constructor() {
    super();
    this.currency = null;
  }

  protected get heading(): string {
    const units = [...new Set(this.view.packs.map(({ unit }) => this.view.unit(unit).name))];
    return `Buy ${list(units.length === 0 ? [this.view.mainUnit.name] : units)}`;
  }

  protected get submitLabel(): string {
    return 'Continue to payment';
  }

  protected override render(): TemplateResult {
    if (this.view.packs.length === 0) return html``;
    return super.render();
  }

  /** Dollars where there are prices in dollars, else the first currency that every pack has, or any. */
  get #currencies(): string[] {
    const all = this.view.packs.flatMap(({ packPrices }) => packPrices.nodes);
    return [...new Set(all.map(({ currency }) => currency))].toSorted(
      (a, b) => Number(b === 'USD') - Number(a === 'USD') || a.localeCompare(b),
    );
  }

  protected fields(): TemplateResult {
    const currencies = this.#currencies;
    const chosen = this.currency ?? currencies[0];
    const packs = this.view.packs.flatMap((pack) => {
      const price = pack.packPrices.nodes.find(({ currency }) => currency === chosen);
      return price ? [{ ...pack, price }] : [];
    });
    return html`
      ${
        currencies.length < 2
          ? nothing
          : html`
            <label>Currency
              <select @change=${this.#choose}>
                ${currencies.map((code) => html`<option ?selected=${code === chosen}>${code}</option>`)}
              </select>
            </label>`
      }
      <input type="hidden" name="currency" value=${chosen}>
      <fieldset class="packs">
        <legend class="visually-hidden">Pack</legend>
        ${packs.map((pack, index) => this.#pack(pack, pack.price, index === 0))}
      </fieldset>
      <p class="note">What you buy is additional: it does not expire, and is used after what your plan includes.</p>
    `;
  }

  #pack(
    pack: Pack,
    { price, currency }: { price: string; currency: string },
    first: boolean,
  ): TemplateResult {
    return html`
      <label class="pack">
        <input type="radio" name="pack" value=${pack.pack} required ?checked=${first} ?autofocus=${first}>
        <span class="pack-name">${pack.name}</span>
        <span class="pack-amount">${amount(pack.amount, this.view.unit(pack.unit))}</span>
        <span class="pack-price">${money(price, currency)}</span>
      </label>
    `;
  }

  readonly #choose = (event: Event): void => {
    this.currency = (event.target as HTMLSelectElement).value;
  };

  protected async send(form: FormData): Promise<void> {
    const { api, returnUrl } = this.view;
    const [pack, currency] = [String(form.get('pack')), String(form.get('currency'))];
    const { checkoutPack } = await api.ask<{ checkoutPack: Checkout }>(CHECKOUT, {
      input: {
        accountId: api.reader.accountId,
        pack,
        currency,
        successUrl: afterCheckout(returnUrl, 'paid'),
        cancelUrl: afterCheckout(returnUrl, 'left'),
        // Asked for twice, because an answer was lost, it is one purchase.
        idempotencyKey: `${this.attempt} ${pack} ${currency}`,
      },
    });
    const going = new CustomEvent('pgcredits-checkout', {
      detail: checkoutPack,
      bubbles: true,
      composed: true,
      cancelable: true,
    });
    if (this.dispatchEvent(going)) location.assign(checkoutPack.url);
  }
}

define('pgcredits-buy', BuyDialog);
