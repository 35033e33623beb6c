import { runInTenant, tenants, TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p, type EventArgs, type EventSubscriber } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

/** What a hook sets of a new tenant. */
let fill: (town: Town) => void = () => undefined;

class Town extends TenantMixin {
  declare name: string;
}
defineEntity({
  class: Town,
  extends: TenantMixin,
  properties: { name: p.string() },
  hooks: {
    beforeCreate: [({ entity }: EventArgs<any>) => fill(entity as Town)],
    beforeUpdate: [({ entity }: EventArgs<any>) => fill(entity as Town)],
  },
});

class Village extends TenantMixin {
  declare name: string;
}
defineEntity({ class: Village, extends: TenantMixin, properties: { name: p.string() } });

class Naming implements EventSubscriber<Village> {
  beforeCreate({ entity }: EventArgs<Village>): void {
    fill(entity);
  }
}

onDatabases('tenants whose hooks name them', database => {
  let orm: SpecOrm;
  const slug = (name: string): string => name.toLowerCase().replaceAll(/\W+/g, '_');

  beforeEach(() => {
    fill = () => undefined;
  });

  for (const [how, Tenant, config] of [
    ['a hook of the entity', Town, {}],
    ['a subscriber', Village, { subscribers: [new Naming()] }],
  ] as const) {
    describe(`by ${how}`, () => {
      before(async () => {
        orm = await openNoteOrm(database, Tenant, {}, config);
      });

      after(async () => {
        for (const { schemaName } of await tenants(orm).list()) {
          await tenants(orm).drop(schemaName);
        }

        await orm.close();
        await database.query(`drop table ${Tenant === Town ? 'town' : 'village'}`);
      });

      it('T1 takes the name and the host that are set before the row is stored', async () => {
        fill = town => {
          town.schemaName ??= slug(town.name);
          town.domainUrl ??= `${town.name.replaceAll(' ', '-')}.Example.com`;
        };
        const em = orm.em.fork();
        const town = em.create(Tenant, { name: 'New Town' } as never);
        await em.persistAndFlush(town);

        expect(town).to.include({ schemaName: 'new_town', domainUrl: 'new-town.example.com' });
        expect(await runInTenant('new_town', inner => inner.count(Note), { orm })).to.equal(0);
        expect(await database.query(`select domain_url from ${Tenant === Town ? 'town' : 'village'}`)).to.deep.equal([
          { domain_url: 'new-town.example.com' },
        ]);
      });

      it('T2, T9 refuses what they leave out or get wrong, and stores nothing', async () => {
        const create = async (data: object, set: (town: Town) => void): Promise<unknown> => {
          fill = set;
          const em = orm.em.fork();

          return em.persistAndFlush(em.create(Tenant, { name: 'x', ...data } as never));
        };
        const host = { domainUrl: 'x.example.com' };
        await refusal(() => create(host, () => undefined), 'SCHEMA_NAME_INVALID');
        await refusal(() => create(host, town => (town.schemaName = 'pg_x')), 'SCHEMA_NAME_RESERVED');
        await refusal(() => create({ ...host, schemaName: 'x' }, town => (town.schemaName = 'X"')), 'SCHEMA_NAME_INVALID');
        await refusal(() => create({ schemaName: 'x' }, () => undefined), 'DOMAIN_INVALID');
        await refusal(() => create({ ...host, schemaName: 'x' }, town => (town.domainUrl = 'no host')), 'DOMAIN_INVALID');
        await refusal(() => create({ schemaName: 'x' }, town => (town.domainUrl = 'localhost')), 'DOMAIN_RESERVED');

        expect(await orm.em.fork().count(Tenant, { schemaName: { $ne: 'new_town' } })).to.equal(0);
        expect(await database.query(`select 1 from pg_namespace where nspname in ('x', 'pg_x')`)).to.deep.equal([]);
      });
    });
  }

  describe('in an update, and with seeds', () => {
    before(async () => {
      orm = await openNoteOrm(database, Town);
    });

    it('T11 a name and a host that a hook changes in an update are checked and followed', async () => {
      const em = orm.em.fork();
      const town = em.create(Town, { name: 'a', schemaName: 'a', domainUrl: 'a.example.com' } as never);
      await em.persistAndFlush(town);
      fill = entity => {
        entity.schemaName = slug(entity.name);
        entity.domainUrl = `${entity.name}.Example.com`;
      };
      town.name = 'b';
      await em.flush();

      expect(town).to.include({ schemaName: 'b', domainUrl: 'b.example.com' });
      expect(await runInTenant('b', inner => inner.count(Note), { orm })).to.equal(0);

      fill = entity => {
        entity.domainUrl = 'no host';
      };
      town.name = 'c';
      await refusal(() => em.flush(), 'DOMAIN_INVALID');
      expect(await database.query('select name, schema_name from town')).to.deep.equal([{ name: 'b', schema_name: 'b' }]);
    });

    it('T7 a new tenant is seeded in the transaction that creates it, and goes with it', async () => {
      fill = () => undefined;
      const create = (name: string, seed: () => void): Promise<unknown> =>
        orm.em.fork().transactional(async em => {
          const town = em.create(Town, { name, schemaName: name, domainUrl: `${name}.example.com` } as never);
          await em.persistAndFlush(town);
          await runInTenant(
            town,
            async inner => {
              await inner.insert(Note, { text: `of ${name}` });
              seed();
            },
            { orm },
          );
        });
      await create('seeded', () => undefined);
      expect(await database.query('select text from seeded.note')).to.deep.equal([{ text: 'of seeded' }]);

      await create('failed', () => {
        throw new Error('the seed failed');
      }).catch(() => undefined);
      expect(await database.query(`select 1 from pg_namespace where nspname = 'failed'`)).to.deep.equal([]);
    });
  });
});
