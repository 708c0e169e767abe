import { html, type TemplateResult } from 'lit';
import { FormDialog, typed } from './form-dialog.ts';
import { CONFIGURE_ADDITIONAL } from './operations.ts';
import { define } from './section.ts';
import { plain } from './top-ups.ts';

/** Pausing additional credits, or capping what a period may draw of them. */
class LimitsDialog extends FormDialog {
  protected readonly name = 'limits';
  protected readonly heading = 'Set limits';
  protected readonly buttonClass = 'secondary outline';
  protected readonly submitLabel = 'Save';

  protected fields(): TemplateResult {
    const { account, mainUnit } = this.view;
    return html`
      <label class="switch">
        <input type="checkbox" role="switch" name="enabled" autofocus ?checked=${account.additionalEnabled}>
        Use additional ${mainUnit.name}
      </label>
      <label>Use at most this many additional ${mainUnit.name} in a period
        <input name="periodLimit" type="number" inputmode="decimal" step="any" min="0" placeholder="No limit"
          .defaultValue=${plain(account.additionalPeriodLimit)}>
      </label>
      <p class="note">Paused, only what your plan includes is used. Your balance stays as it is.</p>
    `;
  }

  protected async send(form: FormData): Promise<void> {
    await this.view.api.ask(CONFIGURE_ADDITIONAL, {
      input: {
        accountId: this.view.api.reader.accountId,
        enabled: form.has('enabled'),
        periodLimit: typed(form, 'periodLimit') ?? 'Infinity', // no limit
      },
    });
    this.changed();
  }
}

define('pgcredits-limits', LimitsDialog);
