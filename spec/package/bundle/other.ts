import { defineEntity, p } from '@mikro-orm/core';

/** A class of the same name as the tenants', which a bundler gives another. */
export class Client {
  id!: number;
}

export const OtherClientSchema = defineEntity({ class: Client, tableName: 'other_client', properties: { id: p.integer().primary() } });
