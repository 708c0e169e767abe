/**
 * How much one request may ask for. A document is looked at before anything runs, so a refusal has no effect:
 *
 *   length ──> depth ──> page sizes ──> cost: what it would read at worst
 *
 * The figures leave room for every page of a product and for GraphiQL, and none for a request that keeps the database busy
 * for minutes. The size of the body is `maxRequestLength`; of a list of operations in one body nothing is taken.
 */
import 'postgraphile/grafserv';
import { depthLimit } from '@graphile/depth-limit';
import { type ComplexityEstimator, getComplexity } from 'graphql-query-complexity';
import { type ConnectionStep, lambda, SafeError } from 'postgraphile/grafast';
import {
  type ExecutionArgs,
  type GraphQLCompositeType,
  GraphQLError,
  getNamedType,
  getNullableType,
  getOperationAST,
  isLeafType,
  isListType,
  Kind,
  type OperationDefinitionNode,
  type ValidationRule,
  type VariableDefinitionNode,
} from 'postgraphile/graphql';

export const LIMITS = {
  /** Bytes of a request's body. */
  body: 1_000_000,
  /** Characters of a document. */
  document: 20_000,
  /** Selections within selections, and lists within lists. */
  depth: 12,
  lists: 4,
  /** Rows of a page, unless `first` or `last` says otherwise, and at most. */
  page: 100,
  pageAtMost: 1000,
  /** Rows and functions of a request, counted as in `costOf`. */
  cost: 100_000,
  /** How long a statement of an end user may run. */
  statement: '10s',
};

/** Where a page has its rows: they are counted once for each row of the page already. */
const ROWS_OF_A_PAGE = ['nodes', 'edges', 'node'];

/** A list without pages is taken to be this long. */
const LIST = 10;

const measureDepth = depthLimit({
  maxDepth: LIMITS.depth,
  maxListDepth: LIMITS.lists,
  // As deep as GraphiQL and code generators go.
  maxIntrospectionDepth: 16,
  maxDepthByFieldCoordinates: { '__Type.ofType': 10 },
  revealDetails: true,
});

/** The same, with the code, detail and hint that the other limits have. The message says which depth, and how deep it was. */
const depthRule: ValidationRule = (context) => {
  const extensions = {
    code: 'LIMIT',
    detail: { limit: 'depth', at_most: LIMITS.depth, lists_at_most: LIMITS.lists },
    hint: 'Ask for what is nested deep by a request of its own.',
  };
  const reportError = ({ message, nodes }: GraphQLError) =>
    context.reportError(new GraphQLError(message, { nodes, extensions }));
  return measureDepth(Object.assign(Object.create(context), { reportError }));
};

export const LimitsPlugin: GraphileConfig.Plugin = {
  name: 'PgcreditsLimitsPlugin',
  grafserv: {
    middleware: {
      setPreset(next, options) {
        options.validationRules.push(depthRule);
        return next();
      },
      processGraphQLRequestBody(next, { body }) {
        const { length = 0 } = typeof body.query === 'string' ? body.query : '';
        if (length > LIMITS.document) {
          throw tooMuch('document', LIMITS.document, length, 'Send less in one request.', 413);
        }
        return next();
      },
    },
  },
  grafast: {
    middleware: {
      execute: (next, { args }) => refusal(args) ?? next(),
      subscribe: (next, { args }) => refusal(args) ?? next(),
    },
  },
  schema: {
    hooks: {
      GraphQLObjectType_fields_field_args(args, _build, { scope }) {
        if (!scope.isPgFieldConnection || !args.first) return args;
        // The plan below takes both. Pages have cursors: skipping rows would read them all the same.
        const { offset: _, ...rest } = args;
        return {
          ...rest,
          first: {
            ...args.first,
            applyPlan: undefined,
            description: `Only the first so many, at most ${LIMITS.pageAtMost}; ${LIMITS.page} where neither first nor last is given.`,
          },
          last: {
            ...args.last,
            applyPlan: undefined,
            description: `Only the last so many, at most ${LIMITS.pageAtMost}.`,
          },
        };
      },
      GraphQLObjectType_fields_field(field, _build, { scope }) {
        const { plan } = field;
        if (!scope.isPgFieldConnection || !plan) return field;
        return {
          ...field,
          plan($parent, args, info) {
            const $connection = plan($parent, args, info) as ConnectionStep<never, never, never>;
            const [$first, $last] = [args.getRaw('first'), args.getRaw('last')];
            $connection.setFirst(lambda([$first, $last], pageSize));
            $connection.setLast($last as never);
            return $connection;
          },
        };
      },
    },
  },
};

