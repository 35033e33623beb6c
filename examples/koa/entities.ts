import { DomainMixin, TenantStateMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';

/** A tenant: a team that has signed up. It can be suspended. */
export class Team extends TenantStateMixin {
  declare name: string;
}

export const TeamSchema = defineEntity({ class: Team, extends: TenantStateMixin as never, properties: { name: p.string() } });

/** Further hosts of a team. */
export class TeamDomain extends DomainMixin<Team> {}

export const TeamDomainSchema = defineEntity({ class: TeamDomain, extends: DomainMixin as never, properties: {} });

/** Shared: the same for all teams. */
const PrioritySchema = defineEntity({ name: 'Priority', properties: { id: p.integer().primary(), name: p.string().unique() } });
export class Priority extends PrioritySchema.class {}
PrioritySchema.setClass(Priority);

/** Each team has its own. */
const TaskSchema = defineEntity({
  name: 'Task',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string(), priority: () => p.manyToOne(Priority), isDone: p.boolean().default(false) },
});
export class Task extends TaskSchema.class {}
TaskSchema.setClass(Task);
