import { raw } from '@mikro-orm/core';
import { currentScope } from '../../../scope/scope.js';
import { refuses, see, seeOwn, type Probe } from '../probe.js';
import { OTHER, OWN, schemaOf, type ProbeEm, type ProbeWorld } from '../probe-world.js';

/** A query of authors in the scope of the own tenant. */
function query(world: ProbeWorld): ProbeEm {
  return world.as(OWN, em => em.qb(world.entities.Author, 'a'));
}

/** A query of a shared entity, there. */
function sharedQuery(world: ProbeWorld): ProbeEm {
  return world.as(OWN, em => em.qb(world.entities.Topic, 't').select('id'));
}

function refusesForeign(member: string, fn: (query: ProbeEm, foreign: object) => unknown): Probe {
  return { shows: [`QueryBuilder.${member}`], run: world => refuses('CROSS_TENANT', () => fn(query(world), world.foreign)) };
}

function seeIn(made: ProbeEm, part: string): void {
  const sql: string = made.getQuery();
  see(sql.includes(part), `a query became ${sql}`);
}

export const QUERY_PROBES: readonly Probe[] = [
  {
    shows: ['QueryBuilder.getSchema', 'AbstractSqlDriver.createQueryBuilder', 'Query.mainAlias'],
    run: world => {
      refuses('CROSS_TENANT', () => query(world).withSchema(OTHER).select('id').getQuery());
      refuses('CROSS_TENANT', () => query(world).withSchema(OTHER).update({ name: 'x' }).getQuery());
      refuses('CROSS_TENANT', () => query(world).withSchema(OTHER).delete().getQuery());
      refuses('CROSS_TENANT', () => query(world).withSchema(OTHER).insert({ name: 'x' }).getQuery());
      refuses('TENANT_CONTEXT_REQUIRED', () => world.em.qb(world.entities.Author).select('id').getQuery());
    },
  },
  {
    shows: ['QueryBuilder.clone'],
    run: world => refuses('CROSS_TENANT', () => query(world).clone().withSchema(OTHER).select('id').getQuery()),
  },
  refusesForeign('where', (each, foreign) => {
    refuses('CROSS_TENANT', () => each.andWhere({ mentor: foreign }));
    refuses('CROSS_TENANT', () => each.delete({ mentor: foreign }));
    each.where('a.mentor_id = ?', [foreign]);
  }),
  refusesForeign('having', (each, foreign) => {
    refuses('CROSS_TENANT', () => each.andHaving({ mentor: foreign }));
    each.having('a.mentor_id = ?', [foreign]);
  }),
  refusesForeign('update', (each, foreign) => each.update({ mentor: foreign })),
  refusesForeign('insert', (each, foreign) => each.insert({ mentor: foreign })),
  refusesForeign('merge', (each, foreign) => each.insert({ id: 1 }).onConflict('id').merge({ mentor: foreign })),
  refusesForeign('joinReference', (each, foreign) => {
    refuses('CROSS_TENANT', () => each.leftJoinAndSelect('a.mentor', 'n', { mentor: foreign }));
    each.leftJoin('a.mentor', 'm', { mentor: foreign });
  }),
  {
    shows: ['QueryBuilder.getNativeQuery', 'Query.type', 'Query.em'],
    run: ({ em, entities: { Tenant, Topic } }) => {
      refuses('TENANT_WRITE_REFUSED', () => em.qb(Tenant).delete().getQuery());
      refuses('SHARED_TABLE_IN_USE', () => em.qb(Topic).truncate().getQuery());
    },
  },
  {
    shows: ['QueryBuilderHelper.createJoinExpression', 'QueryBuilderHelper.getTableName', 'Query.helper'],
    run: world => {
      refuses('CROSS_TENANT', () => sharedQuery(world).leftJoin('t.authors', 'a', {}, OTHER).getQuery());
      const made = sharedQuery(world).leftJoin('t.authors', 'a');
      seeIn(made, `"${OWN}"."probe_author"`);
      seeIn(made, '"public"."probe_topic"');
    },
  },
  {
    shows: ['QueryBuilder.createQueryBuilderHelper'],
    run: world => {
      const { Topic } = world.entities;
      const made = world.as(OWN, em => em.qb(Topic, 't').from(Topic));
      refuses('CROSS_TENANT', () => made.select('id').leftJoin('t.authors', 'a', {}, OTHER).getQuery());
    },
  },
  {
    shows: ['QueryBuilderHelper.createFormulaTable'],
    run: world => seeIn(sharedQuery(world).leftJoin('t.authors', 'a').where({ 'a.place': 'x' }), `${OWN}.probe_place()`),
  },
  {
    shows: ['AbstractSqlDriver.mapPropToFieldNames'],
    run: world => seeIn(sharedQuery(world).leftJoinAndSelect('t.authors', 'a', {}, ['place']), `${OWN}.probe_place()`),
  },
  {
    shows: ['Platform.getThroughRelationFormula', 'EntityProperty.formula', 'Platform.config'],
    run: world => seeIn(query(world).select('first'), `"first_through"."id" from "${OWN}"."probe_author"`),
  },
  {
    shows: ['Query.mainAlias', 'Query.state'],
    run: world => {
      refuses('CROSS_TENANT', () => world.as(OWN, em => em.qb(`${OTHER}.probe_author`).getNativeQuery()));
      world.as(OWN, em => em.qb(world.entities.Topic, 't').with('probe_author', query(world)).from('probe_author').getNativeQuery());
      const { state } = query(world).with('probe_cte', query(world));
      see(state.ctes[0]?.name === 'probe_cte', 'the CTEs of a query do not show');
    },
  },
  {
    shows: ['Query.state'],
    run: world => {
      const { state } = query(world).withSchema(OWN).leftJoinAndSelect('a.mentor', 'm', {}, ['id']);
      const [join] = Object.values<ProbeEm>(state.joins);
      see(state.schema === OWN && join?.prop.targetMeta.className === 'ProbeAuthor', 'the joins of a query do not show');
      see(state.populate[0]?.field === 'mentor' && 'schema' in join && 'table' in join, 'the populate hints of a query do not show');
    },
  },
  {
    shows: ['Platform.formatQuery', 'Platform.escapeLiteral'],
    run: ({ orm }) => {
      const filled = orm.driver.getPlatform().formatQuery('? and ?', [raw('? = 1', ['a?']), 'b']);
      see(!filled.includes('?'), `a value was filled in as ${filled}`);
    },
  },
  {
    shows: ['Platform.quoteIdentifier'],
    run: world => {
      const filled: string = query(world).select('a.x?').where({ name: 'value' }).getFormattedQuery();
      see(filled.includes(String.raw`U&"x\003F"`) && filled.includes("'value'"), `a name was written as ${filled}`);
    },
  },
  {
    shows: ['NativeQueryBuilder.comment', 'NativeQueryBuilder.hintComment'],
    run: world => {
      const filled: string = query(world).comment('*/ a?').hintComment('*/ b?').where({ name: 'value' }).getFormattedQuery();
      see(
        filled.includes('/* * / a%3F */') && !filled.includes('*/ b') && filled.includes("'value'"),
        `a comment was written as ${filled}`,
      );
    },
  },
  {
    shows: ['Platform.escape'],
    run: ({ orm }) => {
      const platform = orm.driver.getPlatform();
      const object = new (class {
        toString(): string {
          return "1' or true";
        }
      })();
      const filled = platform.formatQuery('?, ?', [object, [object]]);
      see(filled === "'1'' or true', '1'' or true'", `an object was filled in as ${filled}`);
      refuses('VALUE_UNSUPPORTED', () => platform.formatQuery('?', [new Map()]));
    },
  },
  {
    shows: ['Platform.getSearchJsonPropertyKey'],
    run: world => {
      const filled: string = query(world)
        .where({ data: { 'a?': 'x' } })
        .getFormattedQuery();
      see(filled.includes(String.raw`a\x3F`) && filled.includes("'x'"), `a key was filled in as ${filled}`);
    },
  },
  {
    shows: ['Platform.getJsonArrayElementPropertySQL'],
    run: ({ orm }) => {
      const filled = String((orm.driver.getPlatform() as ProbeEm).getJsonArrayElementPropertySQL('a', 'b?', 'string'));
      see(!filled.includes('?'), `a key was filled in as ${filled}`);
    },
  },
];

