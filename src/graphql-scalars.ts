/**
 * What a scalar takes. PostGraphile hands any text to the database, which would refuse the whole request without saying what
 * was wrong with it; checked here, the answer names the argument, as for any other mistake in a GraphQL request.
 */
import {
  GraphQLError,
  type GraphQLScalarTypeConfig,
  Kind,
  type ValueNode,
} from 'postgraphile/graphql';

const SHAPES: Record<string, { shape: RegExp; example: string }> = {
  // NaN and Infinity are numbers to PostgreSQL; the functions refuse them where they mean nothing.
  BigFloat: {
    shape: /^([+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})(e[+-]?\d\d?)?|NaN|Infinity)$/i,
    example: '"12.50"',
  },
  BigInt: { shape: /^[+-]?\d{1,19}$/, example: '"17"' },
  Datetime: {
    shape: /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?$/i,
    example: '"2026-03-01T00:00:00Z"',
  },
};

/** How a scalar reads a variable or a literal, where that is not as PostGraphile has it. Numbers may be written as such. */
export function parsing(
  name: string,
): Pick<GraphQLScalarTypeConfig<unknown, unknown>, 'parseValue' | 'parseLiteral'> {
  const { shape, example } = SHAPES[name] ?? {};
  if (!shape) return {};
  const parseValue = (value: unknown) => {
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text === 'string' && shape.test(text)) return text;
    throw new GraphQLError(
      `${name} cannot represent ${JSON.stringify(value)}; it is written like ${example}.`,
    );
  };
  const parseLiteral = (node: ValueNode) =>
    parseValue(
      node.kind === Kind.STRING || node.kind === Kind.INT || node.kind === Kind.FLOAT
        ? node.value
        : null,
    );
  return { parseValue, parseLiteral };
}
