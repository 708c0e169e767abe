import { html, nothing, type TemplateResult } from 'lit';
import { amount, attributes, label, measureName, number, per, unitName } from './format.ts';
import type { Attributes, Rate } from './operations.ts';
import { define, Section } from './section.ts';

/** What every operation costs, by category. */
class RateCard extends Section {
  protected override render(): TemplateResult {
    const categories = new Map<string, Set<string>>();
    for (const { category, operation } of this.view.rates) {
      categories.set(category, (categories.get(category) ?? new Set()).add(operation));
    }
    return html`
      <section class="card rates" aria-labelledby="rates-heading">
        <h2 id="rates-heading">Rate card</h2>
        <div class="categories">
          ${[...categories].map(
            ([category, operations]) => html`
              <table>
                <caption>${category}</caption>
                <thead class="visually-hidden"><tr><th scope="col">What for</th><th scope="col">Price</th></tr></thead>
                ${[...operations].map((operation) => this.#operation(operation))}
              </table>`,
          )}
        </div>
      </section>
    `;
  }

  #operation(operation: string): TemplateResult {
    // A part that is free of charge says nothing beside one that is not.
    const rates = this.view.ratesOf(operation).filter((rate, _, all) => {
      const free = Number(rate.price) === 0 && rate.tiers === null;
      return !free || Object.keys(rate.match).length > 0 || all.length === 1;
    });
    rates.sort(
      (a, b) =>
        Number(a.optional) - Number(b.optional) ||
        a.component.localeCompare(b.component) ||
        Number(a.price) - Number(b.price),
    );
    const gates = this.view.unmetGates(operation);
    const badges = gates
      .filter(({ match }) => Object.keys(match).length === 0)
      .map((gate) => html` <span class="badge">${this.view.gate(gate)}</span>`);
    const name = html`${this.view.operationName(operation)}${badges}`;
    const multipliers = this.#multipliers(rates);
    const [only, ...rest] = rates;
    if (only && rest.length === 0 && Object.keys(only.match).length === 0) {
      return html`
        <tbody>
          <tr><th scope="row">${name}</th><td>${this.#price(only)}</td></tr>
          ${multipliers}
        </tbody>
      `;
    }
    const components = new Set(
      rates.filter(({ optional }) => !optional).map((rate) => rate.component),
    );
    return html`
      <tbody>
        <tr class="group"><th scope="rowgroup" colspan="2">${name}</th></tr>
        ${rates.map(
          (rate) => html`
            <tr class="sub">
              <th scope="row">${this.#condition(rate, components.size > 1)}${gates
                .filter(({ match }) => Object.keys(match).length > 0 && covers(match, rate.match))
                .map((gate) => html` <span class="badge">${this.view.gate(gate)}</span>`)}</th>
              <td>${this.#price(rate)}</td>
            </tr>`,
        )}
        ${multipliers}
      </tbody>
    `;
  }

  #condition({ component, match, optional }: Rate, several: boolean): string {
    const { plan: _, top_ups: __, ...shown } = match;
    const when = attributes(shown);
    if (optional)
      return `With ${label(component).replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())}`;
    if (!several) return when || label(component);
    return when ? `${label(component)}: ${when}` : label(component);
  }

  #multipliers(rates: Rate[]): TemplateResult[] {
    const all = rates.flatMap(({ multipliers }) => multipliers);
    const shown = new Map<string, { match: Attributes; factor: number }>();
    for (const { match, factor } of all) {
      if (factor !== 1) shown.set(JSON.stringify(match), { match, factor });
    }
    return [...shown.values()].map(({ match: { plan, top_ups: _, ...match }, factor }) => {
      const when = [plan === undefined ? [] : ['On your plan'], attributes(match) || []]
        .flat()
        .join(', ');
      return html`
        <tr class="sub">
          <th scope="row">${when}</th>
          <td>${factor === 0 ? 'Free' : html`<span aria-hidden="true">×</span><span class="visually-hidden">times</span> ${number(factor)}`}</td>
        </tr>
      `;
    });
  }

  #price(rate: Rate): TemplateResult {
    const unit = this.view.unit(rate.unit);
    const notes: string[] = [];
    if (
      rate.minimumQuantity &&
      rate.measure &&
      Number(rate.minimumQuantity) >
        Number(rate.per === '60' && rate.quantityRounding === 'up' ? rate.per : 0)
    ) {
      notes.push(`at least ${number(rate.minimumQuantity)} ${measureName(rate.measure)}`);
    }
    if (rate.minimumCharge && Number(rate.minimumCharge) > 0)
      notes.push(`at least ${amount(rate.minimumCharge, unit)}`);
    if (rate.maximumCharge) notes.push(`at most ${amount(rate.maximumCharge, unit)}`);
    return html`${this.#figure(rate)}${notes.length === 0 ? nothing : html`<small>${notes.join(', ')}</small>`}`;
  }

  #figure({
    price,
    tiers,
    unit: key,
    measure,
    per: block,
    quantityRounding,
  }: Rate): TemplateResult | string {
    const unit = this.view.unit(key);
    const every =
      measure === null
        ? ''
        : ` per ${quantityRounding === 'up' ? 'started ' : ''}${per(measure, block)}`;
    if (tiers) {
      return tiers
        .map(({ up_to, price: each }, index) => {
          const rateOf = each === 0 ? 'free' : `${amount(each, unit)}${every}`;
          if (up_to === undefined) return index === 0 ? rateOf : `then ${rateOf}`;
          return `${index === 0 ? 'first' : 'up to'} ${number(up_to)} ${measureName(measure ?? '')}: ${rateOf}`;
        })
        .join(', ');
    }
    if (Number(price) === 0) return 'Free';
    // Measured in the unit itself: a job that says what it came to.
    if (measure !== null && measureName(measure) === unit.name) return 'What the job comes to';
    return html`<strong>${number(price ?? 0)}</strong> ${unitName(price ?? 0, unit.name)}${every}`;
  }
}

/** Whether a gate's usage is one that the rate is for. */
function covers(gate: Attributes, rate: Attributes): boolean {
  return Object.entries(gate).every(([key, of]) => rate[key] === of);
}

define('pgcredits-rate-card', RateCard);
