/** Writes the schemas as the database has them, to be read and compared: what a change really changed shows in its diff. */
import * as fs from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';

/**
 * Each query returns lines, in an order that does not depend on when things were created. `credits_private` is included:
 * this is for maintainers.
 */
const SCHEMAS = `array['credits', 'credits_private', 'credits_report']`;

/** A grant a line: `grant select on credits.lots to credits_member;` */
const grants = (acl: string, owner: string, kind: string, object: string) => `
  select format('grant %s on ${kind}%s to %s;', string_agg(lower(g.privilege_type), ', ' order by g.privilege_type),
      ${object}, case g.grantee when 0 then 'public' else pg_get_userbyid(g.grantee) end)
    from aclexplode(coalesce(${acl}, acldefault('${kind === 'function ' ? 'f' : kind === 'schema ' ? 'n' : 'r'}', ${owner}))) g
    where g.grantee <> ${owner}
    group by g.grantee`;

const SECTIONS: Record<string, string> = {
  roles: `
    select format('role %s%s%s%s', rolname,
      case when rolcanlogin then ' login' else '' end,
      case when rolbypassrls then ' bypassrls' else '' end,
      (select ' in ' || string_agg(m.roleid::regrole::text, ', ' order by m.roleid::regrole::text)
       from pg_auth_members m where m.member = r.oid)) as line
    from pg_roles r where rolname like 'credits\\_%' order by rolname collate "C"`,

  schemas: `
    select concat_ws(E'\\n', format('schema %s owner %s', nspname, pg_get_userbyid(nspowner)),
      (select string_agg(line, E'\\n' order by line) from (${grants('nspacl', 'nspowner', 'schema ', 'nspname')}) g (line))) as line
    from pg_namespace where nspname = any(${SCHEMAS}) order by nspname`,

  types: `
    select case
        when t.typtype = 'd' then format('create domain %s as %s%s%s;', t.oid::regtype, format_type(t.typbasetype, t.typtypmod),
          case when t.typnotnull then ' not null' else '' end,
          (select string_agg(format(E'\\n  constraint %I %s', c.conname, pg_get_constraintdef(c.oid)), '' order by c.conname)
           from pg_constraint c where c.contypid = t.oid and c.contype = 'c'))
        else format(E'create type %s as (\\n%s\\n);', t.oid::regtype,
          (select string_agg(format('  %I %s', a.attname, format_type(a.atttypid, a.atttypmod)), E',\\n' order by a.attnum)
           from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped))
      end as line
    from pg_type t left join pg_class c on c.oid = t.typrelid
    where t.typnamespace::regnamespace::text = any(${SCHEMAS}) and (t.typtype = 'd' or c.relkind = 'c')
      and not exists (select from pg_depend d where d.objid = t.oid and d.deptype = 'e')
    order by t.oid::regtype::text collate "C"`,

  tables: `
    select concat_ws(E'\\n',
      format(E'create table %s (\\n%s\\n);', c.oid::regclass,
        concat_ws(E',\\n',
          (select string_agg(
             format('  %I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
               case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation else '' end,
               case when a.attnotnull then ' not null' else '' end,
               case when a.attidentity <> '' then ' generated always as identity'
                 when a.attgenerated <> '' then format(' generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
                 when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid)
                 else '' end),
             E',\\n' order by a.attnum)
           from pg_attribute a join pg_type t on t.oid = a.atttypid
           left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
          (select string_agg(format('  constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), E',\\n'
             order by array_position('{p,u,x,c,f}'::"char"[], k.contype), k.conname collate "C")
           from pg_constraint k where k.conrelid = c.oid and k.contype = any('{p,u,x,c,f}')))),
      (select string_agg(pg_get_indexdef(i.indexrelid) || ';', E'\\n' order by i.indexrelid::regclass::text collate "C")
       from pg_index i
       where i.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = c.oid)),
      (select string_agg(pg_get_triggerdef(g.oid) || ';', E'\\n' order by g.tgname) from pg_trigger g
       where g.tgrelid = c.oid and not g.tgisinternal),
      'alter table ' || c.oid::regclass || ' owner to ' || pg_get_userbyid(c.relowner) || ';',
      case when c.relrowsecurity then format('alter table %s enable row level security;', c.oid::regclass) end,
      (select string_agg(format('create policy %I on %s for %s to %s%s%s;', p.policyname, c.oid::regclass, lower(p.cmd),
           array_to_string(p.roles, ', '), ' using (' || p.qual || ')', ' with check (' || p.with_check || ')'),
         E'\\n' order by p.policyname collate "C")
       from pg_policies p where (p.schemaname, p.tablename) = (c.relnamespace::regnamespace::text, c.relname)),
      (select string_agg(line, E'\\n' order by line collate "C")
       from (${grants('c.relacl', 'c.relowner', '', 'c.oid::regclass')}) g (line))) as line
    from pg_class c
    where c.relnamespace::regnamespace::text = any(${SCHEMAS}) and c.relkind in ('r', 'p')
    order by c.oid::regclass::text collate "C"`,

  views: `
    select concat_ws(E'\\n',
      format(E'create view %s%s as\\n%s', c.oid::regclass, ' with (' || array_to_string(c.reloptions, ', ') || ')',
        pg_get_viewdef(c.oid)),
      'alter view ' || c.oid::regclass || ' owner to ' || pg_get_userbyid(c.relowner) || ';',
      (select string_agg(line, E'\\n' order by line collate "C")
       from (${grants('c.relacl', 'c.relowner', '', 'c.oid::regclass')}) g (line))) as line
    from pg_class c
    where c.relnamespace::regnamespace::text = any(${SCHEMAS}) and c.relkind = 'v'
    order by c.oid::regclass::text collate "C"`,

  functions: `
    select concat_ws(E'\\n',
      format(E'function %s(%s)\\n  returns %s\\n  language %s %s%s%s owner %s', p.oid::regproc,
        pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), l.lanname,
        case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
        case when p.prosecdef then ' security definer' else '' end,
        ' set ' || array_to_string(p.proconfig, ' set '), pg_get_userbyid(p.proowner)),
      (select string_agg(line, E'\\n' order by line collate "C")
       from (${grants('p.proacl', 'p.proowner', 'function ', 'p.oid::regproc')}) g (line))) as line
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace::regnamespace::text = any(${SCHEMAS})
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    order by p.oid::regproc::text collate "C", pg_get_function_arguments(p.oid) collate "C"`,
};

/** Writes `schema.sql` into `folder` from a migrated database. Throws what its queries throw. */
export async function dumpSchema(connectionString: string, folder: string): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    let text =
      '-- Generated from the database by scripts/dump-schema.ts, to be read. Do not edit or run.\n';
    for (const [title, query] of Object.entries(SECTIONS)) {
      const { rows } = await client.query(query);
      text += `\n\n-- ---- ${title}\n\n${rows.map(({ line }) => line).join('\n\n')}\n`;
    }
    fs.writeFileSync(path.join(folder, 'schema.sql'), text);
  } finally {
    await client.end();
  }
}
