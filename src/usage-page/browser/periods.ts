import { html, type TemplateResult } from 'lit';

/** A choice of how many days to look back. */
export function periods(
  name: string,
  legend: string,
  options: number[],
  chosen: number,
  choose: (days: number) => void,
): TemplateResult {
  return html`
    <fieldset class="segments">
      <legend class="visually-hidden">${legend}</legend>
      ${options.map(
        (days) => html`
          <label>
            <input type="radio" name=${name} value=${days} .checked=${days === chosen} @change=${() => choose(days)}>
            <span>${days === 1 ? '1 day' : `${days} days`}</span>
          </label>`,
      )}
    </fieldset>
  `;
}

export function daysAgo(days: number, from: Date = new Date()): Date {
  return new Date(from.getTime() - days * 86_400_000);
}
