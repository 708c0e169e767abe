/** Which questions a calculator has to ask for an operation: what its rates match on, and what they measure. */
import type { Attributes, Rate } from './operations.ts';

export interface Choice {
  key: string;
  /** What may be chosen; true alone is a yes or no. */
  values: (string | number | boolean)[];
  /** Whether there is a rate only with one of the values. Else nothing may be chosen, too. */
  required: boolean;
  chosen: string | number | boolean | undefined;
}

export interface Measure {
  key: string;
  /** Where to begin: as much as the price is for. */
  start: string;
}

export interface Inputs {
  choices: Choice[];
  measures: Measure[];
}

/** The server knows these itself. */
const TRUSTED = ['plan', 'top_ups'];

/**
 * The questions for an operation with these rates, after what has been chosen: a model may have a length to choose from that
 * another does not have. The answers that stand are in the choices.
 */
export function inputsOf(rates: Rate[], chosen: Attributes): Inputs {
  const choices: Choice[] = [];
  let open = rates;
  for (const key of keysOf(rates)) {
    const asking = open
      .filter(({ match }) => key in match)
      .toSorted((a, b) => Number(a.price) - Number(b.price));
    if (asking.length === 0) continue;
    const components = new Set(
      asking.filter(({ optional }) => !optional).map((rate) => rate.component),
    );
    const required = [...components].some((component) =>
      open.every((rate) => rate.component !== component || key in rate.match),
    );
    const choice = choose(
      key,
      asking.map(({ match }) => match[key]),
      required,
      chosen,
    );
    choices.push(choice);
    open = open.filter(({ match }) => !(key in match) || match[key] === choice.chosen);
  }

  const multipliers = open.flatMap((rate) => rate.multipliers);
  const keys = new Set(multipliers.flatMap(({ match }) => Object.keys(match)));
  for (const key of keys) {
    if (TRUSTED.includes(key) || choices.some((choice) => choice.key === key)) continue;
    const asking = multipliers.filter(({ match }) => key in match);
    // Where a value changes nothing, it stands for having chosen none.
    const neutral = asking.find(({ factor }) => factor === 1)?.match[key];
    const given = neutral === undefined ? chosen : { [key]: neutral, ...chosen };
    choices.push(
      choose(
        key,
        asking.map(({ match }) => match[key]),
        neutral !== undefined,
        given,
      ),
    );
  }

  const measures = new Map<string, string>();
  for (const rate of open) {
    const { measure } = rate;
    if (measure !== null && !measures.has(measure)) measures.set(measure, start(rate));
  }
  return { choices, measures: [...measures].map(([key, start]) => ({ key, start })) };
}

function choose(
  key: string,
  all: (string | number | boolean)[],
  required: boolean,
  chosen: Attributes,
): Choice {
  const values = [...new Set(all)];
  if (values.every((value) => typeof value === 'number')) values.sort((a, b) => a - b);
  const standing = values.includes(chosen[key]) ? chosen[key] : undefined;
  return { key, values, required, chosen: standing ?? (required ? values[0] : undefined) };
}

/** What the rates match on; what most of them do, first. */
function keysOf(rates: Rate[]): string[] {
  const counts = new Map<string, number>();
  for (const key of rates.flatMap(({ match }) => Object.keys(match))) {
    if (!TRUSTED.includes(key)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([key]) => key);
}

/** A quantity to begin with that costs something. */
function start({ per, minimumQuantity, price }: Rate): string {
  const most = Math.max(Number(per), Number(minimumQuantity ?? 0));
  if (most > 1) return String(most);
  return Number(price ?? 1) < 0.2 ? '500' : '10';
}
