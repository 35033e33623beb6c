import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import fc from 'fast-check';
import pg from 'pg';
import { onDatabases } from '../../support/databases/database.ts';
import { HARD_PUBLIC } from '../../support/databases/hard-schema.ts';
import { describeSchema, rowsOfSchema } from '../../support/databases/whole-schema.ts';
import { effort } from '../../support/generators/effort.ts';
import { checkProperty } from '../../support/generators/property.ts';
import { makeSchema, PIECE_KINDS, tenantSchemas, type Piece } from '../../support/generators/tenant-schemas.ts';
import { host, openHardOrm } from '../../support/orm/hard-orm.ts';

const RUNS = effort(3, 400);
const PIECES = effort(40, 60);

onDatabases(
  'cloning any schema',
  database => {
    const role = `landlord_any_${process.pid}`;
    const accepted = new Map<string, number>();
    const refused = new Map<string, number>();
    let client: pg.Client;
    let version: number;
    let count = 0;

    before(async () => {
      await openHardOrm(database, { statements: [] });
      client = new pg.Client(database.url);
      await client.connect();
      database.atEnd(() => client.end());
      await client.query(`create role ${role}`);

      for (const sql of HARD_PUBLIC) {
        await client.query(sql);
      }

      const { rows } = await client.query<{ version: number }>(`select current_setting('server_version_num')::int / 10000 as version`);
      version = rows[0]!.version;
    });

    after(async () => {
      // roles belong to the whole server
      await client.query(`drop owned by ${role}; drop role ${role}`);
    });

    it(`L1 ${RUNS} of them: the catalogs and rows are equal, nothing refers to the source, and a copy of the copy is equal when the source is gone`, async function () {
      this.timeout(RUNS * 20_000);
      await checkProperty(this.test!.title, fc.asyncProperty(tenantSchemas(PIECES), clonesWell), RUNS);
      const all = [...accepted.values()].reduce((sum, each) => sum + each, 0);
      const lost = [...refused.values()].reduce((sum, each) => sum + each, 0);
      // otherwise it has shown little
      expect(lost / (all + lost)).to.be.below(0.35);
      expect(PIECE_KINDS.filter(kind => RUNS > 50 && !accepted.has(kind))).to.deep.equal([]);
    });

    async function clonesWell(pieces: readonly Piece[]): Promise<void> {
      count += 1;
      const [source, copy, second] = [`src${count}`, `copy${count}`, `second${count}`] as const;
      await tenants().create(host(source));

      try {
        const made = await makeSchema(pieces, { run: sql => run(source, sql), words: { schemaName: source, role, version } });
        made.accepted.forEach(kind => accepted.set(kind, (accepted.get(kind) ?? 0) + 1));
        made.refused.forEach(kind => refused.set(kind, (refused.get(kind) ?? 0) + 1));
        await fillAgain(source);
        const described = await describeSchema(database, source);
        const rows = await rowsOfSchema(database, source);

        try {
          await tenants().clone(source, host(copy));
          expect(difference(await describeSchema(database, copy), described)).to.deep.equal([]);
          expect(await rowsOfSchema(database, copy)).to.deep.equal(rows);
          // nothing was changed in it
          expect(difference(await describeSchema(database, source), described)).to.deep.equal([]);
          expect(await references(copy, source)).to.deep.equal([]);
          await tenants().drop(source, { cascade: true });
          await tenants().clone(copy, host(second));
          expect(difference(await describeSchema(database, second), described)).to.deep.equal([]);
          expect(await rowsOfSchema(database, second)).to.deep.equal(rows);
          await readAll(copy);
        } catch (error) {
          throw new Error(
            `${String(error)}\n${JSON.stringify((error as { readonly actual?: unknown }).actual)}\n${made.statements.join(';\n')}`,
            { cause: error },
          );
        }
      } finally {
        for (const tenant of await tenants().list()) {
          await tenants().drop(tenant.schemaName, { cascade: true });
        }
      }
    }

    /** In a transaction of its own, which is rolled back as a whole. */
    async function run(schemaName: string, sql: string): Promise<boolean> {
      try {
        await client.query(`set local search_path to ${schemaName}; ${sql}`);

        return true;
      } catch {
        return false;
      }
    }

    /** What of the one schema PostgreSQL knows to depend on the other. */
    async function references(from: string, to: string): Promise<unknown[]> {
      return database.query(
        `select pg_describe_object(d.classid, d.objid, d.objsubid) as it, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) as needs
        from pg_depend d cross join lateral pg_identify_object(d.classid, d.objid, 0) i cross join lateral pg_identify_object(d.refclassid, d.refobjid, 0) r
        where (i.schema = $1 or strpos(i.identity, $1 || '.') > 0) and (r.schema = $2 or strpos(r.identity, $2 || '.') > 0) and d.refobjid >= 16384`,
        [from, to],
      );
    }

    /** As those of a copy are. */
    async function fillAgain(schemaName: string): Promise<void> {
      for (const { name } of await relationsOf(schemaName, ['m'])) {
        await database.query(`refresh materialized view ${schemaName}.${name}`).catch(ignoreEmptyView);
      }
    }

    /** Tables and views work without what they were copied from. */
    async function readAll(schemaName: string): Promise<void> {
      for (const { name } of await relationsOf(schemaName, ['r', 'p', 'v', 'm'])) {
        await database.query(`select count(*) from ${schemaName}.${name}`).catch(ignoreEmptyView);
      }

      await fillAgain(schemaName);
    }

    async function relationsOf(schemaName: string, kinds: readonly string[]): Promise<{ name: string }[]> {
      return database.query(
        `select quote_ident(relname) as name from pg_class where relnamespace = $1::regnamespace and relkind::text = any($2) and relispopulated order by oid`,
        [schemaName, kinds],
      );
    }

    /** A view may read one that has no rows. */
    function ignoreEmptyView(error: unknown): void {
      if ((error as { readonly code?: string }).code !== '55000') {
        throw error;
      }
    }
  },
  ['postgresql'],
);

/** The lines of one that the other has not. */
function difference(found: readonly string[], expected: readonly string[]): string[] {
  return [
    ...expected.filter(line => !found.includes(line)).map(line => `lacks ${line}`),
    ...found.filter(line => !expected.includes(line)).map(line => `has ${line}`),
  ];
}
