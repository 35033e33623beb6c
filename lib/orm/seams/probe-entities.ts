import { defineEntity, p, Routine, type EntitySchema } from '@mikro-orm/core';
import { TenantMixin } from '../../tenant/tenant-mixin.js';

/**
 * The entities of the probes: those that all of them take, and, where they are to be whole, those that some do. Made anew for each check, as
 * what MikroORM adds to the classes of one ORM is not another's.
 */
export function probeEntities({ isWhole }: { readonly isWhole: boolean }): ProbeEntities {
  class ProbeTenant extends TenantMixin {}

  defineEntity({ class: ProbeTenant, extends: TenantMixin, properties: { plan: p.string().nullable() } });

  const Topic: AnySchema = defineEntity({
    name: 'ProbeTopic',
    properties: {
      id: p.integer().primary(),
      name: p.string(),
      authors: () => p.oneToMany(Author).mappedBy('topic'),
      leader: () => p.oneToOne(Author).mappedBy('leads').nullable(),
    },
  });
  const Author: AnySchema = defineEntity({
    name: 'ProbeAuthor',
    schema: '*',
    properties: {
      id: p.integer().primary(),
      name: p.string(),
      mentor: () => p.manyToOne(Author).nullable(),
      pupils: () => p.oneToMany(Author).mappedBy('mentor'),
      ...(isWhole
        ? {
            topic: () => p.manyToOne(Topic).nullable(),
            data: p.json().nullable(),
            place: p.string().formula((_, table) => `${table.schema}.probe_place()`),
            leads: () => p.oneToOne(Topic).nullable(),
            friends: () => p.manyToMany(Author),
            marks: () => p.manyToMany([Topic, Author] as never),
            first: () =>
              p
                .manyToOne(Author)
                .through(() => Author)
                .nullable(),
          }
        : {}),
    },
  } as never);

  return { Tenant: ProbeTenant as never, Topic, Author, ...(isWhole ? { Report: report(), Count: count() } : {}) };
}

function report(): AnySchema {
  return defineEntity({ name: 'ProbeReport', properties: { id: p.integer() }, expression: () => 'select id from probe_author' } as never);
}

function count(): object {
  return new Routine({
    name: 'probe_count',
    schema: '*',
    type: 'function',
    returns: { runtimeType: 'number', columnType: 'integer' },
    params: {},
    body: 'return 1',
  } as never);
}

export interface ProbeEntities {
  readonly Tenant: typeof TenantMixin;
  readonly Topic: AnySchema;
  readonly Author: AnySchema;
  readonly Report?: AnySchema;
  readonly Count?: object;
}

type AnySchema = EntitySchema<any>;
