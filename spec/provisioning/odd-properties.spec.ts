import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openOrm } from '../support/orm/open-orm.ts';

class Shop extends TenantMixin {
  meta!: object;
}

const ShopSchema = defineEntity({ class: Shop, extends: TenantMixin, properties: { meta: p.json() } });
const NoteSchema = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });

onDatabases('a tenant with a property that MikroORM’s schemas have too', database => {
  it('T15 is refused as an entity by what writes past the unit of work', async () => {
    const orm = await openOrm(database, { tenant: Shop }, { entities: [ShopSchema, NoteSchema] });
    const shop = new Shop({ domainUrl: 'shop.example.com', schemaName: 'shop', meta: { colour: 'red' } });
    database.statements.length = 0;

    expect(await refusal(orm.em.fork().insert(shop))).to.include({ code: 'TENANT_WRITE_REFUSED' });
    expect(await refusal(orm.em.fork().upsertMany([shop]))).to.include({ code: 'TENANT_WRITE_REFUSED' });
    expect(database.statements).to.deep.equal([]);
  });
});
