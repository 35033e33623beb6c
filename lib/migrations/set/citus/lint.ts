import { bodiesOf, oneSubcommandEach, shapeOf } from '../../../postgres/statement-shape.js';
import { splitStatements } from '../../../postgres/transaction-statements.js';

/** A statement of a migration that Citus refuses, or does something else with than PostgreSQL. */
export interface CitusFinding {
  readonly migration: string;
  readonly statement: string;
  readonly problem: string;
  readonly remedy: string;
}

/** What is to be looked at: the SQL of one migration of the tenant set, in the order in which it runs. */
export interface LintedMigration {
  readonly name: string;
  readonly sql: readonly string[];
  readonly transactional: boolean;
}

/**
 * Finds what Citus refuses in a migration, or does without a word. `references` are the shared tables that are on every node, with schema and name in
 * quotes; undefined if that is not known.
 */
export function lintForCitus(
  { name: migration, sql, transactional }: LintedMigration,
  { references, publicSchema }: { readonly references: readonly string[] | undefined; readonly publicSchema: string },
): CitusFinding[] {
  const context = { references: references?.map(unquoted), publicSchema };
  let allowsTriggers = false;
  const findings: CitusFinding[] = [];

  for (const text of sql) {
    const statements = splitStatements(text);

    if (!transactional && statements.length > 1) {
      findings.push({ migration, statement: text, ...SEVERAL });
    }

    for (const statement of statements) {
      const shape = shapeOf(statement);
      allowsTriggers ||= ALLOWS_TRIGGERS.test(shape) || ALLOWS_TRIGGERS.test(statement);
      const rule = RULES.find(({ finds }) => finds({ ...context, allowsTriggers, statement, shape }));

      if (rule !== undefined) {
        findings.push({ migration, statement, problem: rule.problem, remedy: rule.remedy });
      }
    }
  }

  return findings;
}

/** The remedy for a statement that was refused. Undefined where none is known. */
export function remedyFor(statement: string, { isSharded }: { readonly isSharded: boolean }): string | undefined {
  if (!isSharded && /\breferences /.test(shapeOf(statement))) {
    return PLAIN_SCHEMA;
  }

  const [found] = lintForCitus({ name: '', sql: [statement], transactional: true }, { references: undefined, publicSchema: 'public' });

  return found && `${found.problem} ${found.remedy}`;
}

interface Looked {
  readonly statement: string;
  readonly shape: string;
  readonly references: readonly string[] | undefined;
  readonly publicSchema: string;
  readonly allowsTriggers: boolean;
}

interface Rule {
  readonly problem: string;
  readonly remedy: string;
  readonly finds: (looked: Looked) => boolean;
}

