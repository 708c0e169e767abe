import { Task } from '@lit/task';
import { BarController, BarElement, CategoryScale, Chart, LinearScale, Tooltip } from 'chart.js';
import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { ApiError } from './api.ts';
import { amount, day, number, shortDay, sum } from './format.ts';
import { USAGE_BY_DAY, type UsageDay } from './operations.ts';
import { periods } from './periods.ts';
import { define, explain, Section } from './section.ts';

Chart.register(BarController, BarElement, CategoryScale, LinearScale, Tooltip);

/** So many are told apart by colour; the rest are one. */
const COLOURS = 7;

interface Series {
  name: string;
  /** Amounts by day. */
  amounts: Map<string, string[]>;
  total: string;
}

/** What was used each day, coloured by operation or by member, with the same figures as a table. */
export class UsageChart extends Section {
  static override properties = {
    ...Section.properties,
    days: { state: true },
    by: { state: true },
    unit: { state: true },
  };
  declare days: number;
  declare by: 'operation' | 'member';
  declare unit: string | null;
  #chart: Chart<'bar', number[], string> | null = null;
  readonly #dark = matchMedia('(prefers-color-scheme: dark)');

  readonly #usage = new Task(this, {
    task: async ([view, days], { signal }) => {
      const variables = {
        accountId: view.api.reader.accountId,
        since: firstDay(days).toISOString(),
        timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      };
      const ask = (more: object) =>
        view.api.ask<{ usageByDay: UsageDay[] }>(USAGE_BY_DAY, { ...variables, ...more }, signal);
      const { usageByDay } = await ask({}).catch((error) => {
        // The database may not know the newest time zones.
        if (error instanceof ApiError && error.detail.field === 'time_zone')
          return ask({ timeZone: 'UTC' });
        throw error;
      });
      return usageByDay;
    },
    args: () => [this.view, this.days] as const,
  });

  constructor() {
    super();
    this.days = 30;
    this.by = 'operation';
    this.unit = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#dark.addEventListener('change', this.#recolour);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#dark.removeEventListener('change', this.#recolour);
    this.#chart?.destroy();
    this.#chart = null;
  }

  get #unit() {
    return this.view.unit(this.unit ?? this.view.mainUnit.unit);
  }

  protected override render(): TemplateResult {
    const { units } = this.view;
    const choose = (key: 'by' | 'unit') => (event: Event) => {
      Object.assign(this, { [key]: (event.target as HTMLSelectElement).value });
    };
    return html`
      <section class="card usage" aria-labelledby="usage-heading">
        <header>
          <h2 id="usage-heading">Usage by day</h2>
          <div class="filters">
            ${periods('usage-days', 'Show usage of', [7, 30, 90], this.days, (days) => {
              this.days = days;
            })}
            <label><span class="visually-hidden">Coloured by</span>
              <select name="by" @change=${choose('by')}>
                <option value="operation">By operation</option>
                <option value="member">By member</option>
              </select>
            </label>
            ${
              units.length < 2
                ? nothing
                : html`
                  <label><span class="visually-hidden">Unit</span>
                    <select name="unit" @change=${choose('unit')}>
                      ${units.map(({ unit, name }) => html`<option value=${unit}>${name}</option>`)}
                    </select>
                  </label>`
            }
          </div>
        </header>
        ${this.#usage.render({
          pending: () =>
            this.#usage.value
              ? this.#figures(this.#usage.value, true)
              : html`<div class="plot" aria-busy="true"></div>`,
          complete: (rows) => this.#figures(rows, false),
          error: (error) => html`<p class="callout error" role="alert">${explain(error)}</p>`,
        })}
      </section>
    `;
  }

  #figures(rows: UsageDay[], busy: boolean): TemplateResult {
    const series = this.#series(rows);
    const total = sum(series.map((each) => each.total));
    const none = series.length === 0;
    return html`
      <div class=${busy ? 'stale' : ''}>
        <p class="note" role="status">${
          none
            ? `Nothing was used in the last ${this.days} days.`
            : html`<strong>${amount(total, this.#unit)}</strong> used in the last ${this.days} days`
        }</p>
        <div class="plot" ?hidden=${none}>
          <canvas role="img" aria-label="Bars of what was used on each of the last ${this.days} days. The table below has the same figures."></canvas>
        </div>
        <ul class="legend" ?hidden=${none}>
          ${series.map(
            ({ name, total: of }, index) => html`
              <li><i class="swatch series-${index + 1}"></i>${name} <span class="legend-figure">${number(of)}</span></li>`,
          )}
        </ul>
        ${none ? nothing : this.#table(series)}
      </div>
    `;
  }

  #table(series: Series[]): TemplateResult {
    const days = daysOf(this.days).filter((date) =>
      series.some(({ amounts }) => amounts.has(date)),
    );
    return html`
      <details>
        <summary>Show as a table</summary>
        <div class="scroll" role="region" tabindex="0" aria-label="Usage by day, as a table">
          <table>
            <thead>
              <tr><th scope="col">Day</th>${series.map(({ name }) => html`<th scope="col" class="figure">${name}</th>`)}</tr>
            </thead>
            <tbody>
              ${days.toReversed().map(
                (date) => html`
                  <tr>
                    <th scope="row">${day(noon(date))}</th>
                    ${series.map(({ amounts }) => {
                      const of = amounts.get(date);
                      return html`<td class="figure">${of ? number(sum(of)) : '–'}</td>`;
                    })}
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>
      </details>
    `;
  }

  /** The largest first; those that are too many, as one. */
  #series(rows: UsageDay[]): Series[] {
    const byName = new Map<string, Map<string, string[]>>();
    const add = (name: string, date: string, amounts: string[]) => {
      const days = byName.get(name) ?? new Map<string, string[]>();
      days.set(date, [...(days.get(date) ?? []), ...amounts]);
      byName.set(name, days);
    };
    for (const { day: date, operation, memberId, unit, amount: of } of rows) {
      if (unit !== this.#unit.unit || Number(of) === 0) continue;
      const name =
        this.by === 'operation'
          ? this.view.operationName(operation)
          : this.view.memberName(memberId);
      add(name, date, [of]);
    }
    const all = [...byName]
      .map(([name, amounts]) => ({ name, amounts, total: sum([...amounts.values()].flat()) }))
      .toSorted((a, b) => Number(b.total) - Number(a.total));
    if (all.length <= COLOURS + 1) return all;
    const rest = all.slice(COLOURS);
    byName.clear();
    for (const { amounts } of rest) {
      for (const [date, of] of amounts) add('Other', date, of);
    }
    const amounts = byName.get('Other') as Map<string, string[]>;
    return [
      ...all.slice(0, COLOURS),
      { name: 'Other', amounts, total: sum(rest.map(({ total }) => total)) },
    ];
  }

  protected override updated(_changed: PropertyValues): void {
    const canvas = this.querySelector('canvas');
    if (this.#chart && this.#chart.canvas !== canvas) {
      this.#chart.destroy();
      this.#chart = null;
    }
    if (canvas && this.#usage.value) this.#draw(canvas, this.#series(this.#usage.value));
  }

  readonly #recolour = (): void => this.requestUpdate();

  #draw(canvas: HTMLCanvasElement, series: Series[]): void {
    const styles = getComputedStyle(this);
    const colour = (name: string) => styles.getPropertyValue(name).trim();
    const days = daysOf(this.days);
    const data = {
      labels: days,
      datasets: series.map(({ name, amounts }, index) => ({
        label: name,
        // How high a bar is need not be exact.
        data: days.map((date) => Number(sum(amounts.get(date) ?? []))),
        backgroundColor: colour(`--pgcredits-series-${index + 1}`),
        borderColor: colour('--pico-card-background-color'),
        // Many narrow bars have no room for gaps.
        borderWidth: { top: this.days > 30 ? 0 : 1 },
        borderSkipped: false as const,
        maxBarThickness: 36,
      })),
    };
    const text = colour('--pico-muted-color');
    const unit = this.#unit;
    const options = {
      animation: false as const,
      maintainAspectRatio: false,
      interaction: { mode: 'index' as const, intersect: false },
      scales: {
        x: {
          stacked: true,
          grid: { display: false },
          border: { display: false },
          ticks: {
            color: text,
            maxRotation: 0,
            autoSkipPadding: 16,
            callback: (index: string | number) => shortDay(noon(days[Number(index)])),
          },
        },
        y: {
          stacked: true,
          beginAtZero: true,
          border: { display: false },
          grid: { color: colour('--pico-muted-border-color') },
          ticks: { color: text, maxTicksLimit: 6, callback: (of: string | number) => number(of) },
        },
      },
      plugins: {
        tooltip: {
          filter: ({ parsed }: { parsed: { y: number | null } }) => (parsed.y ?? 0) > 0,
          callbacks: {
            title: ([item]: { dataIndex: number }[]) =>
              item ? day(noon(days[item.dataIndex])) : '',
            label: ({
              dataset,
              parsed,
            }: {
              dataset: { label?: string };
              parsed: { y: number | null };
            }) => ` ${dataset.label}: ${amount(parsed.y ?? 0, unit)}`,
          },
        },
      },
    };
    if (this.#chart) {
      this.#chart.data = data;
      this.#chart.options = options;
      this.#chart.update();
    } else {
      this.#chart = new Chart(canvas, { type: 'bar', data, options });
    }
  }
}

/** The beginning of the first of so many days, today being the last. */
function firstDay(days: number): Date {
  const today = new Date();
  return new Date(today.getFullYear(), today.getMonth(), today.getDate() - days + 1);
}

/** So many days up to today, as the API writes them. */
function daysOf(days: number): string[] {
  const first = firstDay(days);
  return Array.from({ length: days }, (_, index) => {
    const date = new Date(first.getFullYear(), first.getMonth(), first.getDate() + index);
    const two = (part: number) => String(part).padStart(2, '0');
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  });
}

/** A day at noon, here: whatever its offset, it is that day. */
function noon(date: string): Date {
  return new Date(`${date}T12:00:00`);
}

define('pgcredits-chart', UsageChart);
