import { html, nothing, type TemplateResult } from 'lit';
import { explain, Section } from './section.ts';

/** A button that opens a dialog with a form. */
export abstract class FormDialog extends Section {
  static override properties = {
    ...Section.properties,
    busy: { state: true },
    failure: { state: true },
  };
  declare busy: boolean;
  declare failure: string | null;
  /** Another one each time that the dialog is opened. */
  protected attempt = '';

  constructor() {
    super();
    this.busy = false;
    this.failure = null;
  }

  /** A name for the ids in it. */
  protected abstract readonly name: string;
  protected abstract readonly heading: string;
  protected abstract readonly buttonClass: string;
  protected abstract readonly submitLabel: string;
  protected abstract fields(): TemplateResult;
  /** Does what the form says. The dialog closes when it has, and shows what it threw. */
  protected abstract send(form: FormData): Promise<void>;

  protected override render(): TemplateResult {
    const { name, heading, busy, failure } = this;
    return html`
      <button type="button" class=${this.buttonClass} aria-haspopup="dialog" @click=${this.#open}>${heading}</button>
      <dialog aria-labelledby="${name}-heading" @close=${this.#closed}>
        <article>
          <header>
            <button type="button" class="close" aria-label="Close" @click=${this.#close}></button>
            <h2 id="${name}-heading">${heading}</h2>
          </header>
          <form id="${name}-form" @submit=${this.#submit}>${this.fields()}</form>
          ${failure === null ? nothing : html`<p class="callout error" role="alert">${failure}</p>`}
          <footer>
            <button type="button" class="secondary outline" @click=${this.#close}>Cancel</button>
            <button form="${name}-form" aria-busy=${busy} ?disabled=${busy}>${this.submitLabel}</button>
          </footer>
        </article>
      </dialog>
    `;
  }

  get #dialog(): HTMLDialogElement {
    return this.querySelector('dialog') as HTMLDialogElement;
  }

  readonly #open = (): void => {
    this.querySelector('form')?.reset();
    this.failure = null;
    this.attempt = Array.from(crypto.getRandomValues(new Uint32Array(4))).join('-');
    this.#dialog.showModal();
  };

  readonly #close = (): void => this.#dialog.close();

  readonly #closed = (): void => {
    this.failure = null;
  };

  readonly #submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    this.busy = true;
    this.failure = null;
    try {
      await this.send(new FormData(event.target as HTMLFormElement));
      this.#dialog.close();
    } catch (error) {
      this.failure = explain(error);
    } finally {
      this.busy = false;
    }
  };
}

/** What was typed into a field for a number, as text; null for nothing. */
export function typed(form: FormData, name: string): string | null {
  return String(form.get(name) ?? '').trim() || null;
}