const RULES: readonly Rule[] = [
  {
    problem: 'Citus leaves tables and foreign keys on the coordinator, without an error, that are made inside a `do` block.',
    remedy: 'Write each of them as a statement of its own.',
    finds: ({ statement, shape }) =>
      /^do\b/.test(shape) && bodiesOf(statement).some(body => /\b(create\s+(unlogged\s+)?table|foreign\s+key|references\s)/i.test(body)),
  },
  {
    problem: 'Citus leaves tables on the coordinator, without an error, that a function makes.',
    remedy: 'Write each of them as a statement of its own, outside of the function.',
    finds: ({ statement, shape }) =>
      /^create (or replace )?(function|procedure) /.test(shape) &&
      bodiesOf(statement).some(body => /\bcreate\s+(unlogged\s+)?table\b/i.test(body)),
  },
  {
    problem: 'Citus does not look at a foreign key of a shared table to one of a tenant when a row of the tenant is deleted.',
    remedy: 'Do without it, or turn it round.',
    finds: ({ shape, publicSchema }) =>
      shape.startsWith(`alter table ${publicSchema}.`) &&
      [...shape.matchAll(/\breferences (?:only )?([\w$]+)(\.[\w$]+)?/g)].some(
        ([, first = '', second]) => second === undefined || first !== publicSchema,
      ),
  },
  {
    problem: 'Citus renames no constraint.',
    remedy: 'Drop it and add it under the new name, each in a statement of its own.',
    finds: ({ shape }) => /^alter table .* rename constraint /.test(shape),
  },
  {
    problem: 'Citus adds no column that is `serial` or an identity.',
    remedy: 'Add a plain column, create a sequence, set the default to `nextval()`, and fill the rows, each in a statement of its own.',
    finds: ({ shape }) =>
      shape.startsWith('alter table ') &&
      oneSubcommandEach(shape).some(each =>
        /\badd (column )?(if not exists )?\S+ ((small|big)?serial[248]?\b|.*\bas identity\b)/.test(each),
      ),
  },
  {
    problem: 'Citus takes no constraint together with other subcommands in one `alter table`.',
    remedy: 'Write an `alter table` for each of them.',
    finds: ({ shape }) => {
      const each = oneSubcommandEach(shape);

      return each.length > 1 && each.some(one => CONSTRAINT.test(one));
    },
  },
  {
    problem: 'Citus refuses triggers on the tables of a tenant until it is told that they are safe.',
    remedy: 'Begin the migration with `set local citus.enable_unsafe_triggers to on`. The trigger runs on the node of the tenant.',
    finds: ({ shape, allowsTriggers }) => !allowsTriggers && /^(create (or replace )?(constraint )?trigger|drop trigger) /.test(shape),
  },
  {
    problem: 'Citus has no tables that inherit.',
    remedy: 'Use partitions, or a table of its own.',
    finds: ({ shape }) => /^create table .*\binherits ?\(/.test(shape) || /^alter table .* (no )?inherit /.test(shape),
  },
  {
    problem: 'Citus restarts no sequence of a tenant by `alter sequence`.',
    remedy: "Use `select setval('name', 1, false)`.",
    finds: ({ shape }) => /^alter sequence .* restart\b/.test(shape),
  },
  {
    problem:
      'Citus sets the sequence on the node of the tenant, and not the one that gives the next key, if `setval()` stands with a table of the tenant.',
    remedy:
      "Read the value into a variable first: `do $$ declare m bigint; begin select max(id) into m from a; perform setval('a_id_seq', m); end $$`.",
    finds: ({ statement, shape }) => SETS_FROM_ROWS.test(shape) || bodiesOf(statement).some(body => SETS_FROM_ROWS.test(shapeOf(body))),
  },
  {
    problem: 'Citus takes no sub-select inside `values`.',
    remedy: 'Write `insert … select …`.',
    finds: ({ shape }) => /^insert into .*\bvalues ?\(.*\( ?select /.test(shape),
  },
  {
    problem: 'Citus takes no volatile function in `update`.',
    remedy: 'Compute the value in the application, or by an `insert … select` into a table of its own.',
    finds: ({ shape }) =>
      /^update .*\b(random|gen_random_uuid|uuid_generate_v\w+|clock_timestamp|timeofday|nextval|setval) ?\(/.test(shape),
  },
  {
    problem: 'Citus updates no shared table by a sub-select that reads a tenant.',
    remedy: 'Read the values first, and write them as parameters.',
    finds: ({ shape, publicSchema }) => shape.startsWith(`update ${publicSchema}.`) && /\( ?select |\bfrom /.test(shape),
  },
  {
    problem: 'Citus takes no foreign key of a tenant to a shared table that is not a reference table.',
    remedy: "Make it one in the public set: `select create_reference_table('…')`. `migration:create` writes that.",
    finds: ({ shape, references, publicSchema }) =>
      references !== undefined &&
      [...shape.matchAll(/\breferences (?:only )?([\w$]+)\.([\w$]+)/g)].some(
        ([, schema = '', table = '']) => schema === publicSchema && !references.includes(`${schema}.${table}`),
      ),
  },
  {
    problem: 'An ordinary user gets no sequence for a `serial` in a schema that the same transaction creates.',
    remedy: 'Write `int generated by default as identity`.',
    finds: ({ shape }) => /^create table .*\b(small|big)?serial[248]?\b/.test(shape),
  },
];

const PLAIN_SCHEMA =
  'On Citus, a superuser alone can create a plain schema whose tables refer to reference tables. Remove `citus.shardTenants: false`, so that new tenants are placed on nodes.';

const SEVERAL = {
  problem: 'Citus refuses several statements in one message, on its nodes alone.',
  remedy: 'Write an `addSql()` for each of them.',
} as const;

const CONSTRAINT =
  /^alter table \S+ (add (constraint|primary key|unique|foreign key|check|exclude)|drop constraint|validate constraint|alter constraint)|\breferences /;

/** In one statement. A sequence may be read. */
const SETS_FROM_ROWS = /\bsetval ?\([^;]*\bfrom (?!\S*_seq\b)/;

const ALLOWS_TRIGGERS = /citus\.enable_unsafe_triggers\b.*\b(on|true)\b/i;

function unquoted(table: string): string {
  return table.replaceAll('"', '').toLowerCase();
}
