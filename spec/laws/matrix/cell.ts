import { TenantError, runInPublic, runInTenant, type TenantEntityManager, type TenantErrorCode } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type { Library } from '../../../fixtures/entities/index.ts';
import type { SpecDatabase } from '../../support/databases/database.ts';
import type { LibraryOrm } from '../../support/orm/library-orm.ts';
import { asObserver } from '../../support/assertions/statement-watch.ts';
import { schemasIn } from '../../support/orm/twins.ts';
import { enterScope } from '../../../dist/orm/mikro-context.js';
import type { TenantIdentity } from '../../../dist/scope/tenant-identity.js';
import { TenantRules } from '../../../dist/scope/tenant-rules.js';
import { contentsQuery } from './entities.ts';
import { rollBackAfter } from '../../support/orm/roll-back-after.ts';

/** One method, or one way to call it. The object may be created in one scope and used in another. */
export interface Row<Subject = any> {
  make(em: TenantEntityManager, options: SchemaOption): Subject | Promise<Subject>;
  use(subject: Subject, options: SchemaOption): unknown;
  /** Whether it changes rows. It then runs in a transaction that is rolled back, and must not change any other schema. */
  readonly writes?: boolean;
  /** Whether it reads before it writes. The read may succeed if the write is refused. */
  readonly readsFirst?: boolean;
  /** Whether it sends no SQL, or only SQL without a table. */
  readonly quiet?: boolean;
  /** Whether its result contains a value of a sequence. */
  readonly varies?: boolean;
  /** Whether it streams or calls a routine, which MikroORM's PGlite driver does not support. */
  readonly notOnPglite?: boolean;
  /** Whether it, or its object, accepts a schema option. */
  readonly takesSchema?: boolean;
  /** `make` makes several queries, and this one becomes part of another. */
  readonly embeds?: string;
  /** The situations in which it differs from the others. */
  readonly expect?: Expected;
  /** The situations that are impossible for it. */
  readonly except?: readonly Situation[];
}

export type Expected = Partial<Readonly<Record<Situation, Outcome>>>;

export type Table = Readonly<Record<string, Row>>;

/** The schema of the rows that it uses, or the code that it is refused with. */
export type Outcome = 'acme' | 'bob' | 'public' | TenantErrorCode;

export interface SchemaOption {
  readonly schema?: string;
}

export interface World {
  readonly database: SpecDatabase;
  readonly orm: LibraryOrm;
  readonly acme: Library;
  readonly bob: Library;
  /** The contents of every schema, by schema and table. */
  readonly untouched: Contents;
  /** Who was acme before. */
  former?: TenantIdentity | undefined;
}

type Contents = Readonly<Record<string, string>>;

interface SituationOf {
  readonly outcome: Outcome;
  /** Whether the call has a schema option. */
  readonly namesSchema?: boolean;
  /** Whether it is the database that tells, so that what asks nothing of it is told nothing. */
  readonly isTold?: boolean;
  /** Whether one query becomes part of another. */
  readonly embeds?: boolean;
  readonly run: (world: World, row: Row) => Promise<unknown>;
}