export const RECORDED_QUERY_PROBES: readonly Probe[] = [
  {
    shows: ['QueryBuilder.getCount'],
    run: async world => {
      const made = query(world);
      let schemaName: string | undefined;
      const { processPopulateHint } = made;
      made.processPopulateHint = () => {
        schemaName ??= (currentScope(world.orm.config) as { readonly schemaName?: string }).schemaName;
        processPopulateHint.call(made);
      };
      await world.as(OTHER, () => made.getCount());
      seeOwn(world, 'probe_author');
      see(schemaName === OWN, 'a count is made ready in another scope');
    },
  },
  ...(['execute', 'getResultList', 'getSingleResult'] as const).map(member => ({
    shows: [`QueryBuilder.${member}`],
    run: async (world: ProbeWorld) => {
      const made = query(world).select('id');
      world.rows = [{ id: 12 }];
      const result = await world.as(OTHER, () => made[member]());
      world.rows = [];
      seeOwn(world, 'probe_author');
      see(
        !member.includes('Result') || schemaOf([result].flat()[0]) === OWN,
        'an entity of a query that is run in another scope is in no tenant',
      );
    },
  })),
  {
    shows: ['Query.context'],
    run: async world => {
      const em = world.em.fork();
      const ctx = {};
      em.setTransactionContext(ctx);
      await em.qb(world.entities.Tenant).update({ plan: 'x' }).execute();
      const statements = world.take();
      see(
        statements.length === 2 && statements.every(each => each.ctx === ctx),
        'an update of tenants and its notice are not one transaction',
      );
    },
  },
  {
    shows: ['QueryBuilder.stream'],
    run: async world => {
      const made = query(world).select('id');
      await world.as(OTHER, () => made.stream()).next();
      seeOwn(world, 'probe_author');
    },
  },
];
