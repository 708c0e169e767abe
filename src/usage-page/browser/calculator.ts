import { Task } from '@lit/task';
import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { ApiError } from './api.ts';
import { breakdown } from './breakdown.ts';
import { amount, label, measureName, value } from './format.ts';
import { type Choice, inputsOf, type Measure } from './inputs.ts';
import { type Attributes, QUOTE, type QuoteLine } from './operations.ts';
import { define, explain, Section } from './section.ts';

/** How long typing may pause before the price is asked for. */
const PAUSE = 250;

/** The price of an operation before it is spent, and whether it can be paid. Every figure is the API's. */
class Calculator extends Section {
  static override properties = {
    ...Section.properties,
    operation: { state: true },
    chosen: { state: true },
    typed: { state: true },
  };
  declare operation: string | null;
  declare chosen: Attributes;
  /** What was typed as a measure, or as `count`. */
  declare typed: Record<string, string>;

  readonly #quote = new Task(this, {
    task: async ([operation, usage, view], { signal }) => {
      await pause(signal);
      const { quote } = await view.api.ask<{ quote: QuoteLine[] }>(
        QUOTE,
        { accountId: view.api.reader.accountId, operation, usage: JSON.parse(usage) },
        signal,
      );
      return quote;
    },
    args: () => {
      const operation = this.#operation;
      return [operation, JSON.stringify(this.#usage(operation)), this.view] as const;
    },
  });

  constructor() {
    super();
    this.operation = null;
    this.chosen = {};
    this.typed = {};
  }