/** The situations in which a method can be called, and the expected result unless its row overrides it. */
export const SITUATIONS = {
  'in no scope': { outcome: 'TENANT_CONTEXT_REQUIRED', run: (world, row) => call(world, world.orm.em.fork(), row) },
  'in no scope, of the public schema by name': {
    outcome: 'TENANT_CONTEXT_REQUIRED',
    run: (world, row) => call(world, world.orm.em.fork({ schema: 'public' }), row),
  },
  'in no scope, with { schema: public }': {
    outcome: 'TENANT_CONTEXT_REQUIRED',
    namesSchema: true,
    run: (world, row) => call(world, world.orm.em.fork(), row, { schema: 'public' }),
  },
  'in the public scope': { outcome: 'TENANT_CONTEXT_REQUIRED', run: (world, row) => inPublic(world, em => call(world, em, row)) },
  'in the public scope, of the public schema by name': {
    outcome: 'TENANT_CONTEXT_REQUIRED',
    run: (world, row) => inPublic(world, em => call(world, em.fork({ schema: 'public' }), row)),
  },
  'in the scope of acme': { outcome: 'acme', run: (world, row) => inAcme(world, em => call(world, em, row)) },
  'in the scope of bob': { outcome: 'bob', run: (world, row) => inBob(world, em => call(world, em, row)) },
  'on the global em in a scope': { outcome: 'bob', run: (world, row) => inBob(world, () => call(world, world.orm.em, row)) },
  'in a scope, with { schema } of its tenant': {
    outcome: 'acme',
    namesSchema: true,
    run: (world, row) => inAcme(world, em => call(world, em, row, { schema: 'acme' })),
  },
  'in a scope, with { schema } of another tenant': {
    outcome: 'CROSS_TENANT',
    namesSchema: true,
    run: (world, row) => inAcme(world, em => call(world, em, row, { schema: 'bob' })),
  },
  'in a scope, with { schema: public }': {
    outcome: 'TENANT_CONTEXT_REQUIRED',
    namesSchema: true,
    run: (world, row) => inAcme(world, em => call(world, em, row, { schema: 'public' })),
  },
  'in a scope, by a fork of another tenant': {
    outcome: 'CROSS_TENANT',
    run: (world, row) => inAcme(world, em => call(world, em.fork({ schema: 'bob' }), row)),
  },
  'in a scope, by an em whose schema was set to another tenant': {
    outcome: 'CROSS_TENANT',
    run: (world, row) =>
      inAcme(world, em => {
        const set = em.fork();
        set.schema = 'bob';

        return call(world, set, row);
      }),
  },
  'in no scope, with { schema } of a tenant': {
    outcome: 'acme',
    namesSchema: true,
    run: (world, row) => call(world, world.orm.em.fork(), row, { schema: 'acme' }),
  },
  'in the public scope, with { schema } of a tenant': {
    outcome: 'bob',
    namesSchema: true,
    run: (world, row) => inPublic(world, em => call(world, em, row, { schema: 'bob' })),
  },
  'in no scope, by a fork of a tenant': {
    outcome: 'acme',
    run: (world, row) => call(world, world.orm.em.fork({ schema: 'acme' }), row),
  },
  'in no scope, by a fork of a tenant with { schema } of another': {
    outcome: 'bob',
    namesSchema: true,
    run: (world, row) => call(world, world.orm.em.fork({ schema: 'acme' }), row, { schema: 'bob' }),
  },
  'in a transaction': {
    outcome: 'acme',
    run: (world, row) => inAcme(world, em => rollBackAfter(em, tx => call(world, tx, row))),
  },
  'after a nested transaction was rolled back, with another scope in it': {
    outcome: 'acme',
    run: (world, row) =>
      inAcme(world, em =>
        rollBackAfter(em, async tx => {
          await rollBackAfter(tx, async inner => {
            await call(world, inner, row);
            await inBob(world, async bobs => {
              await call(world, bobs, row);
              await rollBackAfter(bobs, innermost => call(world, innermost, row));
            });
          });
          world.database.statements.length = 0;

          return call(world, tx, row);
        }),
      ),
  },
  'made in a scope, used in another': {
    outcome: 'CROSS_TENANT',
    run: (world, row) =>
      passed(
        world,
        row,
        use => inAcme(world, use),
        use => inBob(world, use),
      ),
  },
  'made in a scope, used in none': { outcome: 'acme', run: (world, row) => passed(world, row, use => inAcme(world, use), inNone) },
  'made in a scope, used in the public one': {
    outcome: 'acme',
    run: (world, row) =>
      passed(
        world,
        row,
        use => inAcme(world, use),
        use => inPublic(world, use),
      ),
  },
  'made in no scope, used in one': {
    outcome: 'TENANT_CONTEXT_REQUIRED',
    run: (world, row) =>
      passed(
        world,
        row,
        use => use(world.orm.em.fork()),
        use => inAcme(world, use),
      ),
  },
  'made in the public scope, used in a tenant’s': {
    outcome: 'TENANT_CONTEXT_REQUIRED',
    run: (world, row) =>
      passed(
        world,
        row,
        use => inPublic(world, use),
        use => inAcme(world, use),
      ),
  },
  'made in no scope of a tenant by name, used in the scope of another': {
    outcome: 'CROSS_TENANT',
    run: (world, row) =>
      passed(
        world,
        row,
        use => use(world.orm.em.fork({ schema: 'acme' })),
        use => inBob(world, use),
      ),
  },
  'made for the former tenant of a name, used in the scope of the one that has it': {
    outcome: 'TENANT_CHANGED',
    isTold: true,
    run: (world, row) =>
      passed(
        world,
        row,
        use => inFormer(world, use),
        use => inAcme(world, use),
      ),
  },
  'made for the former tenant of a name, used in no scope': {
    outcome: 'TENANT_CHANGED',
    isTold: true,
    run: (world, row) => passed(world, row, use => inFormer(world, use), inNone),
  },
  'made for the former tenant of a name, used in its own scope': {
    outcome: 'TENANT_CHANGED',
    isTold: true,
    run: (world, row) => inFormer(world, em => call(world, em, row, {}, () => endFormer(world))),
  },
  'in a scope, with a query in it that was made in another': {
    outcome: 'CROSS_TENANT',
    embeds: true,
    run: (world, row) => mixed(world, row, make => inBob(world, make)),
  },
  'in a scope, with a query in it that was made by a fork of another tenant': {
    outcome: 'CROSS_TENANT',
    embeds: true,
    run: (world, row) => mixed(world, row, make => make(world.orm.em.fork({ schema: 'bob' }))),
  },
  'in a scope, with a query in it that was made by another fork of its tenant': {
    outcome: 'acme',
    embeds: true,
    run: (world, row) => mixed(world, row, make => make(world.orm.em.fork({ schema: 'acme' }))),
  },
} as const satisfies Readonly<Record<string, SituationOf>>;

