/** How the GraphQL schema is named and shaped, where PostGraphile's defaults do not fit the contract. */
import 'postgraphile/presets/amber';
import {
  type PgResourceUnique,
  type PgSelectStep,
  sqlFromArgDigests,
} from 'postgraphile/@dataplan/pg';
import type { ConnectionStep } from 'postgraphile/grafast';
import { sql } from 'postgraphile/pg-sql2';
import { jsonPgSmartTags, wrapPlans } from 'postgraphile/utils';
import { describe } from './graphql-descriptions.ts';
import { parsing } from './graphql-scalars.ts';

/** The one function whose result has no bound: pages of it, with cursors. The others give plain lists. */
const PAGED = 'activity';

/** What its pages are read from. It has no ORDER BY, under which a page of ours would read the whole log. */
const UNSORTED = 'entries_matching';

/** Logs, which grow for years: counting them would read all of them. An account's last seq says how many entries it has. */
const UNCOUNTED = ['entries', 'postings'];

/** Relations whose columns do not name them well. */
const NAMES: Record<string, { fieldName: string; foreignFieldName: string }> = {
  entries_refunds_fkey: { fieldName: 'refundedEntry', foreignFieldName: 'refunds' },
};

/** Not part of the API: the one before those, and what is for the worker and for subscriptions alone. */
const HIDDEN = [UNSORTED, 'settle_due', 'top_up_due', 'top_ups_due', 'watch_balances'];

const ShapePlugin: GraphileConfig.Plugin = {
  name: 'PgcreditsShapePlugin',
  inflection: {
    replace: {
      // quote, not quoteList.
      customQueryListField(_previous, _preset, details) {
        return this.customQueryField(details);
      },
      // postings, not postingsByAccountIdAndSeq, unless a table points at another one twice.
      _manyRelation(previous, _preset, details) {
        const relations = details.registry.pgRelations[details.codec.name] ?? {};
        const { extensions, remoteResource } = relations[details.relationName];
        if (extensions?.tags?.foreignFieldName) return previous?.(details) ?? '';
        const { codec } = remoteResource;
        const alike = Object.values(relations).filter(
          (relation) => relation.isReferencee && relation.remoteResource.codec === codec,
        );
        if (alike.length > 1) return previous?.(details) ?? '';
        return this.camelCase(this.distinctPluralize(this._singularizedCodecName(codec)));
      },
      // A key is often named like what it points at. Then the key keeps the name, and the row is such as planByPlan; of a
      // key of several columns the last one says it, as in unitByUnit.
      singleRelation(previous, _preset, details) {
        const name = previous?.(details) ?? '';
        const { codec, registry, relationName } = details;
        const { localAttributes, remoteResource } = registry.pgRelations[codec.name][relationName];
        const nameOf = (attributeName: string) => this.attribute({ codec, attributeName });
        const taken = Object.keys(codec.attributes).map(nameOf).includes(name);
        return taken || /By[A-Z]/.test(name)
          ? this.camelCase(
              `${this.tableType(remoteResource.codec)}-by-${nameOf(localAttributes.at(-1) ?? '')}`,
            )
          : name;
      },
    },
  },
  gather: {
    hooks: {
      pgProcedures_functionResourceOptions(_info, { pgProc, functionResourceOptions }) {
        if (pgProc.proname === PAGED) {
          const unsorted = sql.identifier('credits', UNSORTED);
          functionResourceOptions.from = (...args) => sql`${unsorted}(${sqlFromArgDigests(args)})`;
        }
      },
      pgRelations_relation(_info, { relation, pgConstraint }) {
        relation.extensions ??= {};
        // Every foreign key has an index. PostGraphile leaves out partial ones, which do for looking rows up by a key.
        relation.extensions.isIndexed = true;
        relation.extensions.tags = { ...relation.extensions.tags, ...NAMES[pgConstraint.conname] };
      },
    },
  },
  schema: {
    hooks: {
      // What the database has no comment for. Done last, when everything is there.
      finalize(schema, build) {
        for (const codec of Object.values(build.input.pgRegistry.pgCodecs)) {
          // PostGraphile drops the comments of domains.
          const name = codec.domainOfCodec && build.getGraphQLTypeNameByPgCodec(codec, 'output');
          const type = name && schema.getType(name);
          if (type) type.description ??= codec.description;
        }
        describe(schema);
        return schema;
      },
      GraphQLScalarType: (config) => ({ ...config, ...parsing(config.name) }),
    },
    entityBehavior: {
      pgCodec: {
        override: (behavior, codec) =>
          UNCOUNTED.includes(codec.name) ? [behavior, '-totalCount'] : behavior,
      },
      pgResource: {
        override: (behavior, resource) => {
          if (!resource.parameters) return behavior;
          if (resource.name === PAGED) return [behavior, 'resource:connection:backwards'];
          if (HIDDEN.includes(resource.name)) return [behavior, '-queryField', '-mutationField'];
          return [behavior, '-queryField:resource:connection', 'queryField:resource:list'];
        },
      },
      // Rows are found by primary key; other keys, and what points at them, are there for the sake of constraints.
      pgResourceUnique: {
        override: (behavior, [, unique]) => (unique.isPrimary ? behavior : [behavior, '-single']),
      },
      pgCodecRelation: {
        override: (behavior, relation, build) => {
          const { isReferencee, localCodec, localAttributes } = relation;
          const to = isReferencee ? build.pgTableResource(localCodec) : relation.remoteResource;
          const attributes = isReferencee ? localAttributes : relation.remoteAttributes;
          const uniques: PgResourceUnique[] = to?.uniques ?? [];
          const primary = uniques.find(({ isPrimary }) => isPrimary)?.attributes ?? [];
          return attributes.every((attribute) => primary.includes(attribute))
            ? behavior
            : [behavior, '-singularRelation:resource:single', '-manyRelation:resource:connection'];
        },
      },
    },
  },
};

