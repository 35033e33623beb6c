import type { Configuration } from '@mikro-orm/core';
import type { Scope } from './scope.js';
import { TenantRules } from './tenant-rules.js';

/** The input of every guard: the rules of its ORM, and the scope. The scope is that of the query, or else the current one. */
export interface GuardContext {
  readonly rules: TenantRules;
  readonly scope: Scope | undefined;
}

/** The guard context of the current async flow. */
export function guardContextOf(config: Configuration): GuardContext {
  const rules = TenantRules.of(config);

  return { rules, scope: rules.scope };
}
