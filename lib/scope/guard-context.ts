import type { Configuration } from '@mikro-orm/core';
import type { Scope } from './scope.js';
import { TenantRules } from './tenant-rules.js';

/** What a guard decides by: the rules of its ORM, and the scope that a query was made in or that the flow is in. */
export interface GuardContext {
  readonly rules: TenantRules;
  readonly scope: Scope | undefined;
}

/** The context of now. */
export function guardContextOf(config: Configuration): GuardContext {
  const rules = TenantRules.of(config);

  return { rules, scope: rules.scope };
}
