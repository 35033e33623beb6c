import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { EntityLoader, ObjectHydrator, ref } from '@mikro-orm/core';
import { PgliteDriver } from '@mikro-orm/pglite';
import { BasePostgreSqlEntityManager, QueryBuilder, QueryBuilderHelper } from '@mikro-orm/sql';
import { expect } from 'chai';
import DataLoader from 'dataloader';
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { Author, Book, Genre, LoanSummary } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { ROOT, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

const OVERRIDING: Readonly<Record<string, (em: TenantEntityManager) => Overriding | Promise<Overriding>>> = {
  'the EntityManager': async em => {
    const [book, genre] = [await em.findOneOrFail(Book, 1), await em.findOneOrFail(Genre, 1)];

    return {
      object: em,
      base: BasePostgreSqlEntityManager,
      args: {
        addFilter: [{ name: 'none', cond: {} }],
        applyFilters: [Book, {}, {}, 'read'],
        assign: [book, {}],
        callRoutine: [{ name: 'none' }, {}],
        clearCache: ['books'],
        clone: [book],
        create: [Book, {}],
        createQueryBuilder: [Book],
        findOne: [Book, 1],
        flush: [],
        fork: [],
        getConnection: ['write'],
        getContext: [],
        getDataLoader: ['ref'],
        getEntityLoader: [],
        getKysely: [],
        insert: [Book, {}],
        insertMany: [Book, []],
        merge: [Book, {}],
        nativeDelete: [Book, 1],
        nativeUpdate: [Book, 1, {}],
        populate: [[book], []],
        preparePopulate: [Book, {}],
        processWhere: [Book, {}, {}, 'read'],
        refresh: [genre],
        refreshMaterializedView: [Genre],
        setFilterParams: ['none', {}],
        storeCache: [false, { key: 'books' }, []],
        stream: [Book],
        transactional: [async () => undefined],
        tryCache: [Book, false, ['em.find']],
        upsert: [Book, {}],
        upsertMany: [Book, []],
        withSessionContext: [undefined, async () => undefined],
      },
    };
  },

  'a query builder': em => ({
    object: em.createQueryBuilder(Book, 'b').select('*'),
    base: QueryBuilder,
    args: {
      addSelect: ['id'],
      andOrderBy: [{}],
      clone: [],
      count: [],
      createQueryBuilderHelper: [],
      delete: [],
      distinctOn: ['id'],
      execute: [],
      from: [Book],
      getCount: [],
      groupBy: ['id'],
      getNativeQuery: [],
      getResultList: [],
      getSchema: [{ meta: em.getMetadata(Book) }],
      getSingleResult: [],
      having: [{}],
      insert: [{}],
      insertFrom: [{}],
      joinAndSelect: ['author', 'a'],
      joinReference: ['author', 'a', {}],
      merge: [{}],
      onConflict: [],
      orderBy: [{}],
      populate: [[]],
      returning: [],
      select: ['id'],
      stream: [],
      toQuery: [],
      toRaw: [],
      union: [],
      unionAll: [],
      update: [{}],
      where: [{}],
      with: ['c', {}],
      withRecursive: ['c', {}],
      withSubQuery: [{}, 'a'],
    },
  }),

  'the helper of a query builder': em => {
    const query = em.createQueryBuilder(Book, 'b').leftJoin('b.author', 'a') as unknown as OpenQueryBuilder;

    return {
      object: query.helper,
      base: QueryBuilderHelper,
      args: {
        createFormulaTable: ['b', em.getMetadata(Book)],
        createJoinExpression: [Object.values(query.state.joins)[0], query.state.joins],
        getTableName: [Author],
      },
    };
  },

  'the hydrator': em => ({
    object: em.getHydrator(),
    base: ObjectHydrator,
    args: { hydrate: [em.create(Book, {} as never, { persist: false }), em.getMetadata(Book), {}, em.getEntityFactory(), 'full'] },
  }),

  'the entity loader': async em => {
    const book = await em.findOneOrFail(Book, 1);

    return {
      object: em.getEntityLoader(),
      base: EntityLoader,
      isWrapped: true,
      args: {
        findChildrenFromPivotTable: [[book], em.getMetadata(Book).properties.tags, {}],
        normalizePopulate: [Book, []],
        populate: [Book, [book], [], {}],
      },
    };
  },

  'a dataloader': async em => ({
    object: await em.getDataLoader('ref'),
    base: DataLoader,
    isWrapped: true,
    args: { load: [[ref(await em.findOneOrFail(Book, 1)), {}]] },
  }),

  // last, because a closed ORM has no scopes
  'the driver': async em => {
    const genre = await em.findOneOrFail(Genre, 1);
    const { properties } = em.getMetadata(Book);

    return {
      object: em.getDriver(),
      base: PgliteDriver,
      args: {
        close: [],
        convertException: [new Error('of the database')],
        createQueryBuilder: [Book],
        findVirtual: [LoanSummary, {}, {}],
        getSchemaName: [],
        loadFromUnionTargetPolymorphicPivotTable: [properties.tags, []],
        lockPessimistic: [genre, {}],
        nativeInsertMany: [Genre, []],
        mapPropToFieldNames: [em.createQueryBuilder(Book), properties.title, 'b', em.getMetadata(Book)],
        nativeUpdateMany: [Genre, [], []],
        reconnect: [],
        setMetadata: [em.getMetadata()],
      },
      answered: ['getTableName'],
    };
  },
};

onDatabases(
  'the overrides of MikroORM’s methods',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openTwins(database);
    });

    after(() => orm.close());

    for (const [what, describeIt] of Object.entries(OVERRIDING)) {
      it(`law 2: ${what} passes every argument on to MikroORM, including one that MikroORM has yet to add`, async () => {
        const check = async (em: TenantEntityManager): Promise<void> => {
          const overriding = await describeIt(em);
          const { args, answered = [] } = overriding;

          if (overriding.isWrapped !== true) {
            expect(overriddenBy(overriding)).to.have.members([...Object.keys(args), ...answered]);
          }

          for (const name of Object.keys(args)) {
            const arrived = await argumentsArriving(overriding, name);
            expect(arrived?.indexOf(ADDED), name).to.equal(PLACE);
          }
        };

        await runInTenant('acme', check, { orm });
      });
    }
  },
  ['pglite'],
);

