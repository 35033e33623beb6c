import { TenantMixin, withTenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, MikroORM, p, type Options } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';

class Shop extends TenantMixin {
  meta!: object;
}

const ShopSchema = defineEntity({ class: Shop, extends: TenantMixin, properties: { meta: p.json() } });
const NoteSchema = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });

onDatabases('a tenant with a property that MikroORM’s schemas have too', database => {
  it('T15 is refused as an entity by what writes past the unit of work', async () => {
    const options = withTenants({ ...database.options(), entities: [ShopSchema, NoteSchema] } as Partial<Options<any, any, any>>, {
      tenant: Shop,
    });
    const orm = (await MikroORM.init(options)) as unknown as MikroORM<any, TenantEntityManager>;

    try {
      const shop = new Shop({ domainUrl: 'shop.example.com', schemaName: 'shop', meta: { colour: 'red' } });
      database.statements.length = 0;

      expect(await refusal(orm.em.fork().insert(shop))).to.include({ code: 'TENANT_WRITE_REFUSED' });
      expect(await refusal(orm.em.fork().upsertMany([shop]))).to.include({ code: 'TENANT_WRITE_REFUSED' });
      expect(database.statements).to.deep.equal([]);
    } finally {
      await orm.close();
    }
  });
});
