/** How the GraphQL schema is named and shaped, where PostGraphile's defaults do not fit the contract. */
import 'postgraphile/presets/amber';
import {
  type PgResourceUnique,
  type PgSelectStep,
  sqlFromArgDigests,
} from 'postgraphile/@dataplan/pg';
import type { ConnectionStep } from 'postgraphile/grafast';
import { sql } from 'postgraphile/pg-sql2';
import { wrapPlans } from 'postgraphile/utils';

/** The one function whose result has no bound: pages of it, with cursors. The others give plain lists. */
const PAGED = 'activity';

/** What its pages are read from. It has no ORDER BY, under which a page of ours would read the whole log. */
const UNSORTED = 'entries_matching';

/** Not part of the API: the one before this, and what is for the worker alone. */
const HIDDEN = [UNSORTED, 'settle_due', 'top_up_due', 'top_ups_due'];

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
        const { codec } = relations[details.relationName].remoteResource;
        const alike = Object.values(relations).filter(
          (relation) => relation.isReferencee && relation.remoteResource.codec === codec,
        );
        if (alike.length > 1) return previous?.(details) ?? '';
        return this.camelCase(this.distinctPluralize(this._singularizedCodecName(codec)));
      },
      // A key is often named like what it points at. Then the key keeps the name, and the row is such as planByPlan.
      singleRelation(previous, _preset, details) {
        const name = previous?.(details) ?? '';
        const { codec } = details;
        const attributes = Object.keys(codec.attributes);
        return attributes.some((attributeName) => this.attribute({ codec, attributeName }) === name)
          ? this.camelCase(this._singleRelationRaw(details))
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
    },
  },
  schema: {
    entityBehavior: {
      pgResource: {
        override: (behavior, resource) => {
          if (!resource.parameters || resource.name === PAGED) return behavior;
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

export const SchemaShapePreset: GraphileConfig.Preset = {
  plugins: [ShapePlugin, PagesPlugin],
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
