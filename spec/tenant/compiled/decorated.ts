import { TenantMixin } from '@landlord/mikro-orm';
// or `/legacy`, as the compiler is set
import { Entity, Property } from '@mikro-orm/decorators/es';

@Entity()
export class Client extends TenantMixin {
  @Property({ type: 'string' })
  name!: string;

  @Property({ type: 'datetime', nullable: true })
  paidUntil?: Date | null;

  @Property({ type: 'boolean' })
  onTrial = true;

  @Property({ type: 'integer', nullable: true })
  seats: number | null = 5;
}
