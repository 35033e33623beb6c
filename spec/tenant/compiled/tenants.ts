import { TenantMixin, type TenantData } from '@landlord/mikro-orm';

export class Client extends TenantMixin {
  name!: string;
  paidUntil?: Date;
  onTrial = true;
  seats: number | null = 5;
  labels: string[] = ['new'];
  declare region: string;
}

export class Special extends Client {
  // a field that its base class has too
  override onTrial = true;
  rank = 1;
  note?: string;
}

export class Bare extends Special {}

/** A field whose initial value is computed from data, with another field after it. */
export class Computed extends TenantMixin {
  name!: string;
  slug = this.name.toLowerCase();
  onTrial = true;
}

/** Changes, in a constructor of its own, what it was given. */
export class Trimmed extends Client {
  override seats = 7;

  constructor(data: TenantData) {
    super(data);
    this.name = this.name.trim();
  }
}

/** Sets, in a constructor of its own, what it was given otherwise. */
export class Forced extends Client {
  constructor(data: TenantData & { readonly name: string }) {
    super({ ...data, region: 'eu' });
    this.name = data.name.trim();
    this.onTrial = true;
  }
}

/** Has a constructor of its own that passes on whatever it gets, as those do that compilers write. */
export class Variadic extends Client {
  slug?: string;

  constructor(...args: [TenantData]) {
    super(...args);
    this.name = this.name.trim();
    this.region ??= 'eu';
    this.slug ??= this.name.toLowerCase();
  }
}

/** Is given no data, but makes it. */
export class Positional extends TenantMixin {
  name: string;
  rank = 1;

  constructor(name: string, schemaName: string) {
    super({ name, schemaName, domainUrl: `${schemaName}.example.com`, rank: 7 });
    this.name = name.trim();
  }
}

export class WithAccessors extends TenantMixin {
  stored = 'initial';
  #seats = 5;

  get seats(): number {
    return this.#seats;
  }

  set seats(seats: number) {
    this.#seats = seats;
  }

  get plan(): string {
    return this.stored;
  }

  set plan(plan: string) {
    this.stored = plan;
  }

  describe(): string {
    return `${this.plan}, ${this.#seats} seats`;
  }
}