export type Situation = keyof typeof SITUATIONS;

/** The situations of a row. */
export function situationsOf(row: Row): Situation[] {
  return (Object.keys(SITUATIONS) as Situation[]).filter(name => {
    const { embeds, isTold, namesSchema }: SituationOf = SITUATIONS[name];

    return (
      row.except?.includes(name) !== true &&
      (namesSchema !== true || row.takesSchema !== false) &&
      (embeds !== true || row.embeds !== undefined) &&
      (isTold !== true || row.quiet !== true)
    );
  });
}

/** Runs the row in the situation, and checks the expectation. Resolves to the result as text, or to the refusal. */
export async function checkCell(
  world: World,
  row: Row,
  situation: Situation,
): Promise<{ readonly expected: Outcome; readonly text: string }> {
  const { outcome: usual, run }: SituationOf = SITUATIONS[situation];
  const expected = row.expect?.[situation] ?? usual;
  const { statements } = world.database;
  statements.length = 0;
  let answer: unknown;

  try {
    answer = await run(world, row);
  } catch (error) {
    if (!(error instanceof TenantError)) {
      throw error;
    }

    // an entity is refused before the database is asked
    const isEarlier = expected === 'TENANT_CHANGED' && error.code === 'CROSS_TENANT';
    expect(isEarlier ? expected : error.code, `${situation}: ${error.message}`).to.equal(expected);
    const sent = statements
      .slice(statements.lastIndexOf(MADE) + 1)
      .filter(isWork)
      // what the connection does not send is in the log all the same
      .filter(() => error.code !== 'TENANT_CHANGED')
      .filter(sql => row.readsFirst !== true || !sql.startsWith('[query] select'));
    expect(sent, `${situation}: no statement for a refusal`).to.deep.equal([]);

    return { expected, text: expected };
  }

  const text = JSON.stringify(answer) ?? 'nothing';
  const label = `${situation}: ${text}\n${statements.join('\n')}`;
  expect(text, label).not.to.match(FOREIGN[expected as 'acme'] ?? /^/);

  if (expected !== 'public') {
    const schemas = schemasIn(statements);
    const allowed = row.quiet === true ? [] : [expected];
    expect(
      schemas.filter(schema => schema !== 'public'),
      label,
    ).to.deep.equal(allowed);
    expect(
      statements.filter(sql => DECOY.test(sql)),
      label,
    ).to.deep.equal([]);
  }

  return { expected, text };
}

