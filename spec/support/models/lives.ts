import { runInTenant, TenantError, TenantMixin, tenants, type TenantService } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';

/** A tenant whose notes have its own name, whatever its schema is called. */
export class Life extends TenantMixin {
  declare name: string;
}

const LifeSchema = defineEntity({ class: Life, extends: TenantMixin, properties: { name: p.string() } });

const NoteSchema = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary(), text: p.string() } });

class CreateNote extends Migration {
  override up(): void {
    this.addSql('create table "note" ("id" serial primary key, "text" varchar(255) not null)');
  }
}

export const LIFE_OPTIONS = { tenant: Life, migrations: { migrationsList: [{ name: 'CreateNote', class: CreateNote }] } };

export const LIFE_ENTITIES = [LifeSchema, NoteSchema];

/** What can be done to a tenant of a name. */
const STEPS: Readonly<Record<string, (service: TenantService<Life>, name: string, other: string, label: string) => Promise<unknown>>> = {
  create: async (service, name, _, label) => {
    const tenant = await service.create({ name: label, schemaName: name, domainUrl: `${label}.example.com` });
    await runInTenant(tenant, em => em.persistAndFlush(em.create(NoteSchema, { text: label })));
  },
  rename: (service, name, other) => service.rename(name, other),
  delete: (service, name) => service.drop(name, { soft: true }),
  drop: (service, name) => service.drop(name),
  restore: (service, name) => service.restore(name),
  'restore under another name': (service, name, other) => service.restore(name, { schemaName: other }),
  purge: (service, name) => service.purge({ only: [name] }),
};

/** Does one thing after another to few tenants, for ever; several at once meet on one tenant. Refusals and lost connections are no errors. */
export async function live(
  orm: { readonly config: object },
  random: () => number,
  { onStep, onError }: { readonly onStep: (name: string, isDone: boolean) => void; readonly onError: (error: unknown) => void },
): Promise<never> {
  const service = tenants<Life>(orm);
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)]!;

  for (;;) {
    const step = pick(Object.keys(STEPS));
    onStep(step, false);

    try {
      await STEPS[step]?.(service, pick(NAMES), pick(NAMES), `l${Math.floor(random() * 1e12).toString(36)}`);
      onStep(step, true);
    } catch (error) {
      if (!isExpected(error)) {
        onError(error);
      }
    }
  }
}

function isExpected(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // of two renames that cross, and of a restoration that meets one, PostgreSQL undoes one
    if (cause instanceof TenantError || /^(57P01|40P01|08\d\d\d|ECONNRESET)$/.test(String((cause as { readonly code?: unknown }).code))) {
      return true;
    }

    if (/Connection terminated|not queryable/.test(cause.message)) {
      return true;
    }
  }

  return false;
}

const NAMES = ['acme', 'bob', 'carl'];