function pageSize([first, last]: readonly (number | null | undefined)[]): number | null {
  return first ?? (last == null ? LIMITS.page : null);
}

/** Operations that are not too much, whatever their variables are. Documents are parsed once, so they come again. */
const allowed = new WeakSet<OperationDefinitionNode>();

/** Why an operation is not run, or null. */
function refusal(args: ExecutionArgs): { errors: GraphQLError[] } | null {
  const { schema, document, operationName } = args;
  const operation = getOperationAST(document, operationName);
  // Without an operation of that name nothing runs, and what would have run it says so.
  if (!operation || allowed.has(operation)) return null;
  try {
    const cost = getComplexity({
      schema,
      query: document,
      variables: args.variableValues ?? {},
      operationName: operationName ?? undefined,
      estimators: [costOf],
    });
    if (cost <= LIMITS.cost) {
      if (!operation.variableDefinitions?.some(mayCost)) allowed.add(operation);
      return null;
    }
    throw tooMuch('cost', LIMITS.cost, cost, 'Ask for smaller pages, or for less at once.');
  } catch (error) {
    if (error instanceof GraphQLError) return { errors: [error] };
    const { message } = error as Error;
    return { errors: [new GraphQLError(message, { originalError: error as Error })] };
  }
}

/** Whether a variable may be the size of a page, or include what would be left out. */
function mayCost({ type }: VariableDefinitionNode): boolean {
  const named = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
  return named.kind === Kind.NAMED_TYPE && ['Int', 'Boolean'].includes(named.name.value);
}

/** A row is 1, as often as there may be rows of it; a field of Query or Mutation, which asks the database, is 200 more. */
const costOf: ComplexityEstimator = ({ type, field, args, childComplexity: within }) => {
  if (field.name.startsWith('__')) return 0;
  const fieldType = getNullableType(field.type);
  if (field.args.some(({ name }) => name === 'first')) return rootOf(type) + pageOf(args) * within;
  if (field.name === 'totalCount') return 1;
  if (isLeafType(getNamedType(fieldType))) return 0;
  if (ROWS_OF_A_PAGE.includes(field.name)) return 1 + within;
  return rootOf(type) + (isListType(fieldType) ? LIST : 1) * (1 + within);
};

function rootOf({ name }: GraphQLCompositeType): number {
  return name === 'Query' || name === 'Mutation' || name === 'Subscription' ? 200 : 0;
}

/** How many rows a page may have. Throws for more than are given. */
function pageOf({ first, last }: { first?: number | null; last?: number | null }): number {
  for (const [name, size] of Object.entries({ first, last })) {
    if (size != null && (size < 0 || size > LIMITS.pageAtMost)) {
      throw tooMuch(
        name,
        LIMITS.pageAtMost,
        size,
        `Ask for 0 to ${LIMITS.pageAtMost} rows, then for the next page.`,
      );
    }
  }
  return Math.max(first ?? 0, last ?? 0, first == null && last == null ? LIMITS.page : 0);
}

function tooMuch(
  what: string,
  limit: number,
  asked: number,
  hint: string,
  statusCode = 400,
): SafeError {
  return new SafeError('the request asks for too much', {
    statusCode,
    code: 'LIMIT',
    detail: { limit: what, at_most: limit, asked },
    hint,
  });
}