describe('the overrides in lib', () => {
  it('law 2: each takes the arguments of the method that it overrides, and passes all of them on', async () => {
    const found: string[] = [];
    const wrong: string[] = [];

    for await (const file of glob('lib/**/*.ts', { cwd: ROOT })) {
      const text = readFileSync(`${ROOT}/${file}`, 'utf8');
      const overrides = overridesIn(text);
      expect(overrides, file).to.have.length(text.match(/^ +(?:protected )?override /gm)?.length ?? 0);

      for (const { name, parameters, body } of overrides) {
        const calls = callsOfSuper(name, body);
        found.push(name);

        if (calls.length === 0) {
          continue;
        }

        const of = TYPED.exec(parameters)?.[1] ?? namedOf(parameters);
        const areAllPassed = calls.every(passed => /\.\.\.(?:args|rest)$|^self, args$/.test(passed));

        if (![name, 'HydrateArgs'].includes(of ?? '') || !areAllPassed) {
          wrong.push(`${file}: ${name}(${parameters})`);
        }
      }
    }

    expect(wrong).to.deep.equal([]);
    expect(found).to.include.members(['findOne', 'getSchemaName', 'getTableName', 'createJoinExpression', 'hydrate', 'getSchema']);
  });
});

/** The methods that are overridden between the object and MikroORM's own class. */
function overriddenBy({ object, base }: Overriding): string[] {
  const names = new Set<string>();

  for (let each = Object.getPrototypeOf(object); each !== base.prototype; each = Object.getPrototypeOf(each)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(each as object))) {
      if (name !== 'constructor' && typeof value === 'function' && name in base.prototype) {
        names.add(name);
      }
    }
  }

  return [...names];
}