/**
 * Pages of the log follow seq, so that a cursor is a place in the index and stays what it is while entries are written. PostGraphile
 * would count rows instead: a new entry between two pages would show one entry twice.
 */
const PagesPlugin = wrapPlans(
  {
    Query: {
      [PAGED](plan) {
        const $connection = plan() as ConnectionStep<never, never, never>;
        const $entries = $connection.getSubplan() as unknown as PgSelectStep;
        $entries.orderBy({ attribute: 'seq', direction: 'DESC' });
        $entries.setOrderIsUnique();
        return $connection;
      },
    },
  },
  { name: 'PgcreditsPagesPlugin' },
);

/** Relations that are not declared as foreign keys, for the sake of speed: see sql/migrations/004_ledger.sql. */
const UndeclaredRelationsPlugin = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      'credits.entries': {
        tags: { foreignKey: '(account_id) references credits.accounts (account_id)' },
      },
      'credits.lots': {
        tags: { foreignKey: '(account_id) references credits.accounts (account_id)' },
      },
      'credits.postings': {
        tags: {
          foreignKey: [
            '(account_id, lot_id) references credits.lots (account_id, lot_id)',
            '(account_id, seq) references credits.entries (account_id, seq)',
          ],
        },
      },
    },
  },
});

export const SchemaShapePreset: GraphileConfig.Preset = {
  plugins: [ShapePlugin, PagesPlugin, UndeclaredRelationsPlugin],
  // Rows have keys of their own: no node ids, and no edges on what a mutation returns.
  disablePlugins: ['NodePlugin', 'PgMutationPayloadEdgePlugin'],
  gather: { pgStrictFunctions: true },
  schema: {
    // What cannot be shown must not go missing in silence.
    dontSwallowErrors: true,
    // account_id is part of every key and says nothing: lot, not accountLot.
    pgSimplifyMultikeyRelations: false,
    // Tables are read; what changes is changed by functions.
    defaultBehavior: '-resource:insert -resource:update -resource:delete',
  },
};
