import { html, nothing, svg, type TemplateResult } from 'lit';
import { amount, day, label, number, unitName, value } from './format.ts';
import type { Balance } from './operations.ts';
import { define, Section } from './section.ts';

/** What the account has in each unit, what of it is included and additional, and when it refills. */
class BalanceSection extends Section {
  protected override render(): TemplateResult {
    return html`
      <section class="balances" aria-labelledby="balance-heading">
        <h2 id="balance-heading" class="visually-hidden">Balance</h2>
        ${this.view.balances.map((balance, index) => this.#card(balance, index === 0))}
        ${this.#plan()}
      </section>
    `;
  }

  #card(balance: Balance, main: boolean): TemplateResult {
    const { included, additional, held, total, nextRefillAt } = balance;
    const unit = this.view.unit(balance.unit);
    const allowance = this.view.account.planByPlan?.planAllowances.nodes.find(
      (row) => row.unit === balance.unit,
    );
    return html`
      <article class=${main ? 'balance main' : 'balance'} data-unit=${balance.unit}>
        <p class="total"><strong>${number(total)}</strong> <span>${unitName(total, unit.name)} available</span></p>
        ${bar([Number(included), Number(additional), Number(held)])}
        <dl class="split">
          <div><dt><i class="swatch included"></i>Included</dt><dd data-figure="included">${number(included)}</dd></div>
          <div><dt><i class="swatch additional"></i>Additional</dt><dd data-figure="additional">${number(additional)}</dd></div>
          ${
            Number(held) === 0
              ? nothing
              : html`<div><dt><i class="swatch held"></i>Held for jobs in progress</dt><dd data-figure="held">${number(held)}</dd></div>`
          }
        </dl>
        <p class="note">
          ${
            nextRefillAt
              ? html`Next refill <time datetime=${nextRefillAt}>${day(nextRefillAt)}</time>${
                  allowance ? `: ${amount(allowance.amount, unit)}` : nothing
                }`
              : 'No refill is due.'
          }
        </p>
      </article>
    `;
  }

  #plan(): TemplateResult {
    const { account, features, admin, askAnAdmin } = this.view;
    const { planByPlan, planByPendingPlan, cancelsAtPeriodEnd, periodEnd } = account;
    const end = periodEnd ? day(periodEnd) : '';
    return html`
      <article class="plan">
        <h3>${planByPlan ? html`<span class="plan-name">${planByPlan.name}</span> plan` : 'No plan'}</h3>
        ${
          cancelsAtPeriodEnd
            ? html`<p class="note">Ends on ${end}.</p>`
            : planByPendingPlan
              ? html`<p class="note">Changes to ${planByPendingPlan.name} on ${end}.</p>`
              : nothing
        }
        ${
          features.length === 0
            ? nothing
            : html`
              <details class="features">
                <summary>What it includes</summary>
                <dl>
                  ${features.map(
                    ({ feature, value: of }) =>
                      html`<div><dt>${label(feature)}</dt><dd>${value(of)}</dd></div>`,
                  )}
                </dl>
              </details>`
        }
        ${
          admin
            ? html`
              <div class="actions">
                <pgcredits-buy .view=${this.view}></pgcredits-buy>
                <pgcredits-top-ups .view=${this.view}></pgcredits-top-ups>
                <pgcredits-limits .view=${this.view}></pgcredits-limits>
              </div>`
            : html`<p class="note ask">Only admins buy credits and configure top-ups. ${askAnAdmin}</p>`
        }
      </article>
    `;
  }
}

/** The parts of a whole as a bar. The figures stand beside it. */
function bar(parts: number[]): TemplateResult {
  const whole = parts.reduce((sum, part) => sum + part, 0);
  const classes = ['included', 'additional', 'held'];
  let start = 0;
  return html`
    <svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
      <rect class="empty" width="100" height="1"></rect>
      ${parts.map((part, index) => {
        const width = whole === 0 ? 0 : (part / whole) * 100;
        const x = start;
        start += width;
        return svg`<rect class=${classes[index]} x=${x} width=${width} height="1"></rect>`;
      })}
    </svg>
  `;
}

define('pgcredits-balance', BalanceSection);