/** The arguments that reach MikroORM's own method when the override is called with one more. */
async function argumentsArriving({ object, base, args }: Overriding, name: string): Promise<unknown[] | undefined> {
  const owner = ownerOf(name, base.prototype);
  const own = Object.getOwnPropertyDescriptor(owner, name)!;
  let arrived: unknown[] | undefined;
  Object.defineProperty(owner, name, {
    ...own,
    value(this: unknown, ...given: unknown[]): unknown {
      if (!given.includes(ADDED)) {
        return own.value.apply(this, given);
      }

      arrived = given;
      throw new Arrived();
    },
  });

  try {
    const padded = Array.from({ length: PLACE }, (_, index) => args[name]?.[index]);
    await (object as Record<string, (...given: unknown[]) => unknown>)[name]!(...padded, ADDED);
  } catch (error) {
    expect(error, name).to.be.instanceOf(Arrived);
  } finally {
    Object.defineProperty(owner, name, own);
  }

  return arrived;
}

function ownerOf(name: string, prototype: object): object {
  return Object.hasOwn(prototype, name) ? prototype : ownerOf(name, Object.getPrototypeOf(prototype) as object);
}

/** The overrides in the source of a file. Relies on the format of oxfmt. */
function overridesIn(text: string): { readonly name: string; readonly parameters: string; readonly body: string }[] {
  return [...text.matchAll(/^( +)(?:protected )?override (?:async )?(\w+)\(((?:.|\n)*?)\)(?:: .+)? \{\n((?:.|\n)*?)^\1\}$/gm)].map(
    ([, , name = '', parameters = '', body = '']) => ({ name, parameters, body }),
  );
}

/** The arguments of each call of the superclass's method. */
function callsOfSuper(name: string, body: string): string[] {
  return [...body.matchAll(new RegExp(`super\\.${name}(?:\\.apply)?\\(`, 'g'))].map(({ 0: call, index }) => {
    const start = index + call.length;
    let end = start;

    for (let depth = 1; depth > 0; end++) {
      depth += body[end] === '(' ? 1 : body[end] === ')' ? -1 : 0;
    }

    return body.slice(start, end - 1).replace(/,?\s*$/, '');
  });
}

/** The method that all named parameters are typed by, each at its place. Such an override passes on each, and those that follow. */
function namedOf(parameters: string): string | undefined {
  const named = parameters.replace(/,?\s*$/, '').split(/,\s*(?=\w+\??:|\.\.\.rest:)/);
  const of = OTHERS.exec(named.pop() ?? '');
  const method = of?.[1] ?? of?.[2];
  const areInPlace = named.every((parameter, place) => {
    const type = NAMED.exec(parameter.trim());

    return (type?.[1] ?? type?.[2]) === method && type?.[3] === String(place);
  });

  return areInPlace && Number(of?.[3]) === named.length ? method : undefined;
}

class Arrived extends Error {}

/** All parameters of one method, by its type. */
const TYPED = /^\s*\.\.\.(?:args|\[[^:]*\.\.\.rest\]): (?:Args<'|Parameters<\w+\['|(?=HydrateArgs))(\w+)(?:'\]?>)?\s*$/;

/** One of them, and those that follow. */
const NAMED = /^\w+\??: (?:Args<'(\w+)'>|(HydrateArgs))\[(\d+)\](?: = \{\})?$/;
const OTHERS = /^\s*\.\.\.rest: Others<(?:Args<'(\w+)'>|(HydrateArgs)), (\d+)>$/;

/** An argument that no version of MikroORM knows. */
const ADDED = Symbol('added');

/** Its index, after all parameters of any version. */
const PLACE = 12;

/** An object with overrides, and for each of them arguments with which it calls MikroORM's own method. */
interface Overriding {
  readonly object: object;
  /** MikroORM's class whose methods are overridden. */
  readonly base: { readonly prototype: object };
  readonly args: Readonly<Record<string, readonly unknown[]>>;
  /** The overrides that never call MikroORM's own method. `spec/types/overrides.types.ts` counts the parameters that they know. */
  readonly answered?: readonly string[];
  /** Whether the object is wrapped around one of MikroORM's, and its class overrides nothing. */
  readonly isWrapped?: boolean;
}

interface OpenQueryBuilder {
  readonly helper: object;
  readonly state: { readonly joins: Readonly<Record<string, object>> };
}
