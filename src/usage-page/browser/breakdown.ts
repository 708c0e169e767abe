import { html, nothing, type TemplateResult } from 'lit';
import { label, measureName, number, per, unitName } from './format.ts';
import type { BreakdownLine } from './operations.ts';
import type { View } from './view.ts';

/** The lines that an amount consists of, as the API lists them. */
export function breakdown(
  view: View,
  parts: { unit: string; lines: BreakdownLine[] | null }[],
): TemplateResult | typeof nothing {
  const rows = parts.flatMap(({ unit, lines }) => (lines ?? []).map((line) => ({ unit, line })));
  if (rows.length === 0) return nothing;
  const operations = new Set(rows.flatMap(({ line }) => line.operation ?? []));
  return html`
    <table class="breakdown">
      <caption class="visually-hidden">What it consists of</caption>
      <thead class="visually-hidden"><tr><th scope="col">Part</th><th scope="col">Amount</th></tr></thead>
      <tbody>
        ${rows.map(
          ({ unit, line }) => html`
            <tr>
              <th scope="row">
                <span>${title(view, line, operations.size > 1)}</span>
                <small>${how(view, unit, line)}</small>
              </th>
              <td>${number(line.amount)} ${parts.length > 1 ? unitName(line.amount, view.unit(unit).name) : nothing}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  `;
}

function title(view: View, { operation, component }: BreakdownLine, several: boolean): string {
  const name = operation === undefined ? '' : view.operationName(operation);
  if (component === 'base') return name;
  return several && name ? `${name}: ${label(component).toLowerCase()}` : label(component);
}

/** Such as: 60 seconds at 20 credits per minute, × 2. */
function how(view: View, unit: string, line: BreakdownLine): string {
  const { measure, quantity, price, multiplier, count } = line;
  const parts: string[] = [];
  if (measure && quantity != null) {
    parts.push(`${number(quantity)} ${measureName(measure)}`);
  }
  // Measured in the unit itself, it is as much as it is.
  const itself = measure != null && measureName(measure) === view.unit(unit).name;
  if (price != null && !itself) {
    const each = `${number(price)} ${unitName(price, view.unit(unit).name)}`;
    parts.push(measure ? `at ${each} per ${per(measure, String(line.per ?? 1))}` : `${each} each`);
  }
  let text = parts.join(' ');
  if (multiplier != null && multiplier !== 1) text += `, × ${number(multiplier)}`;
  if (count != null && count !== 1) text += `, ${number(count)} times`;
  return text;
}
