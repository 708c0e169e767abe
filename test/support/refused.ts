/** An error of the contract, as a model raises it: the code, and the facts of DETAIL that it is sure of. */
export class Refused extends Error {
  readonly code: string;
  readonly detail: Record<string, unknown>;

  constructor(code: string, detail: Record<string, unknown>) {
    super(`${code} ${JSON.stringify(detail)}`);
    this.code = code;
    this.detail = detail;
  }
}
