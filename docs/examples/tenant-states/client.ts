import { TenantStateMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';

export class Client extends TenantStateMixin {
  declare name: string;
}

export const ClientSchema = defineEntity({
  class: Client,
  extends: TenantStateMixin,
  properties: { name: p.string() },
});
