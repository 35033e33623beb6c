import { inspect } from 'node:util';
import { acrossTenants, runInPublic, runInTenant, tenants, type ReportOptions } from '@landlord/mikro-orm';
import { raw, Utils, type FilterQuery } from '@mikro-orm/core';
import { expect } from 'chai';
import { Book, Genre, LoanSummary, Member } from '../../fixtures/entities/index.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { expectIdle } from '../support/databases/idle-connections.ts';
import { effort } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers } from '../support/generators/random.ts';
import { Entry, gather, Money, openLedger, Shop, Writer } from '../support/orm/ledger-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

// a word of SQL, and names that sort in another way by the rules of a language
const NAMES = ['a_1', 'a1', 'b', 'select', 'z_9'];

const REASON: ReportOptions = { reason: 'billing' };

onDatabases('a report over tenants', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openLedger(database, NAMES);
    const random = randomNumbers(7);
    const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)] as Value;

    for (const [index, name] of NAMES.entries()) {
      const rows = Array.from({ length: index === 2 ? 0 : 9 }, () => [
        pick(["'a'", "'A'", "'ä'", "'b'", "'_'", "'Z'"]),
        pick(["'a'", "'B'", "'ä'", 'null']),
        pick(['1', '2', '100', 'null']),
        pick(['0.1', '0.2', '1e14', 'null']),
        pick(['1', '9007199254740993', '-5']),
        pick(["'2024-02-29'", "'0099-01-01'", 'null']),
        pick(["'2024-01-01 00:00:00.000001+00'", "'2024-01-01 00:00:00.000002+00'", 'null']),
        pick(['\'calm\'::"%".mood', '\'angry\'::"%".mood', 'null']).replaceAll('%', name),
        pick(['false', 'false', 'true']),
        pick(['1', '2']),
      ]);

      for (const row of rows) {
        await database.query(
          `insert into "${name}".entry (title, note, price, amount, visits, made_on, seen_at, mood, is_gone, writer_id, tags, data, place_city)
           values (${row.join(', ')}, '{x,"a,b"}', '{"n": 1}', 'Rome')`,
        );
      }
    }

    await gather(database, NAMES);
  });

  it('L7 gives the rows of each tenant as MikroORM gives them in its scope, tagged with their tenant, and of no other', async () => {
    const rows = await acrossTenants(Entry, {}, { ...REASON, batchSize: 2 }).toArray();
    const own = await Promise.all(
      NAMES.map(name =>
        runInTenant(name, async em =>
          (await em.find(Entry, {}, { orderBy: { id: 'asc' } })).map(entry => ({
            tenant: name,
            row: {
              ...Object.fromEntries(
                (
                  [
                    'id',
                    'title',
                    'note',
                    'price',
                    'amount',
                    'visits',
                    'madeOn',
                    'seenAt',
                    'tags',
                    'data',
                    'mood',
                    'isGone',
                    'shouted',
                  ] as const
                ).map(key => [key, entry[key] ?? null]),
              ),
              place: { city: entry.place.city, zip: entry.place.zip ?? null },
              writer: entry.writer.id,
            },
          })),
        ),
      ),
    );

    expect(rows).to.have.length.above(10);
    expect(byKey(rows)).to.deep.equal(own.flat());
    expect(rows.find(({ row }) => row.price !== null)?.row.price).to.be.instanceOf(Money);
    expect(rows.filter(({ row }) => Utils.isEntity(row, true))).to.deep.equal([]);
  });

  it('L7 orders and limits over all tenants as the database does over one table, whatever the batches are', async () => {
    const random = randomNumbers(11);
    const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)] as Value;
    const columns = {
      title: 'title',
      note: 'note',
      price: 'price',
      amount: 'amount',
      visits: 'visits',
      madeOn: 'made_on',
      seenAt: 'seen_at',
    };

    for (let n = 0; n < 24; n += 1) {
      const keys = (Object.keys(columns) as (keyof typeof columns)[]).toSorted(() => random() - 0.5).slice(0, 1 + (n % 2));
      const order = keys.map(key => [key, pick(['asc', 'desc', 'asc nulls first', 'desc nulls last'] as const)] as const);
      const [limit, offset, batchSize] = [pick([undefined, 0, 1, 3, 10, 1_000]), pick([0, 0, 2, 30]), pick([1, 2, 3, 100])];
      const found = await acrossTenants(
        Entry,
        { orderBy: Object.fromEntries(order), offset, fields: ['title'], ...(limit === undefined ? {} : { limit }) },
        { ...REASON, batchSize },
      ).toArray();
      const wanted = await database.query<{ tenant: string; id: number; title: string }>(
        `select tenant, id, title from public.everything where not is_gone order by ${order.map(([key, direction]) => `${columns[key]} ${direction}`).join(', ')},
         tenant collate "C", id limit ${limit ?? 'all'} offset ${offset}`,
      );

      expect(found, JSON.stringify({ order, limit, offset, batchSize })).to.deep.equal(
        wanted.map(({ tenant, id, title }) => ({ tenant, row: { id, title } })),
      );
    }
  });

  it('L7 law 2 any condition selects of each tenant what it selects in the scope of that tenant, and counts the same', async function () {
    this.timeout(effort(180_000, 300_000));
    const random = randomNumbers(REPLAY.seed ?? 13);
    const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)] as Value;
    const leaf = (): FilterQuery<Entry> =>
      pick<() => FilterQuery<Entry>>([
        () => ({ title: pick(['a', 'A', 'ä', 'nobody']) }),
        () => ({ title: { $in: [pick(['a', 'b']), '_'] } }),
        () => ({ note: pick([null, { $ne: null }, { $like: '%a%' }, { $ne: 'B' }]) }),
        () => ({ price: { [pick(['$gt', '$lte', '$ne'])]: new Money(pick([1, 2, 100])) } }),
        () => ({ visits: { $gte: pick([-5n, 1n, 9_007_199_254_740_993n]) } }),
        () => ({ madeOn: { $lt: '2000-01-01' } }),
        () => ({ mood: pick(['calm', 'angry']) as 'calm' }),
        () => ({ tags: { $contains: [pick(['x', 'y'])] } }),
        () => ({ place: { city: pick(['Rome', 'Oslo']) } }),
        () => ({ writer: { name: { $like: pick(['Ann of %', 'Bea', '%1']) } } }),
        () => ({ writer: pick([1, 2]) }),
      ])();
    const condition = (depth: number): FilterQuery<Entry> =>
      depth === 0 || random() < 0.4
        ? leaf()
        : pick<() => FilterQuery<Entry>>([
            () => ({ $or: [condition(depth - 1), condition(depth - 1)] }),
            () => ({ $and: [condition(depth - 1), condition(depth - 1)] }),
            () => ({ $not: condition(depth - 1) }),
          ])();

    for (let n = 0; n < effort(12, 400); n += 1) {
      const where = condition(3);
      const report = acrossTenants(Entry, { where, fields: ['id'] }, { ...REASON, batchSize: pick([1, 2, 100]) });
      const found = (await report.toArray()).map(({ tenant, row }) => `${tenant} ${row.id}`);
      const wanted: string[] = [];

      for (const name of NAMES) {
        wanted.push(...(await runInTenant(name, em => em.find(Entry, where, { fields: ['id'] }))).map(({ id }) => `${name} ${id}`));
      }

      expect(found.toSorted(), inspect(where, { depth: 9 })).to.deep.equal(wanted.toSorted());
      expect(await report.count(), inspect(where, { depth: 9 })).to.equal(wanted.length);
    }
  });

  it('L7 limits without an order to as many rows, of any tenants', async () => {
    const all = await acrossTenants(Entry, {}, REASON).count();

    for (const [limit, offset, batchSize] of [
      [0, 0, 1],
      [5, 0, 1],
      [7, 3, 2],
      [7, all - 2, 2],
      [1_000, 0, 100],
    ] as const) {
      const rows = await acrossTenants(Entry, { limit, offset, fields: [] }, { ...REASON, batchSize }).toArray();

      expect(rows).to.have.length(Math.min(limit, all - offset));
      expect(new Set(rows.map(({ tenant, row }) => `${tenant} ${row.id}`))).to.have.property('size', rows.length);
    }
  });

  it('L7 counts, adds up and compares as the database does over one table, exactly, in groups and by tenant', async () => {
    const wanted = {
      rows: 'count',
      priced: { count: 'price' },
      total: { sum: 'amount' },
      mean: { avg: 'amount' },
      visits: { sum: 'visits' },
      first: { min: 'madeOn' },
      last: { max: 'title' },
      most: { max: 'price' },
    } as const;
    const sql = `count(*)::int as rows, count(price)::int as priced, sum(amount)::text as total, avg(amount) as mean, sum(visits)::text as visits,
      min(made_on)::text as first, max(title) as last, max(price) as most from public.everything where not is_gone`;
    const plain = (row: Readonly<Record<string, unknown>>): object => ({
      ...row,
      mean: row['mean'] === null ? null : Number(row['mean']),
      most: row['most'] instanceof Money ? row['most'].cents : row['most'],
      // PGlite gives a date so, with MikroORM alone too
      first: row['first'] instanceof Date ? row['first'].toISOString().slice(0, 10) : row['first'],
    });

    for (const batchSize of [1, 2, 100]) {
      const options = { ...REASON, batchSize };
      const report = acrossTenants(Entry, {}, options);
      expect((await report.aggregate(wanted)).map(plain), String(batchSize)).to.deep.equal(
        (await database.query(`select ${sql}`)).map(plain),
      );
      expect((await report.aggregate(wanted, { groupBy: ['note'] })).map(plain)).to.deep.equal(
        (await database.query(`select note, ${sql} group by note order by note`)).map(plain),
      );
      expect((await report.aggregate(wanted, { byTenant: true })).map(plain)).to.deep.equal(
        (await database.query(`select tenant, ${sql} group by tenant order by tenant collate "C"`)).map(plain),
      );
      expect((await report.aggregate({ n: 'count' }, { byTenant: true, groupBy: ['isGone', 'price'] })).map(plain)).to.have.length.above(3);
    }

    const none = acrossTenants(Entry, { where: { title: 'nobody has this' } }, REASON);
    expect(await none.aggregate({ n: 'count', s: { sum: 'visits' }, m: { max: 'title' } })).to.deep.equal([{ n: 0, s: null, m: null }]);
    expect(await none.count()).to.equal(0);
    expect(await acrossTenants(Entry, {}, { ...REASON, tenants: { where: { region: 'nowhere' } } }).count()).to.equal(0);
  });

  it('L7 a condition on a relation stays in its tenant, gives each row once, and filters hold', async () => {
    // writer 1 is Ann of each tenant, by the same key
    const ofAnn = await acrossTenants(Entry, { where: { writer: { name: 'Ann of select' } }, fields: ['writer'] }, REASON).toArray();
    expect(new Set(ofAnn.map(({ tenant, row }) => `${tenant} ${row.writer}`))).to.deep.equal(new Set(['select 1']));

    const writers = acrossTenants(Writer, { where: { entries: { isGone: false } } }, { ...REASON, batchSize: 3 });
    const found = await writers.toArray();
    const [counted] = await database.query<{ n: number }>(
      `select sum(n)::int as n from (${NAMES.map(name => `select count(distinct writer_id) n from "${name}".entry where not is_gone`).join(' union all ')}) q`,
    );
    expect(found).to.have.length(counted?.n ?? 0);
    expect(await writers.count()).to.equal(counted?.n);
    expect(new Set(found.map(({ tenant, row }) => `${tenant} ${row.id}`))).to.have.property('size', counted?.n);
    expect(found.filter(({ tenant, row }) => row.id === 1 && row.name !== `Ann of ${tenant}`)).to.deep.equal([]);

    // a filter of the relation holds as well
    const nobody = await acrossTenants(Writer, { where: { entries: { isGone: true } } }, REASON).toArray();
    expect(nobody).to.deep.equal([]);

    const [gone] = await database.query<{ n: number }>('select count(*)::int as n from public.everything');
    expect(await acrossTenants(Entry, { filters: { there: false } }, REASON).count()).to.equal(gone?.n);
    expect(await acrossTenants(Entry, { where: { isGone: true } }, REASON).count()).to.equal(0);
  });

  it('L7 N1 a value is a value: it names no table, and no tenant behind', async () => {
    for (const title of [`"a1"."entry"`, `x' union all select * from "b"."entry" --`, `"e0"."nothing"`, `landlord_`, `?`, `\\`, '$1']) {
      const report = acrossTenants(Entry, { where: { title } }, REASON);

      expect(await report.toArray(), title).to.deep.equal([]);
      expect(await report.behind()).to.deep.equal([]);
    }
  });

  it('L7 reads the selected tenants alone', async () => {
    const of = async (selection: ReportOptions['tenants']): Promise<string[]> => {
      const rows = await acrossTenants(Writer, {}, { ...REASON, batchSize: 1, ...(selection && { tenants: selection }) }).toArray();

      return [...new Set(rows.map(({ tenant }) => tenant))];
    };

    expect(await of(undefined)).to.have.members(NAMES);
    expect(await of({ only: ['select', 'b'] })).to.have.members(['select', 'b']);
    expect(await of({ skip: ['a1'], where: { region: 'south' } })).to.have.members(['select']);
    expect(await failureOf(() => of({ only: ['nobody'] }))).to.have.property('code', 'TENANT_UNKNOWN');
  });

  it('L7 law 2 is refused in a tenant’s scope, also if it was made outside, and without a reason', async () => {
    const report = acrossTenants(Entry, {}, REASON);
    const refused = { code: 'PUBLIC_CONTEXT_REQUIRED' };

    await runInTenant('a1', async () => {
      expect(await failureOf(async () => acrossTenants(Entry, {}, REASON))).to.include(refused);
      database.statements.length = 0;

      for (const read of [() => report.toArray(), () => report.count(), () => report.behind(), () => report.aggregate({ n: 'count' })]) {
        expect(await failureOf(read)).to.include(refused);
      }

      expect(database.statements).to.deep.equal([]);
    });
    expect(await runInPublic(() => acrossTenants(Writer, {}, REASON).count())).to.equal(NAMES.length * 2);

    for (const options of [{}, { reason: '' }, { reason: ' ' }, undefined]) {
      expect(await failureOf(async () => acrossTenants(Entry, {}, options as never))).to.be.instanceOf(Error);
    }

    expect(await failureOf(async () => acrossTenants(Entry, {}, { reason: ' ' }))).to.have.property('code', 'REPORT_USAGE');
  });

  it('L7 law 10 refuses what it cannot do, before anything of a tenant is read', async () => {
    database.statements.length = 0;

    for (const read of [
      () => acrossTenants(Shop, {}, REASON).count(),
      () => acrossTenants(Entry, { orderBy: { mood: 'asc' } }, REASON).toArray(),
      () => acrossTenants(Entry, { orderBy: { shouted: 'asc' } }, REASON).toArray(),
      () => acrossTenants(Entry, { orderBy: { title: 'up' as never } }, REASON).toArray(),
      () => acrossTenants(Entry, { fields: ['nothing' as never] }, REASON).toArray(),
      () => acrossTenants(Entry, {}, REASON).aggregate({ n: { sum: 'title"; drop schema b; --' as never } }),
      () => acrossTenants(Entry, {}, REASON).aggregate({ n: { drop: 'title' } as never }),
      () => acrossTenants(Entry, {}, REASON).aggregate({ n: { sum: 'madeOn' } }),
      async () => acrossTenants(Entry, { limit: -1 }, REASON),
      async () => acrossTenants(Entry, {}, { ...REASON, batchSize: 0 }),
    ]) {
      expect(await failureOf(read), String(read)).to.have.property('code', 'REPORT_USAGE');
    }

    expect(database.statements.join('\n')).to.not.match(/ union all |from "(a1|b)"/);
  });

  it('L7 is one statement a batch in a read-only transaction, in which nothing is written, and is told to the logger', async () => {
    database.statements.length = 0;
    await acrossTenants(Entry, { where: { title: 'a' } }, { ...REASON, batchSize: 2 }).count();
    const reads = database.statements.filter(each => each.includes(' union all ') || each.includes('"entry"'));

    expect(reads).to.have.length(3);
    expect(database.statements.filter(each => each.includes('set transaction read only'))).to.have.length(3);
    expect(database.statements.filter(each => each.includes('report across 5 tenants, Entry: billing'))).to.have.length(1);

    await database.query(
      `create function public.spoil() returns boolean language plpgsql as $$ begin delete from b.writer; return true; end $$`,
    );
    const error = await failureOf(() => acrossTenants(Entry, { where: { [raw('public.spoil()')]: true } }, REASON).toArray());
    // Citus refuses it before PostgreSQL does, as the function would run on a node
    expect(error).to.have.property('code', database.isCitus ? 'XX000' : '25006');
    expect(await database.query('select 1 from b.writer')).to.have.length(2);
    await expectIdle(database);
  });

  it('L7 leaves nothing in an identity map', async () => {
    await runInPublic(async em => {
      await acrossTenants(Entry, {}, REASON).toArray();

      expect([...em.getUnitOfWork().getIdentityMap().values()]).to.deep.equal([]);
      expect([...em.getUnitOfWork().getPersistStack()]).to.deep.equal([]);
    });
  });

  it('L7 in a transaction it sees what that has written, which may write on, and rolls back with it', async () => {
    const failed = orm.em.fork().transactional(async em => {
      await em.execute(`insert into "b".writer (name) values ('new')`);
      const names = await acrossTenants(Writer, { where: { name: 'new' } }, REASON).toArray();
      expect(names.map(({ tenant, row }) => `${tenant} ${row.name}`)).to.deep.equal(['b new']);
      await em.execute(`insert into "b".writer (name) values ('newer')`);
      throw new Error('rolled back');
    });

    expect(await failureOf(failed)).to.have.property('message', 'rolled back');
    expect(await acrossTenants(Writer, { where: { name: { $like: 'new%' } } }, REASON).count()).to.equal(0);
  });

  it('L7 names tenants that lack a column or a table, and reads the others', async () => {
    await tenants<Shop>(orm).create({ schemaName: 'late', domainUrl: 'late.example.com', region: 'south' });
    await tenants<Shop>(orm).create({ schemaName: 'empty', domainUrl: 'empty.example.com', region: 'south' });
    await database.query(`insert into late.writer (name) values ('Late')`);
    await database.query('alter table late.entry drop column note');
    await database.query('drop schema empty cascade');

    try {
      const titles = acrossTenants(Entry, { fields: ['title', 'note'] }, { ...REASON, batchSize: 2 });
      const rows = await titles.toArray();

      expect(rows).to.have.length(await acrossTenants(Entry, {}, REASON).count());
      expect(await titles.behind()).to.deep.equal([
        { schemaName: 'empty', missing: ['entry.id', 'entry.title', 'entry.note', 'entry.is_gone'] },
        { schemaName: 'late', missing: ['entry.note'] },
      ]);
      // what is not read may be missing
      const writers = acrossTenants(Writer, { where: { name: 'Late' } }, REASON);
      expect(await writers.count()).to.equal(1);
      expect((await writers.behind()).map(({ schemaName }) => schemaName)).to.deep.equal(['empty']);
      // also where a condition or a relation reads it
      const byNote = acrossTenants(Writer, { where: { entries: { note: 'a' } } }, REASON);
      await byNote.toArray();
      expect((await byNote.behind()).map(({ schemaName }) => schemaName)).to.deep.equal(['empty', 'late']);
      expect(
        await failureOf(() => acrossTenants(Entry, { fields: ['note'] }, { ...REASON, onBehind: 'throw' }).toArray()),
      ).to.have.property('code', 'TENANTS_BEHIND');
    } finally {
      await database.query(`delete from shop where schema_name in ('late', 'empty')`);
      await database.query('drop schema late cascade');
    }
  });

  it('L7 S12 a name that another tenant has by the time of its batch gives no row of that one', async () => {
    for (const [name, region] of [
      ['y_1', 'swap'],
      ['y_2', 'swap'],
      ['y_3', 'other'],
    ] as const) {
      await tenants<Shop>(orm).create({ schemaName: name, domainUrl: `${name.replace('_', '-')}.example.com`, region });
      await database.query(`insert into ${name}.writer (name) values ('writer of ${region}')`);
    }

    const seen: string[] = [];
    const error = await failureOf(async () => {
      for await (const { tenant, row } of acrossTenants(Writer, {}, { ...REASON, batchSize: 1, tenants: { where: { region: 'swap' } } })) {
        seen.push(row.name);

        if (tenant === 'y_1') {
          await tenants(orm).rename('y_2', 'y_4');
          await tenants(orm).rename('y_3', 'y_2');
        }
      }
    });

    expect(seen).to.deep.equal(['writer of swap']);
    expect(error).to.have.property('code', 'REPORT_CHANGED');
    await expectIdle(database);

    for (const name of ['y_1', 'y_2', 'y_4']) {
      await tenants(orm).drop(name);
    }
  });

  if (database.kind === 'postgresql') {
    it('L7 N3 is streamed: many rows come a part at a time, the reader may work in tenants meanwhile, and who stops leaves no connection', async () => {
      await database.query(`insert into "b".writer (name) select 'w' || n from generate_series(1, 3500) n`);

      try {
        database.statements.length = 0;
        let read = 0;

        for await (const { row } of acrossTenants(Writer, {}, REASON)) {
          read += 1;

          if (read === 5) {
            expect(await runInTenant('select', em => em.count(Writer, { name: row.name }))).to.be.below(2);
            expect(database.statements.filter(each => each.includes('fetch forward'))).to.have.length(1);
          }

          if (read === 1_500) {
            break;
          }
        }

        expect(database.statements.filter(each => each.includes('fetch forward'))).to.have.length(2);
        await expectIdle(database);
        expect(await acrossTenants(Writer, {}, REASON).toArray()).to.have.length(3_500 + NAMES.length * 2);
        await expectIdle(database);
      } finally {
        await database.query(`delete from "b".writer where name ~ '^w\\d'`);
      }
    });
  }
});