// the transactions of the situation, and the query for the scope's tenant
function isWork(sql: string): boolean {
  return !/^\[query\] (begin|savepoint|rollback|release|commit)|"pg_namespace"/.test(sql);
}

async function call(
  world: World,
  em: TenantEntityManager,
  row: Row,
  options: SchemaOption = {},
  between: () => void = () => undefined,
): Promise<unknown> {
  return within(world, em, row, options.schema, async inner => {
    const subject: unknown = await row.make(inner, options);
    world.database.statements.push(MADE);
    between();

    return row.use(subject, options);
  });
}

async function passed(world: World, row: Row, make: Enter, use: Enter): Promise<unknown> {
  return make(em =>
    within(world, em, row, em.schema, async inner => {
      const subject: unknown = await row.make(inner, {});
      world.database.statements.length = 0;
      endFormer(world);

      return use(() => row.use(subject, {}));
    }),
  );
}

/** The row in acme's scope. The query that becomes part of another is made elsewhere. */
async function mixed(world: World, row: Row, enter: Enter): Promise<unknown> {
  const other = (await enter(async em => [await row.make(em, {})])) as [Record<string, unknown>];
  const embedded = row.embeds as string;

  return inAcme(world, em =>
    call(world, em, { ...row, make: async (...args) => ({ ...(await row.make(...args)), [embedded]: other[0][embedded] }) }),
  );
}

/** Written rows are compared in their transaction, which is then rolled back. */
async function within(
  world: World,
  em: TenantEntityManager,
  row: Row,
  schema: string | undefined,
  fn: (em: TenantEntityManager) => Promise<unknown>,
): Promise<unknown> {
  if (row.writes !== true) {
    return fn(em);
  }

  return rollBackAfter(em, async tx => {
    const answer = await fn(tx);
    const kept = [...world.database.statements];
    const own = schema ?? tx.schema;
    const [contents] = await asObserver(() => tx.getDriver().execute<Contents[]>(contentsQuery(), [], 'all', tx.getTransactionContext()));
    world.database.statements.splice(0, Infinity, ...kept);

    for (const [table, rows] of Object.entries(contents ?? {})) {
      if (!table.startsWith(`${own}.`)) {
        expect(rows, `${table} was written to`).to.equal(world.untouched[table]);
      }
    }

    return answer;
  });
}

type Enter = (fn: (em: TenantEntityManager) => unknown) => unknown;

const inNone = (fn: (em: never) => unknown): unknown => fn(undefined as never);

function inAcme(world: World, fn: (em: TenantEntityManager) => unknown): Promise<unknown> {
  return runInTenant(world.acme, fn, world);
}

/** Runs `fn` in the scope of a tenant that was acme before the one that is it. That is not known until `endFormer()`. */
async function inFormer(world: World, fn: (em: TenantEntityManager) => unknown): Promise<unknown> {
  const { config } = world.orm;
  const { identities } = TenantRules.of(config);
  const confirmations = identities.confirmationsOf('write');
  world.former = { schemaName: 'acme', key: 'former', keyValues: [0], schemaOid: '1' };
  confirmations.confirm(world.former, confirmations.now(), undefined);

  return enterScope(
    world.orm.em,
    { kind: 'tenant', config, outer: undefined, tenant: world.acme, schemaName: 'acme', identity: world.former },
    fn,
  );
}

function endFormer(world: World): void {
  if (world.former !== undefined) {
    TenantRules.of(world.orm.config).identities.end(world.former);
    world.former = undefined;
  }
}

function inBob(world: World, fn: (em: TenantEntityManager) => unknown): Promise<unknown> {
  return runInTenant(world.bob, fn, world);
}

function inPublic(world: World, fn: (em: TenantEntityManager) => unknown): Promise<unknown> {
  return runInPublic(fn, world);
}

/** Marks the point in the statements at which the object has been created. */
const MADE = 'made';

const FOREIGN = { acme: /bob|decoy/, bob: /acme|decoy/, public: /acme|bob/ } as const;

/** A table of the public schema with a tenant table's name. */
const DECOY = /"public"\."(author|book|tag|book_tags|member|loan|loan_summary|memo|digest)"/;
