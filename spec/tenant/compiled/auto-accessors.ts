import { TenantMixin } from '@landlord/mikro-orm';

/** For ES decorators alone: with legacy ones, not every compiler knows auto-accessors. */
export class Client extends TenantMixin {
  accessor name!: string;
  accessor onTrial = true;
  seats = 5;
}