onDatabases('a report over tenants with shared entities, beside public tables of the same names', database => {
  before(async () => {
    await openTwins(database);
    await database.query(`insert into public.genre (id, name) values (2, 'poetry')`);
    await database.query('update bob.book set genre_id = 2 where id = 2');
  });

  it('L7 N2 R5 reads tenants alone, by conditions on their own relations and on shared ones', async () => {
    const titles = async (where: FilterQuery<Book>): Promise<string[]> => {
      const rows = await acrossTenants(Book, { where, orderBy: { title: 'asc' } }, { ...REASON, batchSize: 1 }).toArray();

      return rows.map(({ tenant, row }) => `${tenant}: ${row.title}, ${row.genre}`);
    };
    const all = ['acme: acme book 1, 1', 'acme: acme book 2, 1', 'bob: bob book 1, 1', 'bob: bob book 2, 2'];

    expect(await titles({})).to.deep.equal(all);
    expect(await titles({ author: { name: 'bob author 1' } })).to.deep.equal(all.slice(2));
    expect(await titles({ genre: { name: 'poetry' } })).to.deep.equal(all.slice(3));
    expect(await titles({ tags: { name: 'acme tag 2' } })).to.deep.equal([all[1]]);
    expect(await titles({ tags: { name: { $like: '%tag%' } } })).to.deep.equal(all);
    expect(await titles({ sequelOf: { title: 'bob book 1' } })).to.deep.equal([all[3]]);
    expect(await titles({ title: 'decoy' })).to.deep.equal([]);
    expect(await acrossTenants(Book, {}, REASON).aggregate({ n: 'count' }, { groupBy: ['genre'] })).to.deep.equal([
      { genre: 1, n: 3 },
      { genre: 2, n: 1 },
    ]);
    expect(await acrossTenants(Member, {}, REASON).toArray()).to.have.length(2);
    // a view of each tenant
    const loans = await acrossTenants(LoanSummary, {}, REASON).toArray();
    expect(loans.map(({ tenant, row }) => [tenant, Number(row.loans)])).to.have.deep.members([
      ['acme', 1],
      ['bob', 1],
    ]);
    expect(await failureOf(() => acrossTenants(Genre, {}, REASON).toArray())).to.have.property('code', 'REPORT_USAGE');
  });
});

function byKey<Row extends { readonly tenant: string; readonly row: { readonly id: number } }>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => NAMES.indexOf(a.tenant) - NAMES.indexOf(b.tenant) || a.row.id - b.row.id);
}