  get #operation(): string {
    return this.operation ?? this.view.rates[0]?.operation ?? '';
  }

  #inputs(operation: string) {
    return inputsOf(this.view.ratesOf(operation), this.chosen);
  }

  #usage(operation: string): Attributes {
    const { choices, measures } = this.#inputs(operation);
    const usage: Attributes = {};
    for (const { key, chosen } of choices) if (chosen !== undefined) usage[key] = chosen;
    for (const { key, start } of measures) {
      const text = this.typed[key] ?? start;
      // Emptied, it is no 0: the API says that it is missing.
      if (text !== '') usage[key] = Number(text);
    }
    const count = Number(this.typed.count ?? 1);
    if (count !== 1) usage.count = count;
    return usage;
  }

  protected override render(): TemplateResult {
    const operation = this.#operation;
    const { choices, measures } = this.#inputs(operation);
    const description = this.view.operations.get(operation)?.description ?? '';
    return html`
      <section class="card calculator" aria-labelledby="calculator-heading">
        <h2 id="calculator-heading">Check the cost before you generate</h2>
        <div class="columns">
          <form @submit=${(event: Event) => event.preventDefault()}>
            <label>What for
              <select name="operation" aria-describedby="calculator-description" @change=${this.#operate}>
                ${[...this.#categories()].map(
                  ([category, operations]) => html`
                    <optgroup label=${category}>
                      ${[...operations].map(
                        ([key, name]) =>
                          html`<option value=${key} ?selected=${key === operation}>${name}</option>`,
                      )}
                    </optgroup>`,
                )}
              </select>
            </label>
            <p class="note" id="calculator-description">${prose(description)}</p>
            <div class="inputs">
              ${repeat(
                choices,
                ({ key }) => `${operation} ${key}`,
                (choice) => this.#choice(choice),
              )}
              ${repeat(
                measures,
                ({ key }) => `${operation} ${key}`,
                (measure) => this.#measure(measure),
              )}
              ${this.#measure({ key: 'count', start: '1' }, 'How many')}
            </div>
          </form>
          <div class="result" role="status" aria-live="polite" aria-atomic="true">
            ${this.#quote.render({
              initial: () => html`<p class="note">Choose what to make.</p>`,
              // What was there stays until there is something new.
              pending: () => this.#lines(this.#quote.value, true),
              complete: (lines) => this.#lines(lines, false),
              error: (error) => html`<p class="callout error">${this.#refusal(error)}</p>`,
            })}
          </div>
        </div>
      </section>
    `;
  }

  #categories(): Map<string, Map<string, string>> {
    const categories = new Map<string, Map<string, string>>();
    for (const { category, operation, operationName } of this.view.rates) {
      if (!categories.has(category)) categories.set(category, new Map());
      categories.get(category)?.set(operation, operationName);
    }
    return categories;
  }

  #choice({ key, values, required, chosen }: Choice): TemplateResult {
    const choose = (of: Attributes[string] | undefined) => {
      const { [key]: _, ...rest } = this.chosen;
      this.chosen = of === undefined ? rest : { ...rest, [key]: of };
    };
    if (values.every((of) => of === true)) {
      return html`
        <label class="switch">
          <input type="checkbox" role="switch" name=${key} .checked=${chosen === true}
            @change=${(event: Event) => choose((event.target as HTMLInputElement).checked || undefined)}>
          ${label(key)}
        </label>
      `;
    }
    return html`
      <label>${label(key)}
        <select name=${key} @change=${(event: Event) => choose(values[Number((event.target as HTMLSelectElement).value)])}>
          ${required ? nothing : html`<option value="-1" ?selected=${chosen === undefined}>Any</option>`}
          ${values.map(
            (of, index) =>
              html`<option value=${index} .selected=${of === chosen}>${value(of)}</option>`,
          )}
        </select>
      </label>
    `;
  }

  #measure({ key, start }: Measure, name = label(measureName(key))): TemplateResult {
    return html`
      <label>${name}
        <input type="number" name=${key} min=${key === 'count' ? 1 : 0} step=${key === 'count' ? 1 : 'any'} inputmode="decimal"
          .value=${this.typed[key] ?? start}
          @input=${(event: Event) => {
            this.typed = { ...this.typed, [key]: (event.target as HTMLInputElement).value };
          }}>
      </label>
    `;
  }

  readonly #operate = (event: Event): void => {
    this.operation = (event.target as HTMLSelectElement).value;
    this.chosen = {};
    this.typed = {};
  };

  #lines(lines: QuoteLine[] | undefined, busy: boolean): TemplateResult {
    if (!lines) return html`<p class="note" aria-busy="true">Asking for the price…</p>`;
    const blocked = lines.find(({ blockedBy }) => blockedBy !== null);
    return html`
      <div class=${busy ? 'stale' : ''}>
        ${lines.map(
          (line) =>
            html`<p class="price" data-unit=${line.unit}><strong>${amount(line.amount, this.view.unit(line.unit))}</strong></p>`,
        )}
        ${
          blocked
            ? html`<p class="callout error">${this.#reason(blocked)}</p>`
            : html`<p class="callout ok">You can afford this: ${lines
                .map((line) => amount(line.available, this.view.unit(line.unit)))
                .join(' and ')} available.</p>`
        }
        ${breakdown(
          this.view,
          lines.map(({ unit, breakdown }) => ({ unit, lines: breakdown })),
        )}
      </div>
    `;
  }

  #reason({ blockedBy, unit, available }: QuoteLine): string {
    const { admin, askAnAdmin } = this.view;
    const has = amount(available, this.view.unit(unit));
    switch (blockedBy) {
      case 'plan_required':
        return this.#gates('plan');
      case 'top_ups_required':
        return `${this.#gates('top_ups')} ${admin ? 'Enable them above.' : askAnAdmin}`;
      case 'additional_paused':
        return `Additional ${this.view.unit(unit).name} are paused, so only ${has} can be used now. ${admin ? '' : askAnAdmin}`;
      case 'period_limit':
        return `Your team’s limit on additional ${this.view.unit(unit).name} leaves ${has} for this period. ${admin ? '' : askAnAdmin}`;
      case 'member_cap':
        return `Your own cap leaves ${has} for this period. ${admin ? '' : askAnAdmin}`;
      default:
        return `Not enough: ${has} available. ${admin ? '' : askAnAdmin}`;
    }
  }

  #gates(requires: 'plan' | 'top_ups'): string {
    const gates = this.view.operations.get(this.#operation)?.gates.nodes ?? [];
    const gate = gates.find((each) => each.requires === requires);
    return gate ? `${this.view.gate(gate)}.` : 'Not part of your plan.';
  }

  #refusal(error: unknown): string {
    if (error instanceof ApiError && error.code === 'PC403') {
      const { requires } = error.detail;
      if (requires === 'plan' || requires === 'top_ups') return this.#gates(requires);
    }
    return explain(error);
  }
}

/** A description without what it says of single inputs, such as "seconds: its length.": they have fields of their own. */
function prose(description: string): string {
  return description
    .split(/(?<=\.) /)
    .filter((sentence) => !/^[a-z_]+:/.test(sentence))
    .join(' ');
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, PAUSE);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

define('pgcredits-calculator', Calculator);
